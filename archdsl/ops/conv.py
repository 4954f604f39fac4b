"""Convolutions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from math import prod
from typing import ClassVar, Literal, Self

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
from archdsl.ops.contract.init import VectorInit, WeightInit
from archdsl.ops.contract.shapes import TensorType, transposed_window_output
from archdsl.ops.contract.torch_call import TorchCall, module_call
from archdsl.ops.facts.reading import ALL, Border, PerAxis, Reads, TransposedWindow, Window
from archdsl.ops.facts.window import AXES, WindowedOp, as_axes
from archdsl.ops.memory.tape import Tape, Tensor
from archdsl.ops.memory.torch_memory import convolved, padded

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]
_BORDERS: dict[PaddingMode, Border] = {
    "zeros": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"
}  # fmt: skip


class _Convolution(WindowedOp):
    """What conv, dwconv and conv1d share; ``channels_and_groups`` tells them apart."""

    torch_module: ClassVar[str]
    torch_channels_at = 1
    call_depends_on = "channels"
    size_attributes = ("in_channels", "out_channels")
    output_can_be_overwritten = True
    mac_formula = "out_channels * in_channels / groups * kernel * out_places"

    @abstractmethod
    def channels_and_groups(self, in_channels: int) -> tuple[int, int]:
        """Output channels and groups for an input of ``in_channels`` channels."""

    @override
    def infer(self, inputs: Types) -> TensorType:
        sizes, layout = inputs[0]
        out_channels, groups = self.channels_and_groups(sizes[0])
        check_groups(self.kind, groups, sizes[0], out_channels)
        self._check_padding_mode(sizes[1:])
        return TensorType((out_channels, *self.window_sizes(sizes[1:])), layout)

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        kernels = zip(*self.window(), as_axes(self.__dict__["padding"]), strict=True)
        border = _BORDERS[self.__dict__["padding_mode"]]
        windows = [Window(k, s, p, d, border) for k, s, d, p in kernels]
        return PerAxis((ALL, *windows))

    @override
    def macs(self, inputs: Types, output: TensorType) -> int:
        weight = self.parameters(inputs)["weight"]
        return weight.elements * prod(output.sizes[1:])

    @override
    def mac_variables(self, inputs: Types, output: TensorType) -> dict[str, int]:
        _, groups = self.channels_and_groups(inputs[0].sizes[0])
        return {**super().mac_variables(inputs, output), "groups": groups}

    @override
    def parameters(self, inputs: Types) -> Mapping[str, ParameterSpec]:
        arguments = self.__dict__
        in_channels = inputs[0].sizes[0]
        out_channels, groups = self.channels_and_groups(in_channels)
        kernel = as_axes(arguments["kernel_size"])
        specs = {"weight": ParameterSpec((out_channels, in_channels // groups, *kernel), arguments["init"])}
        if arguments["bias"]:
            specs["bias"] = ParameterSpec((out_channels,), arguments["bias_init"])
        return specs

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        in_channels = inputs[0].sizes[0]
        out_channels, groups = self.channels_and_groups(in_channels)
        arguments = self.__dict__
        return module_call(
            self.torch_module,
            in_channels,
            out_channels,
            arguments["kernel_size"],
            stride=arguments["stride"],
            padding=arguments["padding"],
            dilation=arguments["dilation"],
            groups=groups,
            bias=arguments["bias"],
            padding_mode=arguments["padding_mode"],
        )

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        (x,) = tensors
        arguments = self.__dict__
        mode = arguments.get("padding_mode", "zeros")
        if mode != "zeros":
            borders = tuple([size for size in reversed(as_axes(arguments["padding"])) for _ in range(2)])
            x = padded(tape, x, borders, mode)
        return convolved(tape, x, self.infer(inputs).sizes, tape.grad)

    def _check_padding_mode(self, sizes: tuple[int, ...]) -> None:
        mode = self.__dict__.get("padding_mode", "zeros")
        if mode not in ("reflect", "circular"):
            return
        for axis, (size, padding) in enumerate(zip(sizes, as_axes(self.__dict__["padding"]), strict=True)):
            most = size - 1 if mode == "reflect" else size
            if padding > most:
                raise OpError(
                    "E308",
                    f"`{self.kind}` with {mode} padding takes a padding of at most {most} "
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
    torch_module = "nn.Conv2d"
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

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("conv", inputs[0], ("CHW",))
        return super().infer(inputs)


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
    torch_module = "nn.Conv2d"
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

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("dwconv", inputs[0], ("CHW",))
        return super().infer(inputs)


class Conv1dOp(_Convolution):
    """Convolution along a signal: ``C x L`` to ``out_channels x L'``, sizes as ``conv``.

    Parameters: ``weight`` (out_channels, C / groups, kernel), ``bias``. Errors as ``conv``. torch.nn.Conv1d.
    """

    kind = "conv1d"
    torch_module = "nn.Conv1d"
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

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("conv1d", inputs[0], ("CL",))
        return super().infer(inputs)


class ConvTranspose2dOp(WindowedOp):
    """Transposed convolution: ``C x H x W`` to ``out_channels x H' x W'``.

    ``H' = (H - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1``, likewise ``W'``.
    Parameters: ``weight`` (C, out_channels / groups, kernel height, kernel width), ``bias`` (out_channels).
    MACs: elements of the weight times the input's ``H W``. Errors: E305 groups, E306 layout, E308 an
    empty output. torch.nn.ConvTranspose2d; Zeiler et al. 2010; Dumoulin and Visin 2016,
    arXiv:1603.07285, chapter 4.
    """

    kind = "conv_transpose"
    aliases = ("deconv", "conv_transpose2d")
    torch_channels_at = 1
    mac_formula = "out_channels * in_channels / groups * kernel * in_places"
    output_can_be_overwritten = True
    call_depends_on = "channels"
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
    def infer(self, inputs: Types) -> TensorType:
        require_layout("conv_transpose", inputs[0], ("CHW",))
        channels, *sizes = inputs[0].sizes
        check_groups(self.kind, self.groups, channels, self.out_channels)
        axes = zip(sizes, self.kernel_size, self.stride, self.padding, self.output_padding, self.dilation, strict=True)
        height, width = [transposed_window_output(*axis) for axis in axes]
        if min(height, width) < 1:
            raise OpError(
                "E308",
                f"`conv_transpose` would make an image of {height}x{width} from {inputs[0]}",
                help="make the padding smaller",
                argument="padding",
            )
        return TensorType((self.out_channels, height, width), "CHW")

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        axes = zip(self.kernel_size, self.stride, self.padding, self.dilation, strict=True)
        return PerAxis((ALL, *[TransposedWindow(*axis) for axis in axes]))

    @override
    def macs(self, inputs: Types, output: TensorType) -> int:
        return self.parameters(inputs)["weight"].elements * prod(inputs[0].sizes[1:])

    @override
    def mac_variables(self, inputs: Types, output: TensorType) -> dict[str, int]:
        return {**super().mac_variables(inputs, output), "groups": self.groups}

    @override
    def parameters(self, inputs: Types) -> Mapping[str, ParameterSpec]:
        shape = (inputs[0].sizes[0], self.out_channels // self.groups, *self.kernel_size)
        specs = {"weight": ParameterSpec(shape, self.init)}
        if self.bias:
            specs["bias"] = ParameterSpec((self.out_channels,), self.bias_init)
        return specs

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

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        return convolved(tape, tensors[0], self.infer(inputs).sizes, tape.grad)
