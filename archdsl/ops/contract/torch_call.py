"""Which torch call computes each op, as data: the fx backend instantiates it, the Python backend prints it.

Nothing here imports torch. A target's first word names where it is looked up: ``nn`` (torch.nn),
``F`` (torch.nn.functional), ``torch``, ``Tensor`` (its methods), ``operator``, ``layers``
(archdsl.backends.layers); ``module:name`` stands in any other module, as ops of the user's own have it. Sizes of
batch and image stay out of the calls wherever torch can work them out, so that a built model takes other ones.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from archdsl.ops import (
    AttentionOp,
    BatchNormOp,
    ChannelSliceOp,
    ChunkOp,
    ConcatOp,
    Conv1dOp,
    Conv2dOp,
    ConvTranspose2dOp,
    CropOp,
    DepthwiseConv2dOp,
    ImageOp,
    LayerNormOp,
    LinearOp,
    PadChannelsOp,
    PadOp,
    RelativeAttentionOp,
    UpsampleOp,
    WindowAttentionOp,
)
from archdsl.ops.contract.base import Op, Types
from archdsl.ops.contract.shapes import TensorType


@dataclass(frozen=True, slots=True)
class Input:
    """Stands for the op's input of this index."""

    index: int


@dataclass(frozen=True, slots=True)
class OwnParameter:
    """Stands for the parameter of an op that holds just one, at its own path."""


X = Input(0)

Argument = Any
"""A literal, Input, OwnParameter, FunctionCall, or a list, tuple or slice of such."""


@dataclass(frozen=True, slots=True)
class ModuleCall:
    """A submodule, made with these arguments and called with the op's inputs in order."""

    target: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function of the inputs; arguments may be further calls."""

    target: str
    args: tuple[Argument, ...] = ()
    kwargs: Mapping[str, Argument] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FoldCall:
    """A function of two tensors over all inputs, from left to right."""

    target: str


TorchCall = ModuleCall | FunctionCall | FoldCall


def local_name(target: str) -> str:
    """How a Python file names a target that it imports or carries: ``DropPath`` for ``layers.DropPath``."""
    return target.rpartition(":")[2].removeprefix("layers.")


def parts(argument: Argument) -> Iterator[Argument]:
    """The call or argument and all that stands in it, from the outside in."""
    yield argument
    if isinstance(argument, FunctionCall):
        for inner in (*argument.args, *argument.kwargs.values()):
            yield from parts(inner)
    elif isinstance(argument, list | tuple):
        for inner in argument:
            yield from parts(inner)


Rule = Callable[[Any, Types], TorchCall]

FOR_ANY_TYPES: set[Rule] = set()
"""Rules that look at the op alone."""

BY_CHANNELS = frozenset({"conv", "dwconv", "conv1d", "conv_transpose", "linear", "bn"})
"""Kinds of ops of whose input the layout and the channels decide."""


def torch_call(op: Op, inputs: Types, *, in_place: bool = False) -> TorchCall:
    """The call for ``op`` on inputs of these types; ``in_place``: an activation that overwrites its input.

    An op of the user's own gives it itself. Raises KeyError for another that is not in ``CALLS``.
    """
    if op.is_user_op:
        own_call: TorchCall = cast(Any, op).torch_call(inputs)
        return own_call
    call = CALLS[op.kind](op, inputs)
    if in_place and isinstance(call, ModuleCall):
        return replace(call, kwargs={**call.kwargs, "inplace": True})
    return call


def deciding(op: Op, inputs: Types) -> Hashable:
    """What of the inputs' types decides over the op's call, its parameters and its buffers.

    Types themselves are told apart by identity, as a graph has each but once.
    """
    if op.kind in BY_CHANNELS:
        (given,) = inputs
        return given.layout, given.sizes[given.channel_axis or 0]
    return () if CALLS.get(op.kind) in FOR_ANY_TYPES else tuple(map(id, inputs))


def _module(target: str, *args: Any, **kwargs: Any) -> ModuleCall:
    """Pairs of equal numbers are written once, as a person would; arguments that equal torch's default stay."""
    once = {name: _once(value) if value.__class__ is tuple else value for name, value in kwargs.items()}
    return ModuleCall(target, tuple([_once(value) if value.__class__ is tuple else value for value in args]), once)


