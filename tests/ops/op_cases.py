"""For every op: random arguments and input types, and the torch module that must agree with it.

The counterparts are built here from torch alone, so that they judge the ops and not our backends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import Tensor, nn
from typing_extensions import override

from archdsl.ops.contract.base import Types
from archdsl.ops.contract.shapes import Layout, TensorType
from tests.ops.op_cases_moving import MOVES, STRUCTURAL
from tests.ops.op_cases_windows import WINDOW_ATTENTION
from tests.ops.op_strategies import (
    EPS,
    FLAG,
    IMAGE,
    Arguments,
    Case,
    Function,
    any_layout,
    as_is,
    examples,
    per_axis,
    small,
    types,
)

# ---- windows -------------------------------------------------------------------------------------


@st.composite
def grouped(draw: st.DrawFn, arguments: Mapping[str, st.SearchStrategy[Any]], layout: Layout) -> Any:
    """Arguments with channels that mostly are multiples of the groups."""
    drawn = draw(st.fixed_dictionaries(dict(arguments)))
    factor = drawn["groups"] if draw(st.integers(0, 4)) else 1
    drawn["out_channels"] = factor * draw(small(1, 4))
    return drawn, draw(types(layout, channels=small(1, 4).map(lambda n: factor * n)))


def window(kernel: int, wrap: Callable[[Any], Any] = per_axis) -> dict[str, Any]:
    return {"kernel_size": wrap(small(1, kernel)), "stride": wrap(small(1, 3)), "padding": wrap(small(0, 2))}


PADDING_MODES = st.sampled_from(["zeros", "zeros", "reflect", "replicate", "circular"])
CONV = {**window(4), "dilation": per_axis(small(1, 2)), "groups": small(1, 3), "bias": FLAG}


def convolution(module: type[nn.Module]) -> Callable[[Arguments, Types], nn.Module]:
    return lambda arguments, inputs: module(inputs[0].sizes[0], **arguments)


def depthwise(arguments: Arguments, inputs: Types) -> nn.Module:
    channels, rest = inputs[0].sizes[0], dict(arguments)
    return nn.Conv2d(channels, channels * rest.pop("multiplier"), groups=channels, **rest)


def pool(module: type[nn.Module]) -> Callable[[Arguments, Types], nn.Module]:
    def build(arguments: Arguments, inputs: Types) -> nn.Module:
        rest = dict(arguments)
        return module(ceil_mode=rest.pop("ceil"), **rest)

    return build


def blurred(arguments: Arguments, inputs: Types) -> nn.Module:
    """Zhang's filter by torch's padding and depthwise convolution."""
    size = arguments["kernel_size"]
    row = torch.tensor([float(c) for c in binomials(size - 1)])
    kernel = torch.outer(row, row) / row.sum() ** 2
    before, after = (size - 1) // 2, size - 1 - (size - 1) // 2

    def blur(x: Tensor) -> Tensor:
        x = F.pad(x, (before, after, before, after), "reflect")
        return F.conv2d(x, kernel.expand(x.shape[1], 1, size, size), stride=arguments["stride"], groups=x.shape[1])

    return Function(blur)


def binomials(power: int) -> list[int]:
    row = [1]
    for k in range(power):
        row.append(row[-1] * (power - k) // (k + 1))
    return row


WINDOWS: dict[str, Case] = {
    "conv": Case(grouped({**CONV, "padding_mode": PADDING_MODES}, "CHW"), convolution(nn.Conv2d)),
    "dwconv": Case(
        examples(
            {**window(4), "dilation": per_axis(small(1, 2)), "multiplier": small(1, 3), "bias": FLAG}
            | {"padding_mode": PADDING_MODES},
            IMAGE,
        ),
        depthwise,
    ),
    "conv1d": Case(
        grouped(
            {**window(4, as_is), "dilation": small(1, 2), "groups": small(1, 3), "bias": FLAG}
            | {"padding_mode": PADDING_MODES},
            "CL",
        ),
        convolution(nn.Conv1d),
    ),
    "conv_transpose": Case(
        grouped({**CONV, "output_padding": per_axis(small(0, 2))}, "CHW"), convolution(nn.ConvTranspose2d)
    ),
    "maxpool": Case(
        examples({**window(5), "dilation": per_axis(small(1, 2)), "ceil": FLAG}, IMAGE), pool(nn.MaxPool2d)
    ),
    "avgpool": Case(examples({**window(5), "ceil": FLAG, "count_include_pad": FLAG}, IMAGE), pool(nn.AvgPool2d)),
    "lp_pool": Case(
        examples(
            {"norm_type": st.sampled_from([1, 2, 4]), "kernel_size": per_axis(small(1, 5))}
            | {"stride": per_axis(small(1, 3)), "ceil": FLAG},
            IMAGE,
        ),
        pool(nn.LPPool2d),
    ),
    "global_avgpool": Case(examples({}, IMAGE), lambda arguments, inputs: nn.AdaptiveAvgPool2d(1)),
    "global_maxpool": Case(examples({}, IMAGE), lambda arguments, inputs: nn.AdaptiveMaxPool2d(1)),
    "adaptive_avgpool": Case(
        examples({"output_size": per_axis(small(1, 9))}, IMAGE),
        lambda arguments, inputs: nn.AdaptiveAvgPool2d(**arguments),
    ),
    "adaptive_maxpool": Case(
        examples({"output_size": per_axis(small(1, 9))}, IMAGE),
        lambda arguments, inputs: nn.AdaptiveMaxPool2d(**arguments),
    ),
    "blurpool": Case(examples({"kernel_size": small(1, 6), "stride": small(1, 4)}, IMAGE), blurred),
}

# ---- linear, norms -------------------------------------------------------------------------------


def batch_norm(arguments: Arguments, inputs: Types) -> nn.Module:
    module = nn.BatchNorm2d if inputs[0].layout == "CHW" else nn.BatchNorm1d
    return module(inputs[0].sizes[0], **arguments)


def layer_norm(arguments: Arguments, inputs: Types) -> nn.Module:
    affine = arguments["affine"]
    return nn.LayerNorm(inputs[0].sizes[-1], arguments["eps"], elementwise_affine=affine, bias=arguments["bias"])


def layer_norm_2d(arguments: Arguments, inputs: Types) -> nn.Module:
    from torchvision.models.convnext import LayerNorm2d

    module: nn.Module = LayerNorm2d(inputs[0].sizes[0], **arguments)
    return module


def normalized(arguments: Arguments, inputs: Types) -> nn.Module:
    from torchvision.transforms import Normalize

    module: nn.Module = Normalize(**arguments)
    return module


class LayerScale(nn.Module):
    """Touvron et al. 2021: a factor per channel, in the shape that broadcasts."""

    def __init__(self, type_: TensorType, value: float) -> None:
        super().__init__()
        axis = type_.channel_axis
        behind = len(type_.sizes) - 1 - axis if axis is not None else 0
        self.gamma = nn.Parameter(torch.full((type_.sizes[axis or 0],) + (1,) * behind, value))

    @override
    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


LINEAR_AND_NORMS: dict[str, Case] = {
    "linear": Case(
        examples({"out_features": small(1, 9), "bias": FLAG}, any_layout("C", "LC", "HWC")),
        lambda arguments, inputs: nn.Linear(inputs[0].sizes[-1], **arguments),
    ),
    "bn": Case(
        examples(
            {"eps": EPS, "momentum": st.none() | st.floats(0, 1), "affine": FLAG, "track_running_stats": FLAG},
            any_layout("CHW", "CL", "C"),
        ),
        batch_norm,
    ),
    "ln": Case(examples({"eps": EPS, "affine": FLAG, "bias": FLAG}, any_layout("C", "LC", "HWC")), layer_norm),
    "ln2d": Case(examples({"eps": EPS}, IMAGE), layer_norm_2d),
    "gn": Case(
        examples({"num_groups": small(1, 4), "eps": EPS, "affine": FLAG}, any_layout("CHW", "CL", "C")),
        lambda arguments, inputs: nn.GroupNorm(num_channels=inputs[0].sizes[0], **arguments),
    ),
    "instance_norm": Case(
        examples({"eps": EPS, "affine": FLAG}, types("CHW", 3)),
        lambda arguments, inputs: nn.InstanceNorm2d(inputs[0].sizes[0], **arguments),
    ),
    "normalize": Case(
        st.integers(2, 4).flatmap(
            lambda n: examples(
                {
                    "mean": st.tuples(*[st.floats(-2, 2)] * n),
                    "std": st.tuples(*[st.floats(0.01, 2)] * n),
                },
                types("CHW", channels=st.sampled_from([n, n, n, 5])),
            )
        ),
        normalized,
    ),
    "scale": Case(
        examples({"value": st.floats(-2, 2)}, any_layout("C", "CL", "CHW", "HWC", "LC")),
        lambda arguments, inputs: LayerScale(inputs[0], **arguments),
        {"gamma": ""},
    ),
}

# ---- tokens --------------------------------------------------------------------------------------


class Attention(nn.MultiheadAttention):
    """Torch's between the tokens of one input."""

    @override
    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x, x, x, need_weights=False)[0]


