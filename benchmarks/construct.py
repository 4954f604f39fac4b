"""Making the module: ours from the Graph against torchvision's constructor."""

from __future__ import annotations

import gc

import archdsl
from archdsl.backends.fx import to_graph_module
from benchmarks.measure import alternate, table
from tests import torchvision_import

torchvision_import.install()
import torchvision  # noqa: E402

MODELS = ("resnet50", "resnet152", "wide_resnet101_2", "densenet121", "densenet201")
ROUNDS = 11


def main() -> None:
    rows = []
    for name in MODELS:
        graph = archdsl.load(name)
        make = getattr(torchvision.models, name)
        for title, init in (("initialised", True), ("init=False", False)):
            gc.collect()
            ours, theirs, ratio = alternate(lambda g=graph, i=init: to_graph_module(g, init=i), make, ROUNDS)  # type: ignore[misc]
            rows.append([name, title, f"{1e3 * ours:.0f} ms", f"{1e3 * theirs:.0f} ms", f"{ratio:.2f}"])
    table(["network", "ours", "ours", "torchvision", "ours / torchvision"], rows)
