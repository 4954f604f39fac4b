"""The canonical form of torch modules, by way of ``torch.fx``. The form is described in ``canonical.py``."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional
from typing_extensions import override

from archdsl.backends.layers import DropPath
from archdsl.graph.canonical import CanonicalNode, FormArguments, FormDraft

Described = tuple[str, FormArguments]


def traced_form(module: nn.Module, input_sizes: tuple[int, ...]) -> list[CanonicalNode]:
    """The canonical form of a module on the meta device that maps one image to one tensor.

    Raises RuntimeError (NotImplementedError among them) for what has no canonical form.
    """
    traced = fx.GraphModule(module, _Tracer().trace(module))
    traced.graph.eliminate_dead_code()
    reader = _Reader(traced)
    reader.run(torch.empty(2, *input_sizes, device="meta"))
    (output,) = traced.graph.output_node().all_input_nodes
    return reader.draft.form(reader.numbers[output])


class _Tracer(fx.Tracer):
    """Stops at what one op of the language says but several calls compute."""

    @override
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, DropPath) or super().is_leaf_module(m, module_qualified_name)


class _Reader(fx.Interpreter):
    """Runs a traced module and writes down each op on the way; numbers computed from sizes become numbers."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.draft = FormDraft()
        self.numbers: dict[fx.Node, int] = {}

    @override
    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if isinstance(value, Tensor) and n.op not in ("get_attr", "output"):
            self.numbers[n] = self._read(n, tuple(value.shape[1:]))
        return value

    def _read(self, node: fx.Node, shape: tuple[int, ...]) -> int:
        if node.op == "placeholder":
            return self.draft.add(CanonicalNode("input", (), shape))
        if node.target is operator.getitem:
            return self._part(node, shape)
        if node.op == "call_module":
            return self._module(node, shape)
        args, kwargs = fx.map_arg((node.args, node.kwargs), self._argument)
        if node.target in _REARRANGEMENTS:
            return _REARRANGEMENTS[node.target](self.draft, *args, **kwargs)
        if isinstance(args[0], ParameterPath):
            return self._scale(node, args[0], shape)
        op, arguments = _call(node.target)(*args, **kwargs)
        return self.draft.add(CanonicalNode(op, self._inputs(node), shape, arguments=arguments))

    def _argument(self, node: fx.Node) -> Any:
        """What a call gets: the number of a tensor, the path of a parameter, or another value as it is."""
        if node in self.numbers:
            return TensorNumber(self.numbers[node])
        return ParameterPath(node.target) if node.op == "get_attr" else self.env[node]

    def _inputs(self, node: fx.Node) -> tuple[int, ...]:
        """Tensors in order, as often as they are used (``all_input_nodes`` gives each once)."""
        operands: list[fx.Node] = []
        fx.map_arg((node.args, node.kwargs), operands.append)
        if any(isinstance(self.env.get(operand), (list, tuple)) for operand in operands):
            raise NotImplementedError(f"no canonical form for {node.target} of several tensors at once")
        return tuple(self.numbers[operand] for operand in operands if operand in self.numbers)

    def _module(self, node: fx.Node, shape: tuple[int, ...]) -> int:
        submodule = self.fetch_attr(str(node.target))
        if isinstance(submodule, nn.ChannelShuffle):
            return self.draft.channel_shuffle(self._inputs(node)[0], submodule.groups)
        path = str(node.target) if any(True for _ in submodule.parameters()) else ""
        op, arguments = _MODULES[type(submodule)](submodule)
        return self.draft.add(CanonicalNode(op, self._inputs(node), shape, path, arguments))

    def _part(self, node: fx.Node, shape: tuple[int, ...]) -> int:
        """One of the tensors that a chunk makes."""
        whole, index = node.args
        assert isinstance(whole, fx.Node)
        arguments = _CHUNKS[whole.target](index, *whole.args, **whole.kwargs)
        return self.draft.add(CanonicalNode("chunk", self._inputs(whole), shape, arguments=arguments))

    def _scale(self, node: fx.Node, factor: ParameterPath, shape: tuple[int, ...]) -> int:
        """A parameter times a tensor."""
        if node.target not in (torch.mul, operator.mul):
            raise NotImplementedError(f"no canonical form for {node.target} of a parameter")
        return self.draft.add(CanonicalNode("scale", self._inputs(node), shape, str(factor)))


class ParameterPath(str):
    """The path of a parameter that a call reads by itself."""

    __slots__ = ()


class TensorNumber(int):
    """The number of a tensor that a call reads, as opposed to a number that it computes with."""


# ---- modules and calls that are one op -----------------------------------------------------------


def _pair(value: Any) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


def _conv(module: Any) -> Described:
    window = {name: _pair(getattr(module, name)) for name in ("kernel_size", "stride", "padding", "dilation")}
    names = ("in_channels", "out_channels", "groups", "padding_mode")
    return "conv", {**{n: getattr(module, n) for n in names}, **window, "bias": module.bias is not None}


def _bn(module: Any) -> Described:
    names = ("eps", "momentum", "affine", "track_running_stats")
    return "bn", {"channels": module.num_features, **{name: getattr(module, name) for name in names}}


def _ln(module: Any) -> Described:
    _check_norm_axes(module.normalized_shape)
    return "ln", {"eps": module.eps, "affine": module.elementwise_affine, "bias": module.bias is not None}


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
    _check_tensors("sum", left, right)
    if alpha != 1:
        raise NotImplementedError("no canonical form for a scaled sum")
    return "add", {}


