"""Artifacts: one writer a format, each file written whole or not at all."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from archdsl.backends.python.python_source import to_python
from archdsl.base.wording import quoted
from archdsl.boundary.files import atomic_path
from archdsl.boundary.formats import check_format
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError
from archdsl.graph.model import Graph


def export(graph: Graph, module: nn.Module, path: str | os.PathLike[str]) -> None:
    """Write ``graph``, built as ``module``, in the format of ``path``'s suffix (see ``WRITERS``).

    ``.pt2`` and ``.onnx`` hold the network in eval mode and take any batch size; ``module`` keeps its mode.
    Raises ArchError: E605 for an unknown suffix, E603 where the file cannot be written, E606 for a network that
    the format cannot hold, E607 where a package that writes the format is not installed, E702 where torch cannot write
    a network with ops of the user's own.
    """
    suffix = check_format(path)
    with atomic_path(path) as temporary:
        try:
            WRITERS[suffix](graph, module, temporary)
        except (ArchError, OSError):
            raise
        except Exception as error:
            kinds = quoted(sorted({node.op.kind for node in graph.nodes if node.op.is_user_op}))
            if not kinds:
                raise
            what = f"the network cannot be written as `{suffix}`, which has the op {kinds}"
            raise ArchError(Diagnostic("E702", f"{what}: {type(error).__name__}: {_first_line(error)}")) from error


def example_inputs(graph: Graph, batch: int, device: torch.device | str = "cpu") -> tuple[Tensor, ...]:
    """Random inputs of the network's declared sizes, in order: a tensor ``batch x sizes`` each."""
    return tuple(torch.randn(batch, *node.type.sizes, device=device) for node in graph.inputs)


def _write_python(graph: Graph, module: nn.Module, path: Path) -> None:
    path.write_text(to_python(graph), encoding="utf-8")


def _write_json(graph: Graph, module: nn.Module, path: Path) -> None:
    path.write_text(graph.to_json(), encoding="utf-8")


def _write_safetensors(graph: Graph, module: nn.Module, path: Path) -> None:
    from safetensors.torch import save_file

    state = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    save_file(state, path, metadata={"format": "pt", "network": graph.name})


def _write_exported(graph: Graph, module: nn.Module, path: Path) -> None:
    inputs, shapes = _any_batch(graph, module)
    with _in_eval_mode(module):
        torch.export.save(torch.export.export(module, inputs, dynamic_shapes=shapes), path)


def _write_onnx(graph: Graph, module: nn.Module, path: Path) -> None:
    inputs, shapes = _any_batch(graph, module)
    with _in_eval_mode(module), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, about its dependencies
        try:
            program = torch.onnx.export(
                module,
                inputs,
                dynamic_shapes=shapes,
                input_names=[node.path for node in graph.inputs],
                output_names=[output.name for output in graph.outputs if not output.auxiliary],
                dynamo=True,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            raise _not_held(graph, error) from error
    assert program is not None
    program.save(path)


def _not_held(graph: Graph, error: Exception) -> ArchError:
    reason = next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
    return ArchError(Diagnostic("E606", f"`{graph.name}` cannot be written as ONNX: {reason}"))


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "")


def _any_batch(graph: Graph, module: nn.Module) -> tuple[tuple[Tensor, ...], tuple[dict[int, Any], ...]]:
    """Example inputs and, for each, that its batch may be of any size."""
    device = next((tensor.device for tensor in module.state_dict().values()), torch.device("cpu"))
    inputs = example_inputs(graph, 2, device)
    batch = torch.export.Dim("batch")
    return inputs, tuple({0: batch} for _ in inputs)


@contextmanager
def _in_eval_mode(module: nn.Module) -> Iterator[None]:
    training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(training)


WRITERS: dict[str, Callable[[Graph, nn.Module, Path], None]] = {
    ".py": _write_python,
    ".pt2": _write_exported,
    ".onnx": _write_onnx,
    ".safetensors": _write_safetensors,
    ".json": _write_json,
}
"""Readable Python, torch.export, ONNX, the weights alone, the graph."""
