"""Running built networks and comparing what they give."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from archdsl.backends.python.python_source import to_python
from archdsl.graph.model import Graph
from cli.main import execute
from tests.backends.sample_networks import SAMPLES

each_sample = pytest.mark.parametrize("sample", SAMPLES)
Outputs = Tensor | dict[str, Tensor]
Run = Callable[..., tuple[int, str, str]]


def calls_made(function: Callable[[], object]) -> int:
    """How many functions, Python's and C's, a call leads to: a measure of work that is the same each time."""
    count = 0

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count


def captured(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """One run of ``archdsl`` in this process: its exit code, output and errors."""
    capsys.readouterr()
    code = execute(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def inputs_of(graph: Graph, batch: int = 2) -> tuple[Tensor, ...]:
    return tuple(torch.randn(batch, *node.type.sizes) for node in graph.inputs)


def equal(a: Outputs, b: Outputs) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(torch.equal(a[name], b[name]) for name in a)
    return isinstance(a, Tensor) and isinstance(b, Tensor) and torch.equal(a, b)


def seeded(module: Callable[..., Outputs], inputs: tuple[Tensor, ...]) -> Outputs:
    torch.manual_seed(0)
    return module(*inputs)


def load_python(graph: Graph) -> nn.Module:
    """The network of the generated file."""
    namespace: dict[str, object] = {"__name__": "generated"}
    exec(compile(to_python(graph), "generated.py", "exec", dont_inherit=True), namespace)
    classes = [value for value in namespace.values() if isinstance(value, type) and value.__module__ == "generated"]
    module = classes[-1]()
    assert isinstance(module, nn.Module)
    return module