def _mul(left: Any, right: Any) -> Described:
    _check_tensors("product", left, right)
    return "mul", {}


def _check_tensors(what: str, *operands: Any) -> None:
    if not all(isinstance(operand, TensorNumber) for operand in operands):
        raise NotImplementedError(f"no canonical form for a {what} of {operands}")


def _concat(tensors: Any, dim: int = 0) -> Described:
    if dim != 1:
        raise NotImplementedError(f"no canonical form for a concatenation along axis {dim}")
    return "concat", {}


def _chunk(index: Any, tensor: Any, chunks: Any, dim: Any = 0) -> FormArguments:
    if dim != 1:
        raise NotImplementedError(f"no canonical form for chunks of axis {dim}")
    return {"chunks": chunks, "index": index}


def _stochastic_depth(tensor: Any, p: float, mode: str, training: bool = True) -> Described:
    return "drop_path", {"p": p, "mode": mode}


def _call(target: Any) -> Callable[..., Described]:
    """torchvision's stochastic depth is known by its name, as archdsl does not import torchvision."""
    if getattr(target, "__module__", "") == "torchvision.ops.stochastic_depth":
        return _stochastic_depth
    return _CALLS[target]


def _pointwise(op: str) -> Callable[..., Described]:
    """An op without hyper-parameters, by a module or a call."""
    return lambda *args, **kwargs: (op, {})


_MODULES: dict[type[nn.Module], Callable[[Any], Described]] = {
    nn.Conv2d: _conv,
    nn.BatchNorm2d: _bn,
    nn.LayerNorm: _ln,
    nn.Linear: _linear,
    nn.MaxPool2d: _maxpool,
    nn.AvgPool2d: _avgpool,
    nn.AdaptiveAvgPool2d: lambda module: _adaptive_avgpool(module.output_size),
    nn.ReLU: _pointwise("relu"),
    nn.ReLU6: _pointwise("relu6"),
    nn.SiLU: _pointwise("silu"),
    nn.Sigmoid: _pointwise("sigmoid"),
    nn.Hardswish: _pointwise("hardswish"),
    nn.Hardsigmoid: _pointwise("hardsigmoid"),
    nn.GELU: lambda module: ("gelu", {"approximate": module.approximate}),
    nn.Identity: _pointwise("identity"),
    nn.Flatten: lambda module: _flatten(module.start_dim, module.end_dim),
    nn.Dropout: lambda module: ("dropout", {"p": module.p}),
    DropPath: lambda module: ("drop_path", {"p": module.p, "mode": module.mode}),
}

_CALLS: dict[Any, Callable[..., Described]] = {
    torch.flatten: lambda tensor, start_dim=0, end_dim=-1: _flatten(start_dim, end_dim),
    "flatten": lambda tensor, start_dim=0, end_dim=-1: _flatten(start_dim, end_dim),
    "contiguous": _pointwise("identity"),
    functional.relu: _pointwise("relu"),
    functional.adaptive_avg_pool2d: lambda tensor, output_size: _adaptive_avgpool(output_size),
    functional.avg_pool2d: lambda tensor, *args, **kwargs: _avgpool(nn.AvgPool2d(*args, **kwargs)),
    functional.max_pool2d: lambda tensor, *args, **kwargs: _maxpool(nn.MaxPool2d(*args, **kwargs)),
    torch.cat: _concat,
    torch.add: _add,
    operator.add: _add,
    operator.iadd: _add,
    torch.mul: _mul,
    operator.mul: _mul,
}

_CHUNKS: dict[Any, Callable[..., FormArguments]] = {torch.chunk: _chunk, "chunk": _chunk}
"""Calls that make several tensors, of which each is an op."""


# ---- calls that move elements, and what is made of other ops -------------------------------------


def _permute(draft: FormDraft, x: int, *axes: Any) -> int:
    """Axes as torch counts them, as one list or one by one."""
    order = _listed(axes)
    if order[0] != 0:
        raise NotImplementedError(f"no canonical form for permute{tuple(order)}, which moves the batch")
    return draft.permute(x, [axis - 1 for axis in order[1:]])


def _transpose(draft: FormDraft, x: int, one: int, other: int) -> int:
    axes = [*range(len(draft.nodes[x].shape) + 1)]
    axes[one], axes[other] = axes[other], axes[one]
    return _permute(draft, x, axes)


def _view(draft: FormDraft, x: int, *sizes: Any) -> int:
    """The first size is the batch's."""
    return draft.reshape(x, _listed(sizes)[1:])


def _mean(draft: FormDraft, x: int, axes: Sequence[int]) -> int:
    if sorted(axes) != [2, 3]:
        raise NotImplementedError(f"no canonical form for the mean over {axes}")
    return draft.spatial_mean(x)


def _layer_norm(draft: FormDraft, x: int, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> int:
    _check_norm_axes(shape)
    path = weight.rpartition(".")[0] if weight is not None else ""
    return draft.layer_norm(x, path, {"eps": eps, "affine": weight is not None, "bias": bias is not None})


def _check_norm_axes(shape: Sequence[int]) -> None:
    if len(shape) != 1:
        raise NotImplementedError(f"no canonical form for a layer norm over {shape}")


def _listed(values: tuple[Any, ...]) -> list[int]:
    return list(values if isinstance(values[0], int) else values[0])


_REARRANGEMENTS: dict[Any, Callable[..., int]] = {
    torch.permute: _permute,
    "permute": _permute,
    torch.transpose: _transpose,
    "transpose": _transpose,
    "view": _view,
    "mean": _mean,
    functional.layer_norm: _layer_norm,
}
"""By function or method."""
