"""Convolutions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import override

from archdsl.ops.contract.argument_types import (
    OPEN,
    Flag,
    OpenNonNegativeInt,
    OpenPaddingPair,
    PaddingPair,
    Pair,
    PositiveInt,
)
from archdsl.ops.contract.base import OpError, ParameterSpec, Tensors, Types, require_layout
from archdsl.ops.contract.channels import check_groups
from archdsl.ops.contract.init import Initializer, VectorInit, WeightInit
from archdsl.ops.contract.shapes import Layout, TensorType, transposed_window_output
from archdsl.ops.contract.torch_call import TorchCall, module_call
from archdsl.ops.facts.reading import ALL, Border, PerAxis, Reads, TransposedWindow, Window
from archdsl.ops.facts.window import AXES, DilatedWindowedOp, as_axes
from archdsl.ops.memory.tape import Tape, Tensor
from archdsl.ops.memory.torch_memory import convolved, padded

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]
_BORDERS: dict[PaddingMode, Border] = {
    "zeros": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"
}  # fmt: skip


class _AnyConvolution(DilatedWindowedOp):
    """What all convolutions share, transposed ones as well; ``channels_and_groups`` tells them apart."""

    layout: ClassVar[Layout] = "CHW"
    torch_channels_at = 1
    call_depends_on = "channels"
    output_can_be_overwritten = True

    if TYPE_CHECKING:
        bias: bool
        init: Initializer | None
        bias_init: Initializer | None

    @abstractmethod
    def channels_and_groups(self, in_channels: int) -> tuple[int, int]:
        """Output channels and groups for an input of ``in_channels`` channels."""

    @abstractmethod
    def output_places(self, type_: TensorType) -> tuple[int, ...]:
        """Sizes of the output beside the channels. Raises OpError."""

    @abstractmethod
    def weight_channels(self, in_channels: int) -> tuple[int, int]:
        """The first two sizes of the weight."""

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout(self.kind, inputs[0], (self.layout,))
        in_channels = inputs[0].sizes[0]
        out_channels, groups = self.channels_and_groups(in_channels)
        check_groups(self.kind, groups, in_channels, out_channels)
        return TensorType((out_channels, *self.output_places(inputs[0])), self.layout)

    @override
    def mac_variables(self, inputs: Types, output: TensorType) -> dict[str, int]:
        _, groups = self.channels_and_groups(inputs[0].sizes[0])
        return {**super().mac_variables(inputs, output), "groups": groups}

    @override
    def parameters(self, inputs: Types) -> Mapping[str, ParameterSpec]:
        in_channels = inputs[0].sizes[0]
        shape = (*self.weight_channels(in_channels), *as_axes(self.kernel_size))
        specs = {"weight": ParameterSpec(shape, self.init)}
        if self.bias:
            specs["bias"] = ParameterSpec((self.channels_and_groups(in_channels)[0],), self.bias_init)
        return specs

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        return convolved(tape, tensors[0], self.infer(inputs).sizes, tape.grad)


class _Convolution(_AnyConvolution):
    """What conv, dwconv and conv1d share."""

    torch_module: ClassVar[str] = "nn.Conv2d"
    size_attributes = ("in_channels", "out_channels")
    mac_formula = "out_channels * in_channels / groups * kernel * out_places"

    if TYPE_CHECKING:
        padding_mode: PaddingMode

    @override
    def weight_channels(self, in_channels: int) -> tuple[int, int]:
        out_channels, groups = self.channels_and_groups(in_channels)
        return out_channels, in_channels // groups

    @override
    def output_places(self, type_: TensorType) -> tuple[int, ...]:
        self._check_padding_mode(type_.sizes[1:])
        return self.window_sizes(type_.sizes[1:])

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        border = _BORDERS[self.padding_mode]
        return PerAxis((ALL, *[Window(*axis, border) for axis in self.window_axes()]))

    @override
    def macs(self, inputs: Types, output: TensorType) -> int:
        return self.parameters(inputs)["weight"].elements * prod(output.sizes[1:])

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        in_channels = inputs[0].sizes[0]
        out_channels, groups = self.channels_and_groups(in_channels)
        return module_call(
            self.torch_module,
            in_channels,
            out_channels,
            self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=groups,
            bias=self.bias,
            padding_mode=self.padding_mode,
        )

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        (x,) = tensors
        if self.padding_mode != "zeros":
            borders = tuple([size for size in reversed(self.paddings()) for _ in range(2)])
            x = padded(tape, x, borders, self.padding_mode)
        return convolved(tape, x, self.infer(inputs).sizes, tape.grad)

    def _check_padding_mode(self, sizes: tuple[int, ...]) -> None:
        if self.padding_mode not in ("reflect", "circular"):
            return
        for axis, (size, padding) in enumerate(zip(sizes, self.paddings(), strict=True)):
            most = size - 1 if self.padding_mode == "reflect" else size
            if padding > most:
                raise OpError(
                    "E308",
                    f"`{self.kind}` with {self.padding_mode} padding takes a padding of at most {most} "
                    f"on the {AXES[len(sizes)][axis]} {size}, but gets {padding}",
                    argument="padding",
                )


class Conv2dOp(_Convolution):
    """Convolution over height and width: ``C x H x W`` to ``out_channels x H' x W'``.

    ``H' = floor((H + 2 padding - dilation (kernel - 1) - 1) / stride) + 1``, likewise ``W'``. Each of
    ``groups`` groups sees its share of the channels. Parameters: ``weight``
    (out_channels, C / groups, kernel height, kernel width), ``bias`` (out_channels). MACs: elements of
    the weight times ``H' W'``. Errors: E304 kernel larger than the padded input, E305 groups that do
    not divide, E306 another layout, E308 reflect or circular padding wider than the input.
    torch.nn.Conv2d; LeCun et al. 1998, section II.A.
    """

    kind = "conv"
    aliases = ("conv2d", "convolution")
    out_channels: PositiveInt
    kernel_size: Pair
    stride: Pair = (1, 1)
    padding: OpenPaddingPair = OPEN
    dilation: Pair = (1, 1)
    groups: PositiveInt = 1
    bias: Flag = True
    padding_mode: PaddingMode = "zeros"
    init: WeightInit = None
    bias_init: VectorInit = None

    @override
    def channels_and_groups(self, in_channels: int) -> tuple[int, int]:
        return self.out_channels, self.groups


class DepthwiseConv2dOp(_Convolution):
    """Depthwise convolution: each channel of ``C x H x W`` by ``multiplier`` filters of its own.

    A ``conv`` with as many groups as input channels and ``C * multiplier`` output channels: to
    ``C multiplier x H' x W'``, sizes as ``conv``. ``default conv`` holds for it, too, where no ``default dwconv``
    does. Parameters: ``weight`` (C multiplier, 1, kernel height, kernel width), ``bias``. Errors as ``conv``.
    torch.nn.Conv2d; Sifre 2014, Howard et al. 2017, arXiv:1704.04861, section 3.1.
    """

    kind = "dwconv"
    aliases = ("depthwise", "depthwise_conv")
    mac_formula = "out_channels * kernel * out_places"
    step_name = "conv"
    defaults_of = "conv"
    kernel_size: Pair
    stride: Pair = (1, 1)
    padding: OpenPaddingPair = OPEN
    dilation: Pair = (1, 1)
    multiplier: PositiveInt = 1
    bias: Flag = True
    padding_mode: PaddingMode = "zeros"
    init: WeightInit = None
    bias_init: VectorInit = None

    @override
    def channels_and_groups(self, in_channels: int) -> tuple[int, int]:
        return in_channels * self.multiplier, in_channels


class Conv1dOp(_Convolution):
    """Convolution along a signal: ``C x L`` to ``out_channels x L'``, sizes as ``conv``.

    Parameters: ``weight`` (out_channels, C / groups, kernel), ``bias``. Errors as ``conv``. torch.nn.Conv1d.
    """

    kind = "conv1d"
    torch_module = "nn.Conv1d"
    layout = "CL"
    out_channels: PositiveInt
    kernel_size: PositiveInt
    stride: PositiveInt = 1
    padding: OpenNonNegativeInt = OPEN
    dilation: PositiveInt = 1
    groups: PositiveInt = 1
    bias: Flag = True
    padding_mode: PaddingMode = "zeros"
    init: WeightInit = None
    bias_init: VectorInit = None

    @override
    def channels_and_groups(self, in_channels: int) -> tuple[int, int]:
        return self.out_channels, self.groups


class ConvTranspose2dOp(_AnyConvolution):
    """Transposed convolution: ``C x H x W`` to ``out_channels x H' x W'``.

    ``H' = (H - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1``, likewise ``W'``.
    Parameters: ``weight`` (C, out_channels / groups, kernel height, kernel width), ``bias`` (out_channels).
    MACs: elements of the weight times the input's ``H W``. Errors: E305 groups, E306 layout, E308 an
    empty output. torch.nn.ConvTranspose2d; Zeiler et al. 2010; Dumoulin and Visin 2016,
    arXiv:1603.07285, chapter 4.
    """

    kind = "conv_transpose"
    aliases = ("deconv", "conv_transpose2d")
    mac_formula = "out_channels * in_channels / groups * kernel * in_places"
    out_channels: PositiveInt
    kernel_size: Pair
    stride: Pair = (1, 1)
    padding: OpenPaddingPair = OPEN
    output_padding: PaddingPair = (0, 0)
    dilation: Pair = (1, 1)
    groups: PositiveInt = 1
    bias: Flag = True
    init: WeightInit = None
    bias_init: VectorInit = None

    @model_validator(mode="after")
    def _check_output_padding(self) -> Self:
        for extra, stride, dilation in zip(self.output_padding, self.stride, self.dilation, strict=True):
            if extra >= max(stride, dilation):
                message = "`output_padding` must be below the stride or the dilation: {extra} is below neither"
                raise PydanticCustomError("output_padding", message, {"extra": extra})
        return self

    @override
    def channels_and_groups(self, in_channels: int) -> tuple[int, int]:
        return self.out_channels, self.groups

    @override
    def weight_channels(self, in_channels: int) -> tuple[int, int]:
        return in_channels, self.out_channels // self.groups

    @override
    def output_places(self, type_: TensorType) -> tuple[int, ...]:
        axes = zip(type_.sizes[1:], self.window_axes(), self.output_padding, strict=True)
        height, width = [transposed_window_output(size, *axis, extra) for size, axis, extra in axes]
        if min(height, width) < 1:
            raise OpError(
                "E308",
                f"`conv_transpose` would make an image of {height}x{width} from {type_}",
                help="make the padding smaller",
                argument="padding",
            )
        return height, width

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return PerAxis((ALL, *[TransposedWindow(*axis) for axis in self.window_axes()]))

    @override
    def macs(self, inputs: Types, output: TensorType) -> int:
        return self.parameters(inputs)["weight"].elements * prod(inputs[0].sizes[1:])

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return module_call(
            "nn.ConvTranspose2d",
            inputs[0].sizes[0],
            self.out_channels,
            self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            output_padding=self.output_padding,
            groups=self.groups,
            bias=self.bias,
            dilation=self.dilation,
        )