@st.composite
def attended(draw: st.DrawFn) -> Any:
    """Channels that mostly are a multiple of the heads."""
    arguments: Arguments = draw(st.fixed_dictionaries({"heads": small(1, 4), "dropout": PROBABILITY, "bias": FLAG}))
    factor: int = arguments["heads"] if draw(st.integers(0, 4)) else 1
    return arguments, draw(types("LC", channels=small(1, 4).map(lambda n: factor * n)))


def attention(arguments: Arguments, inputs: Types) -> nn.Module:
    rest = dict(arguments)
    if inputs[0].sizes[1] % rest["heads"]:
        raise ValueError("torch asserts that heads divide the channels")
    return Attention(inputs[0].sizes[1], rest.pop("heads"), batch_first=True, **rest)


@st.composite
def queried(draw: st.DrawFn) -> Any:
    """Queries, keys and values that mostly fit together, the values often as wide as the keys, some in rows."""
    heads = draw(small(1, 4))
    queries, keys, width = draw(small(1, 6)), draw(small(1, 6)), heads * draw(small(1, 4))
    values = width if draw(FLAG) else heads * draw(small(1, 4))
    sizes = [(queries, width), (keys, width), (keys, values)]
    if not draw(st.integers(0, 4)):
        sizes[draw(st.integers(0, 2))] = (draw(small(1, 6)), draw(small(1, 8)))
    arguments = {"heads": heads, "dropout": draw(PROBABILITY)}
    if draw(FLAG):
        return arguments, tuple([TensorType(each, "LC") for each in sizes])
    rows = [draw(small(1, 3))] * 3
    if not draw(st.integers(0, 4)):
        rows[draw(st.integers(0, 2))] = draw(small(1, 3))
    return arguments, tuple([TensorType((row, *each), "HWC") for row, each in zip(rows, sizes, strict=True)])


