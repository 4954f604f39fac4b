"""A whole process that summarises a network: ``archdsl stats`` and ``check`` against torchinfo and fvcore."""

from __future__ import annotations

from benchmarks.measure import process, table

MODELS = ("resnet50", "densenet121")

_SET_UP = (
    "from tests import torchvision_import; torchvision_import.install()"
    "; import torch, torchvision; m = torchvision.models.{name}()"
)
THEIRS = {
    "torchinfo": _SET_UP + "; import torchinfo; print(torchinfo.summary(m, (1, 3, 224, 224), verbose=0))",
    "fvcore": _SET_UP
    + "; from fvcore.nn import FlopCountAnalysis, flop_count_table"
    + "; print(flop_count_table(FlopCountAnalysis(m.eval(), torch.zeros(1, 3, 224, 224))))",
}


def main() -> None:
    rows = []
    for name in MODELS:
        ours = {command: process(["-m", "archdsl", command, name], 7) for command in ("stats", "check")}
        for peer, code in THEIRS.items():
            theirs = process(["-c", code.format(name=name)], 3)
            for command, measured in ours.items():
                rows.append(
                    [
                        name,
                        f"archdsl {command}",
                        f"{measured.seconds:.3f} s, {measured.mebibytes:.0f} MiB",
                        peer,
                        f"{theirs.seconds:.2f} s, {theirs.mebibytes:.0f} MiB",
                        f"{theirs.seconds / measured.seconds:.0f} times faster",
                    ]
                )
    table(["network", "ours", "whole process", "theirs", "whole process", "ratio"], rows)
