"""Making the module: ours from the Graph against torchvision's constructor.

``python -m benchmarks construct`` takes a few networks, with initialisation and without; ``python -m
benchmarks.construct [name ...]`` takes every bundled one, or those named, with initialisation.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from functools import partial

from torch import nn

import archdsl
from archdsl.backends.torch.fx import to_graph_module
from archdsl.graph.model import Graph
from benchmarks.measure import alternate, table, timed
from tests.zoo import torchvision_import
from tests.zoo.zoo_models import initialised

torchvision_import.install()
import torchvision  # noqa: E402

MODELS = ("resnet50", "resnet152", "wide_resnet101_2", "densenet121", "densenet201")
ROUNDS = 11
SECONDS = 3.0
"""About how long torchvision's constructor runs in all, of each of ``every``: in 3 to ``ROUNDS`` rounds."""

HEADER = ("network", "ours", "ours", "torchvision", "ours / torchvision")


def main() -> None:
    rows = []
    for name in MODELS:
        rows.append([name, "initialised", *_compared(name, to_graph_module, ROUNDS)])
        rows.append([name, "initialised, with its code", *_compared(name, _with_code, ROUNDS)])
        rows.append([name, "init=False", *_compared(name, partial(to_graph_module, init=False), ROUNDS)])
    table(HEADER, rows)


def _with_code(graph: Graph) -> str:
    """The module and what it defers until its first call: fx graph, Python code and the compiling of it."""
    return to_graph_module(graph).code


def every(names: list[str]) -> None:
    """The networks of these names, by default all that torchvision has as well: a row each, by falling ratio."""
    rows = []
    for name in names or sorted(set(archdsl.bundled()) & set(torchvision.models.list_models(torchvision.models))):
        rounds = max(3, min(ROUNDS, int(SECONDS / timed(_constructor(name)))))
        rows.append([name, "initialised", *_compared(name, to_graph_module, rounds)])
        print(f"{name}: {rows[-1][-1]}", file=sys.stderr, flush=True)
    table(HEADER, sorted(rows, key=lambda row: -float(row[-1])))


def _compared(name: str, make: Callable[[Graph], object], rounds: int) -> list[str]:
    graph = archdsl.load(name)
    gc.collect()
    ours, theirs, ratio = alternate(partial(make, graph), _constructor(name), rounds)
    return [f"{1e3 * ours:.0f} ms", f"{1e3 * theirs:.0f} ms", f"{ratio:.2f}"]


def _constructor(name: str) -> Callable[[], nn.Module]:
    return partial(getattr(torchvision.models, name), **initialised(name, True))


if __name__ == "__main__":
    every(sys.argv[1:])
