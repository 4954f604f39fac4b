"""Writes what torchvision's models are to golden files, for tests that run where torchvision is missing.

``python -m tests.torchvision_goldens [names]`` writes ``tests/golden/torchvision/<name>.json``, by default for every
model of ``MODELS``. A file holds the state_dict's entries in order, each with the distribution it starts from; the
published numbers of parameters and of GMACs; MACs by torch's own counter; and the canonical graph.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tests import torchvision_import
from tests.distributions import Distribution, misfit, recorded
from tests.traced import from_module

RESNETS = (
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d",
    "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2",
)  # fmt: skip
DENSENETS = ("densenet121", "densenet161", "densenet169", "densenet201")
MODELS = RESNETS + DENSENETS

FOLDER = Path(__file__).parent / "golden" / "torchvision"
INPUT = (3, 224, 224)


def main(names: list[str]) -> None:
    torchvision_import.install()
    for name in names or MODELS:
        path = FOLDER / f"{name}.json"
        path.write_text(golden_text(name), encoding="utf-8")
        print(f"{path.name}: {path.stat().st_size // 1024} KiB")


def golden_text(name: str) -> str:
    """The golden file of a torchvision model."""
    from torchvision import models

    make = partial(models.get_model, name)
    with torch.device("meta"):
        starts = recorded(make)
        model = make()
    check_distributions(make(), starts)
    published = models.get_model_weights(name)["IMAGENET1K_V1"].meta
    facts: dict[str, object] = {
        "input": INPUT,
        "output": [*model.eval()(torch.empty(1, *INPUT, device="meta")).shape[1:]],
        "num_params": published["num_params"],
        "gmacs": published["_ops"],
        "macs": count_macs(model, INPUT),
    }
    return _layout(facts, {"state_dict": _state_rows(model, starts), "graph": _graph_rows(model)})


def count_macs(model: nn.Module, sizes: tuple[int, ...]) -> int:
    """MACs for one example on the meta device, as torch counts FLOPs: two for a MAC."""
    with FlopCounterMode(display=False) as counter:
        model.eval()(torch.empty(1, *sizes, device="meta"))
    flops: int = counter.get_total_flops()
    return flops // 2


def check_distributions(model: nn.Module, starts: dict[str, Distribution]) -> None:
    """Raises AssertionError where the model's values do not look drawn from ``starts``."""
    state = model.state_dict()
    found = {key: misfit(state[key], start) for key, start in starts.items()}
    wrong = [f"{key} {text}" for key, text in found.items() if text]
    assert not wrong, "\n".join(wrong)


def _state_rows(model: nn.Module, starts: dict[str, Distribution]) -> list[Any]:
    return [
        [key, [*tensor.shape], str(tensor.dtype).removeprefix("torch."), *starts[key]]
        for key, tensor in model.state_dict().items()
    ]


def _graph_rows(model: nn.Module) -> list[Any]:
    return [node.as_json() for node in from_module(model, INPUT)]


def _layout(facts: dict[str, object], tables: dict[str, list[Any]]) -> str:
    """JSON with a row a line, so that files are compact and differences readable."""
    entries = [f'"{name}": {json.dumps(value)}' for name, value in facts.items()]
    for name, rows in tables.items():
        lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
        entries.append(f'"{name}": [\n{lines}\n]')
    return "{\n" + ",\n".join(entries) + "\n}\n"


if __name__ == "__main__":
    main(sys.argv[1:])