def _once(value: tuple[Any, ...]) -> Any:
    """``3`` for ``(3, 3)``, which torch's windows take alike."""
    return value[0] if len(value) == 2 and value[0] == value[1] else value


def _of(target: str, *positional: str, **keywords: str) -> Rule:
    """A module made from the op's own arguments: torch's keyword = the op's name of it."""

    def rule(op: Op, inputs: Types) -> TorchCall:
        args = [getattr(op, name) for name in positional]
        return _module(target, *args, **{name: getattr(op, own) for name, own in keywords.items()})

    FOR_ANY_TYPES.add(rule)
    return rule


def _function(target: str, *args: Argument, **kwargs: Argument) -> Rule:
    """A function of fixed arguments."""
    return lambda op, inputs: FunctionCall(target, args, kwargs)


def _fold(target: str) -> Rule:
    return lambda op, inputs: FoldCall(target)


def _conv(op: Conv2dOp | DepthwiseConv2dOp | Conv1dOp, inputs: Types) -> TorchCall:
    in_channels = inputs[0].sizes[0]
    out_channels, groups = op.channels_and_groups(in_channels)
    return _module(
        "nn.Conv1d" if isinstance(op, Conv1dOp) else "nn.Conv2d",
        in_channels,
        out_channels,
        op.kernel_size,
        stride=op.stride,
        padding=op.padding,
        dilation=op.dilation,
        groups=groups,
        bias=op.bias,
        padding_mode=op.padding_mode,
    )


def _conv_transpose(op: ConvTranspose2dOp, inputs: Types) -> TorchCall:
    return _module(
        "nn.ConvTranspose2d",
        inputs[0].sizes[0],
        op.out_channels,
        op.kernel_size,
        stride=op.stride,
        padding=op.padding,
        output_padding=op.output_padding,
        groups=op.groups,
        bias=op.bias,
        dilation=op.dilation,
    )


def _linear(op: LinearOp, inputs: Types) -> TorchCall:
    return _module("nn.Linear", inputs[0].sizes[-1], op.out_features, bias=op.bias)


def _batch_norm(op: BatchNormOp, inputs: Types) -> TorchCall:
    return _module(
        "nn.BatchNorm2d" if inputs[0].layout == "CHW" else "nn.BatchNorm1d",
        inputs[0].sizes[0],
        eps=op.eps,
        momentum=op.momentum,
        affine=op.affine,
        track_running_stats=op.track_running_stats,
    )


def _layer_norm(op: LayerNormOp, inputs: Types) -> TorchCall:
    bias = op.bias if op.affine else True  # torch ignores the bias then
    return _module("nn.LayerNorm", inputs[0].sizes[-1], eps=op.eps, elementwise_affine=op.affine, bias=bias)


def _axis(type_: TensorType) -> int:
    """The axis of the channels, the batch counted; shape rules have seen to it that there is one."""
    axis = type_.channel_axis
    assert axis is not None, type_
    return axis + 1


def _concat(op: ConcatOp, inputs: Types) -> TorchCall:
    known = next(type_ for type_ in inputs if type_.channel_axis is not None)
    return FunctionCall("torch.cat", ([Input(i) for i in range(len(inputs))],), {"dim": _axis(known)})


_BATCH = FunctionCall("Tensor.size", (X, 0))
"""Not -1, which would take an image of another size for other examples."""


def _permute(axes: tuple[int, ...]) -> FunctionCall:
    return FunctionCall("torch.permute", (X, (0, *[axis + 1 for axis in axes])))


def _channels_last(op: Op, inputs: Types) -> TorchCall:
    return _permute((*range(1, len(inputs[0].sizes)), 0))


def _channels_first(op: Op, inputs: Types) -> TorchCall:
    rank = len(inputs[0].sizes)
    return _permute((rank - 1, *range(rank - 1)))


