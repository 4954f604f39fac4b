"""Writes what torchvision's models are to golden files, for tests that run where torchvision is missing.

``python -m tests.zoo.torchvision_goldens [names]`` writes ``tests/golden/torchvision/<name>.json``, by default for all
of ``GOLDENS``. A file holds the state_dict's entries in order, each with the distribution it starts from; the
published numbers of parameters and of GMACs; MACs by torch's own counter; and, for a convolutional network, the
canonical graph.
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

from archdsl.backends.torch.traced import traced_form
from tests.backends.distributions import Distribution, misfit, recorded
from tests.zoo import torchvision_import
from tests.zoo.zoo_models import DENSENETS, MODELS, RESNETS, initialised

GOLDENS = (
    *RESNETS, *DENSENETS, "alexnet", "vgg11_bn", "squeezenet1_1", "googlenet", "inception_v3", "mobilenet_v2",
    "mobilenet_v3_small", "mnasnet0_5", "shufflenet_v2_x0_5", "efficientnet_b0", "regnet_x_400mf", "regnet_y_400mf",
    "convnext_tiny", "vit_b_32",
)  # fmt: skip
"""Of the first families all, of later ones a small one each, unless its file is large."""

FOLDER = Path(__file__).parents[1] / "golden" / "torchvision"


def main(names: list[str]) -> None:
    torchvision_import.install()
    for name in names or GOLDENS:
        path = FOLDER / f"{name}.json"
        path.write_text(golden_text(name), encoding="utf-8")
        print(f"{path.name}: {path.stat().st_size // 1024} KiB")


def golden_text(name: str) -> str:
    """The golden file of a torchvision model."""
    from torchvision import models

    settings = dict(MODELS[name].published_settings)
    model, starts = recorded(partial(models.get_model, name, **settings, **initialised(name, True)))
    check_distributions(model, starts)
    model.to("meta")
    sizes = (3, MODELS[name].evaluated, MODELS[name].evaluated)
    published = models.get_model_weights(name)["IMAGENET1K_V1"].meta
    facts: dict[str, object] = {
        "input": sizes,
        "output": [*model.eval()(torch.empty(1, *sizes, device="meta")).shape[1:]],
        "num_params": published["num_params"],
        "gmacs": published["_ops"],
        "macs": count_macs(model, sizes),
    }
    if settings:
        facts["settings"] = settings
    tables: dict[str, list[Any]] = {"state_dict": _state_rows(model, starts)}
    if MODELS[name].convolutional:
        tables["graph"] = [node.as_json() for node in traced_form(model, sizes)]
    return _layout(facts, tables)


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


def _layout(facts: dict[str, object], tables: dict[str, list[Any]]) -> str:
    """JSON with a row a line, so that files are compact and differences readable."""
    entries = [f'"{name}": {json.dumps(value)}' for name, value in facts.items()]
    for name, rows in tables.items():
        lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
        entries.append(f'"{name}": [\n{lines}\n]')
    return "{\n" + ",\n".join(entries) + "\n}\n"


if __name__ == "__main__":
    main(sys.argv[1:])
