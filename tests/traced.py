"""The canonical form of torch modules, by way of ``torch.fx``. The form is described in ``canonical.py``."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp
from torch.nn import functional

from tests.canonical import Arguments, CanonicalNode, canonical_form

Described = tuple[str, Arguments]


def from_module(module: nn.Module, input_sizes: tuple[int, ...]) -> list[CanonicalNode]:
    """The canonical form of a module on the meta device that maps one image to one tensor."""
    traced = fx.symbolic_trace(module)
    ShapeProp(traced).propagate(torch.empty(2, *input_sizes, device="meta"))
    numbers = {node: number for number, node in enumerate(traced.graph.nodes)}
    nodes = {numbers[node]: _from_node(traced, node, numbers) for node in numbers if node.op != "output"}
    (output,) = traced.graph.output_node().all_input_nodes
    return canonical_form(nodes, numbers[output])


def _from_node(module: fx.GraphModule, node: fx.Node, numbers: dict[fx.Node, int]) -> CanonicalNode:
    path = ""
    if node.op == "placeholder":
        op, arguments = "input", Arguments()
    elif node.op == "call_module":
        submodule = module.get_submodule(str(node.target))
        op, arguments = _MODULES[type(submodule)](submodule)
        path = str(node.target) if any(True for _ in submodule.parameters()) else ""
    else:
        op, arguments = _CALLS[node.target](*node.args, **node.kwargs)
    inputs = tuple(numbers[operand] for operand in _operands(node))
    return CanonicalNode(op, inputs, tuple(node.meta["tensor_meta"].shape[1:]), path, arguments)


def _operands(node: fx.Node) -> list[fx.Node]:
    """Input nodes in order, as often as they are used (``all_input_nodes`` gives each once)."""
    operands: list[fx.Node] = []
    fx.map_arg((node.args, node.kwargs), operands.append)
    return operands


def _pair(value: Any) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


def _conv(module: Any) -> Described:
    window = {name: _pair(getattr(module, name)) for name in ("kernel_size", "stride", "padding", "dilation")}
    names = ("in_channels", "out_channels", "groups", "padding_mode")
    return "conv", {**{n: getattr(module, n) for n in names}, **window, "bias": module.bias is not None}


def _bn(module: Any) -> Described:
    names = ("eps", "momentum", "affine", "track_running_stats")
    return "bn", {"channels": module.num_features, **{name: getattr(module, name) for name in names}}


def _linear(module: Any) -> Described:
    features = {"in_features": module.in_features, "out_features": module.out_features}
    return "linear", {**features, "bias": module.bias is not None}


def _maxpool(module: Any) -> Described:
    window = {name: _pair(getattr(module, name)) for name in ("kernel_size", "stride", "padding", "dilation")}
    return "maxpool", {**window, "ceil": module.ceil_mode}


def _avgpool(module: Any) -> Described:
    window = {name: _pair(getattr(module, name)) for name in ("kernel_size", "stride", "padding")}
    return "avgpool", {**window, "ceil": module.ceil_mode, "count_include_pad": module.count_include_pad}


def _adaptive_avgpool(size: Any) -> Described:
    return ("global_avgpool", {}) if _pair(size) == [1, 1] else ("adaptive_avgpool", {"output_size": _pair(size)})


def _flatten(start: int, end: int) -> Described:
    if (start, end) != (1, -1):
        raise NotImplementedError(f"no canonical form for flatten({start}, {end})")
    return "flatten", {}


def _add(left: Any, right: Any, *, alpha: int = 1) -> Described:
    if alpha != 1:
        raise NotImplementedError("no canonical form for a scaled sum")
    return "add", {}


def _concat(tensors: Any, dim: int = 0) -> Described:
    if dim != 1:
        raise NotImplementedError(f"no canonical form for a concatenation along axis {dim}")
    return "concat", {}


_MODULES: dict[type[nn.Module], Callable[[Any], Described]] = {
    nn.Conv2d: _conv,
    nn.BatchNorm2d: _bn,
    nn.Linear: _linear,
    nn.MaxPool2d: _maxpool,
    nn.AvgPool2d: _avgpool,
    nn.AdaptiveAvgPool2d: lambda module: _adaptive_avgpool(module.output_size),
    nn.ReLU: lambda module: ("relu", {}),
    nn.Identity: lambda module: ("identity", {}),
    nn.Flatten: lambda module: _flatten(module.start_dim, module.end_dim),
    nn.Dropout: lambda module: ("dropout", {"p": module.p}),
}

_CALLS: dict[Any, Callable[..., Described]] = {
    torch.flatten: lambda tensor, start_dim=0, end_dim=-1: _flatten(start_dim, end_dim),
    functional.relu: lambda tensor, inplace=False: ("relu", {}),
    functional.adaptive_avg_pool2d: lambda tensor, output_size: _adaptive_avgpool(output_size),
    functional.avg_pool2d: lambda tensor, *args, **kwargs: _avgpool(nn.AvgPool2d(*args, **kwargs)),
    functional.max_pool2d: lambda tensor, *args, **kwargs: _maxpool(nn.MaxPool2d(*args, **kwargs)),
    torch.cat: _concat,
    torch.add: _add,
    operator.add: _add,
    operator.iadd: _add,
}