class ByHeads(nn.Module):
    """Torch's attention between given queries, keys and values, a head a row."""

    def __init__(self, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout

    @override
    def forward(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        rows = [torch.stack(x.tensor_split(self.heads, -1), -3) for x in (queries, keys, values)]
        p = self.dropout if self.training else 0.0
        means = F.scaled_dot_product_attention(rows[0], rows[1], rows[2], dropout_p=p)
        return torch.cat(means.unbind(-3), -1)


def by_heads(arguments: Arguments, inputs: Types) -> nn.Module:
    if any(type_.sizes[-1] % arguments["heads"] for type_ in inputs):
        raise ValueError("heads must divide the channels")
    if len({type_.sizes[:-2] for type_ in inputs}) > 1:
        raise ValueError("torch would repeat a single row")
    return ByHeads(**arguments)


class Prepended(nn.Module):
    """ViT's class token."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, channels))

    @override
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.token.repeat(x.shape[0], 1, 1), x], 1)


class Added(nn.Module):
    """ViT's position embeddings."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(1, *sizes))

    @override
    def forward(self, x: Tensor) -> Tensor:
        return x + self.embedding


PROBABILITY = st.floats(0, 1)

TOKENS: dict[str, Case] = {
    "attention": Case(attended(), attention),
    "dot_product_attention": Case(queried(), by_heads),
    "class_token": Case(
        examples({}, types("LC")), lambda arguments, inputs: Prepended(inputs[0].sizes[1]), {"token": ""}
    ),
    "position_embedding": Case(
        examples({}, any_layout()), lambda arguments, inputs: Added(inputs[0].sizes), {"embedding": ""}
    ),
}

# ---- activations ---------------------------------------------------------------------------------


def pointwise(module: Callable[..., nn.Module], **arguments: st.SearchStrategy[Any]) -> Case:
    return Case(examples(arguments, any_layout()), lambda drawn, inputs: module(**drawn))


def softmax(arguments: Arguments, inputs: Types) -> nn.Module:
    axis = inputs[0].channel_axis
    assert axis is not None
    return nn.Softmax(dim=axis + 1)


def stochastic_depth(arguments: Arguments, inputs: Types) -> nn.Module:
    from torchvision.ops import StochasticDepth

    module: nn.Module = StochasticDepth(arguments["p"], arguments["mode"])
    return module


ACTIVATIONS: dict[str, Case] = {
    "relu": pointwise(nn.ReLU),
    "relu6": pointwise(nn.ReLU6),
    "leaky_relu": pointwise(nn.LeakyReLU, negative_slope=st.floats(-1, 1)),
    "prelu": Case(
        examples({"num_parameters": small(1, 4), "init": st.floats(-1, 1)}, any_layout("CHW", "CL", "C")),
        lambda arguments, inputs: nn.PReLU(**arguments),
    ),
    "elu": pointwise(nn.ELU, alpha=st.floats(0.01, 3)),
    "gelu": pointwise(nn.GELU, approximate=st.sampled_from(["none", "tanh"])),
    "silu": pointwise(nn.SiLU),
    "mish": pointwise(nn.Mish),
    "sigmoid": pointwise(nn.Sigmoid),
    "tanh": pointwise(nn.Tanh),
    "hardswish": pointwise(nn.Hardswish),
    "hardsigmoid": pointwise(nn.Hardsigmoid),
    "softshrink": pointwise(nn.Softshrink, lambd=st.floats(0, 0.4)),
    "softmax": Case(examples({}, any_layout("C", "CL", "CHW", "HWC", "LC")), softmax),
    "dropout": pointwise(nn.Dropout, p=PROBABILITY),
    "dropout2d": Case(examples({"p": PROBABILITY}, IMAGE), lambda drawn, inputs: nn.Dropout2d(**drawn)),
    "drop_path": Case(
        examples({"p": PROBABILITY, "mode": st.sampled_from(["row", "batch"])}, any_layout()), stochastic_depth
    ),
    "identity": pointwise(nn.Identity),
}

CASES: dict[str, Case] = {
    **WINDOWS, **LINEAR_AND_NORMS, **TOKENS, **WINDOW_ATTENTION, **ACTIVATIONS, **MOVES, **STRUCTURAL
}  # fmt: skip
"""A case for every op, by kind."""
