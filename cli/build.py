"""``archdsl build``: from a spec to a module that has run once, and to an artifact."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from archdsl.base.wording import quoted
from archdsl.boundary.files import check_writable
from archdsl.boundary.formats import check_format
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError

from .options import FileOptions, InputOption, SetOption, SpecArgument, grouped
from .output import report, say
from .progress import progress

if TYPE_CHECKING:
    import torch
    from torch.fx import GraphModule

    from archdsl.graph.model import Graph

Result = TypeVar("Result")


class Device(StrEnum):
    """Where the model is built and run."""

    CPU = "cpu"
    CUDA = "cuda"


@grouped
def build(
    spec: SpecArgument,
    *,
    set_: SetOption = None,
    input: InputOption = None,
    file: FileOptions,
    device: Annotated[Device, typer.Option("--device", help="Where to build and run it.")] = Device.CPU,
    weights: Annotated[
        Path | None, typer.Option("--weights", metavar="FILE", help="Load a checkpoint: .pth, .pt or .safetensors.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write it: .py, .pt2, .onnx, .safetensors or .json."),
    ] = None,
) -> None:
    """Build a network, run it once, and write it to a file."""
    request = file.request(spec, input, set_)
    if output is not None:
        check_format(output)
        check_writable(output)
    with progress() as show:
        timer = _Timer(show)
        graph = timer.run("compile", request.graph)
        report(graph.diagnostics)
        timer.run("import torch", lambda: _require(device))
        module = timer.run("lower", lambda: _lowered(graph, device, weights))
        timer.run("forward pass", lambda: run_once(graph, module, device))
        if output is not None:
            timer.run("write", lambda: _write(graph, module, output))
    say(_summary(graph, device, timer, output))


def _require(device: Device) -> None:
    from archdsl.backends.torch.devices import usable_device

    usable_device(device.value)


def _lowered(graph: Graph, device: Device, weights: Path | None) -> GraphModule:
    from archdsl.backends.torch.fx import to_graph_module

    module = to_graph_module(graph, init=weights is None, device=device.value)
    if weights is not None:
        from archdsl.weights.read import load_weights

        load_weights(module, weights)
    return module


def run_once(graph: Graph, module: GraphModule, device: Device) -> None:
    """One forward pass in eval mode, batch 1. Raises RuntimeError if a shape is not what the graph promised: a bug.

    With ops of the user's own it is theirs: ArchError E702.
    """
    kinds = quoted(sorted({node.op.kind for node in graph.nodes if node.op.is_user_op}))
    try:
        _run_once(graph, module, device)
    except Exception as error:
        if not kinds:
            raise
        message = f"the network does not run, which has the op {kinds}: {type(error).__name__}: {error}"
        raise ArchError(Diagnostic("E702", message)) from error


def _run_once(graph: Graph, module: GraphModule, device: Device) -> None:
    import torch

    from archdsl.backends.export import example_inputs

    module.eval()
    with torch.no_grad():
        result = module(*example_inputs(graph, 1, device.value))
    expected = [output for output in graph.outputs if not output.auxiliary]
    found: list[torch.Tensor] = list(result.values()) if isinstance(result, dict) else [result]
    for output, tensor in zip(expected, found, strict=True):
        promised = graph.nodes[output.node].type
        if tuple(tensor.shape[1:]) != promised.sizes:
            raise RuntimeError(f"output {output.name} has shape {tuple(tensor.shape[1:])}, expected {promised}")


def _write(graph: Graph, module: GraphModule, output: Path) -> None:
    from archdsl.backends.export import export

    export(graph, module, output)


class _Timer:
    """Runs steps one after another, shows which one runs, and keeps how long each took."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self.seconds: dict[str, float] = {}

    def run(self, step: str, action: Callable[[], Result]) -> Result:
        """The action's result; its time is kept under the step's name."""
        self._show(step)
        start = time.perf_counter()
        result = action()
        self.seconds[step] = time.perf_counter() - start
        return result


def _imported(graph: Graph, output: Path) -> list[str]:
    """The user's modules that a Python file needs beside it, and why."""
    if output.suffix != ".py":
        return []
    from archdsl.backends.python.source_user import user_code

    return [f"{module}, as {'; '.join(reasons)}" for module, reasons in user_code(graph).left.items()]


def _summary(graph: Graph, device: Device, timer: _Timer, output: Path | None) -> str:
    from archdsl.views.analyses import Analyses
    from archdsl.views.forms.text_form import totals_text
    from archdsl.views.totals import total_lines

    settings = ", ".join(f"{name} = {value}" for name, value in graph.settings.items())
    times = ", ".join(f"{step} {seconds:.2f} s" for step, seconds in timer.seconds.items())
    lines = [*total_lines(Analyses(graph)), ("device", device.value), ("time", times)]
    if output is not None:
        lines.append(("wrote", f"{output} ({output.stat().st_size:,} bytes)"))
        lines += [("imports", text) for text in _imported(graph, output)]
    return f"{graph.name}({settings})\n{indent(totals_text(lines), '  ')}"
