"""Why tools that count MACs differ from archdsl: computed from what a network calls, apart from the tools."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from unittest import mock

import numpy
from torch import Tensor
from torch.overrides import TorchFunctionMode
from typing_extensions import override

from benchmarks.counters import TOOLS, image, network, torchinfo_by_class


@dataclass(frozen=True)
class Call:
    """One call of a function that some tool counts.

    ``owner`` is the class of the module that makes the call. ``macs`` are its products, ``products`` the part of them
    that has no weights. ``bias`` are the elements that a bias is added to, ``read`` and ``made`` those of input and
    output, ``softmax`` those of an attention's softmax. ``printed`` are an einsum's MACs by the four digits that
    ``numpy.einsum_path`` prints.
    """

    kind: str
    owner: str
    macs: int = 0
    bias: int = 0
    read: int = 0
    made: int = 0
    products: int = 0
    softmax: int = 0
    printed: int = 0


class Cause(NamedTuple):
    """Why a tool differs from archdsl: how many MACs it counts more for a call, or fewer."""

    text: str
    more: Callable[[Call], int]


# ---- what a network calls ------------------------------------------------------------------------


def calls_of(name: str) -> list[Call]:
    """Every call of the network's forward pass that some tool counts, by torch's own hooks."""
    model = network(name)
    owners: list[str] = [type(model).__name__]

    def leave(*_: object) -> None:
        owners.pop()

    for module in model.modules():
        module.register_forward_pre_hook(lambda module, _: owners.append(type(module).__name__))
        module.register_forward_hook(leave)
    recorder = _Recorder(owners)
    with recorder, mock.patch.object(Tensor, "matmul", recorder.by_name(Tensor.matmul)):
        model(image(name))
    return recorder.calls


class _Recorder(TorchFunctionMode):
    def __init__(self, owners: list[str]) -> None:
        super().__init__()
        self.owners = owners
        self.calls: list[Call] = []
        self.named = False

    def by_name(self, method: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """``Tensor.matmul``, which tools can replace; ``@`` reaches the same function past that name."""

        def matmul(*factors: Tensor) -> Tensor:
            self.named = True
            return method(*factors)

        return matmul

    @override
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kind = getattr(func, "__name__", "")
        if kind == "matmul" and not self.named:
            kind = "@"
        made = func(*args, **(kwargs or {}))
        self.named = False
        if kind in _READ:
            self.calls.append(Call(kind, self.owners[-1], **_READ[kind](made, *args, **(kwargs or {}))))
        return made


def _weighted(made: Tensor, read: Tensor, weight: Tensor, bias: Tensor | None = None, *_: Any) -> dict[str, int]:
    """A convolution or linear layer: every output element is as many products as its filter has elements."""
    return {
        "macs": made.numel() * weight[0].numel(),
        "bias": 0 if bias is None else made.numel(),
        "read": read.numel(),
        "made": made.numel(),
    }


def _elementwise(made: Tensor, read: Tensor, *_: Any, **__: Any) -> dict[str, int]:
    return {"read": read.numel(), "made": made.numel()}


def _product(made: Tensor, left: Tensor, *_: Any) -> dict[str, int]:
    macs = made.numel() * left.shape[-1]
    return {"macs": macs, "products": macs}


def _einsum(made: Tensor, equation: str, *factors: Tensor) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for names, factor in zip(equation.replace(" ", "").partition("->")[0].split(","), factors, strict=True):
        sizes.update(zip(names, factor.shape, strict=True))
    told = numpy.einsum_path(equation.replace(" ", ""), *[numpy.zeros(factor.shape) for factor in factors])[1]
    (flops,) = (line.split(":")[-1] for line in told.splitlines() if "optimized flop" in line.lower())
    macs = math.prod(sizes.values())
    return {"macs": macs, "products": macs, "printed": int(float(flops) / 2)}


def _attention(made: tuple[Tensor, Tensor | None], query: Tensor, *others: Any, **_: Any) -> dict[str, int]:
    """Self-attention: four projections, and the products of queries with keys and of weights with values."""
    heads = others[3]
    tokens, width = query.shape[0] * query.shape[1], query.shape[2]
    length = query.shape[0]  # batches stand second, of one image here
    products = 2 * length * length * width
    return {
        "macs": 4 * tokens * width**2 + products,
        "products": products,
        "bias": 4 * tokens * width,
        "made": tokens * width,
        "softmax": heads * length**2,
    }


_READ: Mapping[str, Callable[..., dict[str, int]]] = {
    "conv2d": _weighted,
    "linear": _weighted,
    "matmul": _product,
    "@": _product,
    "einsum": _einsum,
    "multi_head_attention_forward": _attention,
    **dict.fromkeys(
        (
            "batch_norm",
            "layer_norm",
            "relu",
            "hardtanh",
            "gelu",
            "silu",
            "softmax",
            "adaptive_avg_pool2d",
            "avg_pool2d",
            "max_pool2d",
        ),
        _elementwise,
    ),
}


# ---- causes --------------------------------------------------------------------------------------


def _of(kinds: str, amount: Callable[[Call], int], owner: str = "") -> Callable[[Call], int]:
    """``amount`` for the calls of these kinds, made by modules of these classes where any are named."""
    kind_names, owners = kinds.split(), owner.split()
    return lambda call: amount(call) if call.kind in kind_names and (not owners or call.owner in owners) else 0


def _functions(call: Call) -> int:
    """Linear layers that no nn.Linear computes."""
    return -call.macs if call.kind == "linear" and call.owner != "Linear" else 0


def _twice(call: Call) -> int:
    """Activations that ptflops counts as a function, and again where they are one of its modules."""
    is_function = call.kind in ("relu", "gelu", "silu")
    return call.made * (is_function + (call.owner in ("ReLU", "ReLU6", "GELU") and call.kind in _ACTIVATIONS))


def _pooled(call: Call) -> int:
    return call.read * (1 + call.owner.endswith("Pool2d")) if call.kind.endswith("pool2d") else 0


_ACTIVATIONS = ("relu", "gelu", "silu", "hardtanh")
_ATTENTION = "multi_head_attention_forward"

CAUSES: Mapping[str, Sequence[Cause]] = {
    "fvcore": (
        Cause("batch norm counts, two for each element", _of("batch_norm", lambda call: 2 * call.read)),
        Cause("layer norm counts, five for each element", _of("layer_norm", lambda call: 5 * call.read)),
        Cause("adaptive average pooling counts, one for each element", _of("adaptive_avg_pool2d", lambda c: c.read)),
        Cause("`scaled_dot_product_attention` is not counted", _of(_ATTENTION, lambda call: -call.products)),
        Cause(
            "`einsum` is counted by the four digits that numpy prints of its FLOPs",
            _of("einsum", lambda call: call.printed - call.macs),
        ),
    ),
    "ptflops": (
        Cause("adding a bias counts", _of("conv2d linear", lambda call: call.bias, "Conv2d Linear")),
        Cause("batch norm counts, two for each element", _of("batch_norm", lambda call: 2 * call.read)),
        Cause(
            "`nn.LayerNorm` counts, one for each element; subclasses do not",
            _of("layer_norm", lambda call: call.read, "LayerNorm"),
        ),
        Cause("ReLU, ReLU6, GELU and SiLU count, the modules of ReLU and GELU twice", _twice),
        Cause("pooling counts what it reads, modules twice", _pooled),
        Cause("softmax counts, one for each element", _of("softmax", lambda call: call.read)),
        Cause(
            "in `nn.MultiheadAttention` biases, softmax and the scaling of queries count",
            _of(_ATTENTION, lambda call: call.bias + call.softmax + call.made),
        ),
        Cause("linear layers that call `F.linear` from another module are not counted", _functions),
        Cause("`einsum` and the operator `@` are not counted", _of("einsum @", lambda call: -call.macs)),
    ),
    "ptflops aten": (
        Cause("adding a bias counts", _of(f"conv2d linear {_ATTENTION}", lambda call: call.bias)),
        Cause("`scaled_dot_product_attention` is not counted", _of(_ATTENTION, lambda call: -call.products)),
    ),
    "thop": (
        Cause(
            "batch norm and `nn.LayerNorm` count, four for each element",
            _of("batch_norm layer_norm", lambda call: 4 * call.read, "BatchNorm2d LayerNorm"),
        ),
        Cause(
            "the modules of average pooling count",
            lambda call: {
                "AvgPool2d": call.made,
                "AdaptiveAvgPool2d": call.read + call.made,
            }.get(call.owner, 0),
        ),
        Cause("`nn.MultiheadAttention` is not counted", _of(_ATTENTION, lambda call: -call.macs)),
        Cause("linear layers that call `F.linear` from another module are not counted", _functions),
        Cause("products of two tensors are not counted", _of("matmul @ einsum", lambda call: -call.macs)),
    ),
    "calflops": (
        Cause("`scaled_dot_product_attention` is not counted", _of(_ATTENTION, lambda call: -call.products)),
        Cause("`einsum` and the operator `@` count no MACs", _of("einsum @", lambda call: -call.macs)),
    ),
}
"""Of the tools that count by calls; torchinfo counts by modules."""

_TORCHINFO = {
    "Conv2d": "adding the bias of a convolution counts",
    "Linear": "`nn.Linear` counts its weights and biases once for an image, however many tokens it reads",
    "BatchNorm2d": "norms count their parameters",
    "LayerNorm": "norms count their parameters",
    "LayerNorm2d": "norms count their parameters",
}
"""By the class of module; of what other modules compute themselves only attention has MACs."""
_TORCHINFO_ATTENTION = "what attention computes itself, projections included, is not counted"


def causes(name: str) -> dict[str, dict[str, int]]:
    """By tool and by cause: MACs more than ours."""
    calls = calls_of(name)
    found = {
        tool: {cause.text: more for cause in listed if (more := sum(map(cause.more, calls)))}
        for tool, listed in CAUSES.items()
    }
    return {**{tool: {} for tool in TOOLS}, **found, "torchinfo": _by_module(calls, torchinfo_by_class(name))}


def _by_module(calls: Sequence[Call], theirs: Mapping[str, int]) -> dict[str, int]:
    ours: dict[str, int] = {}
    for call in calls:
        ours[call.owner] = ours.get(call.owner, 0) + call.macs
    found: dict[str, int] = {}
    for owner in ours.keys() | theirs.keys():
        text = _TORCHINFO.get(owner, _TORCHINFO_ATTENTION)
        found[text] = found.get(text, 0) + theirs.get(owner, 0) - ours.get(owner, 0)
    return {text: more for text, more in found.items() if more}