def _tokens(op: Op, inputs: Types) -> TorchCall:
    if inputs[0].layout == "HWC":
        return FunctionCall("torch.flatten", (X, 1, 2))
    return FunctionCall("torch.transpose", (FunctionCall("torch.flatten", (X, 2)), 1, 2))


def _image(op: ImageOp, inputs: Types) -> TorchCall:
    return FunctionCall("Tensor.unflatten", (FunctionCall("torch.transpose", (X, 1, 2)), 2, op.size))


def _upsample(op: UpsampleOp, inputs: Types) -> TorchCall:
    align_corners = True if op.align_corners else None  # torch refuses False for nearest
    return _module("nn.Upsample", scale_factor=op.scale_factor, mode=op.mode, align_corners=align_corners)


def _pad(op: PadOp, inputs: Types) -> TorchCall:
    if op.mode != "constant":
        return FunctionCall("F.pad", (X, op.sizes), {"mode": op.mode})
    return FunctionCall("F.pad", (X, op.sizes), {"value": op.value} if op.value else {})


def _pad_channels(op: PadChannelsOp, inputs: Types) -> TorchCall:
    return FunctionCall("F.pad", (X, (0, 0, 0, 0, 0, op.out_channels - inputs[0].sizes[0])))


def _crop(op: CropOp, inputs: Types) -> TorchCall:
    if op.offset is None:
        return ModuleCall("layers.CenterCrop2d", op.size)
    (row, column), (height, width) = op.offset, op.size
    everything = slice(None)
    kept = (everything, everything, slice(row, row + height), slice(column, column + width))
    return FunctionCall("operator.getitem", (X, kept))


def _chunk(op: ChunkOp, inputs: Types) -> TorchCall:
    parts = FunctionCall("torch.chunk", (X, op.chunks), {"dim": _axis(inputs[0])})
    return FunctionCall("operator.getitem", (parts, op.index))


def _channel_slice(op: ChannelSliceOp, inputs: Types) -> TorchCall:
    axis = _axis(inputs[0])
    start, stop = op.bounds(inputs[0].sizes[axis - 1])
    return FunctionCall("torch.narrow", (X, axis, start, stop - start))


def _attention(op: AttentionOp, inputs: Types) -> TorchCall:
    return _module("layers.SelfAttention", inputs[0].sizes[1], op.heads, dropout=op.dropout, bias=op.bias)


def _class_token(op: Op, inputs: Types) -> TorchCall:
    """The token is expanded as the first of the others is, so that the batch stays out of the call."""
    first = FunctionCall("operator.getitem", (X, (slice(None), slice(0, 1))))
    token = FunctionCall("Tensor.expand_as", (OwnParameter(), first))
    return FunctionCall("torch.cat", ([token, X],), {"dim": 1})


def _window_attention(op: WindowAttentionOp, inputs: Types) -> TorchCall:
    target = "layers.CosineWindowAttention" if op.cosine else "layers.WindowAttention"
    return ModuleCall(target, (inputs[0].sizes[2], op.heads, op.window), {"shift": op.shift, "dropout": op.dropout})


def _relative_attention(op: RelativeAttentionOp, inputs: Types) -> TorchCall:
    return ModuleCall("layers.RelativeAttention", (inputs[0].sizes[2], op.heads, op.window))


