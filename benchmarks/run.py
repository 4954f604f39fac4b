"""Inference of the built module against torchvision's eager module, with the same weights."""

from __future__ import annotations

import torch

import archdsl
from benchmarks.measure import alternate, table
from tests.zoo import torchvision_import

torchvision_import.install()
import torchvision  # noqa: E402

MODELS = ("resnet50", "densenet121")
ROUNDS = {1: 60, 8: 20}


def main() -> None:
    rows = []
    for name in MODELS:
        theirs = getattr(torchvision.models, name)().eval()
        ours = archdsl.build(name, init=False).eval()
        ours.load_state_dict(theirs.state_dict())
        for batch, rounds in ROUNDS.items():
            images = torch.randn(batch, 3, 224, 224)
            with torch.inference_mode():
                ours(images), theirs(images)
                found = alternate(lambda: ours(images), lambda: theirs(images), rounds)  # noqa: B023
            rows.append([name, str(batch), *(f"{1e3 * seconds:.0f} ms" for seconds in found[:2]), f"{found[2]:.3f}"])
    table(["network", "batch", "ours", "torchvision", "ours / torchvision"], rows)