CALLS: dict[str, Rule] = {
    "conv": _conv,
    "dwconv": _conv,
    "conv1d": _conv,
    "conv_transpose": _conv_transpose,
    "linear": _linear,
    "bn": _batch_norm,
    "ln": _layer_norm,
    "ln2d": lambda op, inputs: _module("layers.LayerNorm2d", inputs[0].sizes[0], eps=op.eps),
    "gn": lambda op, inputs: _module("nn.GroupNorm", op.num_groups, inputs[0].sizes[0], eps=op.eps, affine=op.affine),
    "instance_norm": lambda op, inputs: _module("nn.InstanceNorm2d", inputs[0].sizes[0], eps=op.eps, affine=op.affine),
    "normalize": lambda op, inputs: ModuleCall("layers.Normalize", (op.mean, op.std)),
    "scale": _function("torch.mul", OwnParameter(), X),
    "relu": _of("nn.ReLU"),
    "relu6": _of("nn.ReLU6"),
    "leaky_relu": _of("nn.LeakyReLU", negative_slope="negative_slope"),
    "prelu": _of("nn.PReLU", num_parameters="num_parameters", init="init"),
    "elu": _of("nn.ELU", alpha="alpha"),
    "gelu": _of("nn.GELU", approximate="approximate"),
    "silu": _of("nn.SiLU"),
    "mish": _of("nn.Mish"),
    "sigmoid": _of("nn.Sigmoid"),
    "tanh": _of("nn.Tanh"),
    "hardswish": _of("nn.Hardswish"),
    "hardsigmoid": _of("nn.Hardsigmoid"),
    "softmax": lambda op, inputs: _module("nn.Softmax", dim=_axis(inputs[0])),
    "maxpool": _of(
        "nn.MaxPool2d", "kernel_size", stride="stride", padding="padding", dilation="dilation", ceil_mode="ceil"
    ),
    "avgpool": _of(
        "nn.AvgPool2d",
        "kernel_size",
        stride="stride",
        padding="padding",
        ceil_mode="ceil",
        count_include_pad="count_include_pad",
    ),
    "global_avgpool": lambda op, inputs: ModuleCall("nn.AdaptiveAvgPool2d", (1,)),
    "global_maxpool": lambda op, inputs: ModuleCall("nn.AdaptiveMaxPool2d", (1,)),
    "adaptive_avgpool": _of("nn.AdaptiveAvgPool2d", "output_size"),
    "adaptive_maxpool": _of("nn.AdaptiveMaxPool2d", "output_size"),
    "blurpool": lambda op, inputs: ModuleCall("layers.BlurPool2d", (inputs[0].sizes[0], op.kernel_size, op.stride)),
    "dropout": _of("nn.Dropout", p="p"),
    "dropout2d": _of("nn.Dropout2d", p="p"),
    "drop_path": _of("layers.DropPath", "p", mode="mode"),
    "flatten": lambda op, inputs: ModuleCall("nn.Flatten"),
    "reshape": lambda op, inputs: FunctionCall("torch.reshape", (X, (_BATCH, *op.sizes))),
    "permute": lambda op, inputs: _permute(op.axes),
    "channels_last": _channels_last,
    "channels_first": _channels_first,
    "tokens": _tokens,
    "image": _image,
    "identity": _of("nn.Identity"),
    "upsample": _upsample,
    "resize": _of("layers.Resize", mode="mode", align_corners="align_corners"),
    "pixel_shuffle": _of("nn.PixelShuffle", "factor"),
    "space_to_depth": _of("nn.PixelUnshuffle", "factor"),
    "pad": _pad,
    "crop": _crop,
    "chunk": _chunk,
    "channel_slice": _channel_slice,
    "pad_channels": _pad_channels,
    "channel_shuffle": _of("nn.ChannelShuffle", "groups"),
    "select": lambda op, inputs: FunctionCall("torch.select", (X, 1, op.index)),
    "attention": _attention,
    "dot_product_attention": _of("layers.DotProductAttention", "heads", dropout="dropout"),
    "class_token": _class_token,
    "position_embedding": _function("torch.add", X, OwnParameter()),
    "patch_merging": _of("layers.PatchMerging"),
    "window_attention": _window_attention,
    "windows": lambda op, inputs: ModuleCall("layers.Windows", (op.window,), {"grid": op.grid}),
    "unwindows": lambda op, inputs: ModuleCall("layers.Unwindows", (op.window, op.size), {"grid": op.grid}),
    "relative_attention": _relative_attention,
    "add": _fold("torch.add"),
    "concat": _concat,
    "mul": _fold("torch.mul"),
    "mul_scalar": lambda op, inputs: FunctionCall("torch.mul", (X, op.value)),
    "add_scalar": lambda op, inputs: FunctionCall("torch.add", (X, op.value)),
    "rsub_scalar": lambda op, inputs: FunctionCall("torch.rsub", (X, op.value)),
}

UNSUPPORTED = frozenset({"input"})
"""Kinds that are no call: an input is a placeholder."""
