"""Pooling over height and width."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import model_validator
from typing_extensions import override

from archdsl.ops.contract.argument_types import OPEN, Flag, OpenPaddingPair, OpenPair, Pair, PositiveInt, PositiveNumber
from archdsl.ops.contract.base import CostFreeOp, Op, OpError, ParameterSpec, Tensors, Types, require_layout
from archdsl.ops.contract.shapes import TensorType
from archdsl.ops.contract.torch_call import ModuleCall, TorchCall, module_call
from archdsl.ops.facts.reading import ALL, SAME, Bins, PerAxis, Reads, Window
from archdsl.ops.facts.window import DilatedWindowedOp, PaddedWindowedOp, WindowedOp, as_axes, check_half_padding
from archdsl.ops.memory.tape import Tape, Tensor
from archdsl.ops.memory.torch_memory import (
    averaged,
    convolved,
    keeping_input,
    keeping_result,
    max_pooled,
    padded,
    product,
)


class _WindowPoolOp(WindowedOp, CostFreeOp):
    """A pool over sliding windows; with ``ceil``, a field of each, a last, partial window counts as well."""

    call_depends_on = "arguments"

    if TYPE_CHECKING:
        ceil: bool

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout(self.kind, inputs[0], ("CHW",))
        channels, *sizes = inputs[0].sizes
        return TensorType((channels, *self.window_sizes(tuple(sizes), self.ceil)), "CHW")

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return PerAxis((SAME, *[Window(*axis) for axis in self.window_axes()]))


class _PaddedPoolOp(_WindowPoolOp, PaddedWindowedOp):
    """A pool over windows of a padded image."""

    @model_validator(mode="after")
    def _check_padding(self) -> Self:
        check_half_padding(as_axes(self.kernel_size), self.paddings())
        return self


class MaxPoolOp(_PaddedPoolOp, DilatedWindowedOp):
    """The largest element of each window: ``C x H x W`` to ``C x H' x W'``, sizes as ``conv``.

    ``stride`` is the kernel's size unless given. With ``ceil`` a last, partial window counts as well, unless it
    would start in the padding. ``padding`` is at most half the kernel. Errors: E304 kernel larger than the padded
    input, E306 another layout. torch.nn.MaxPool2d.
    """

    kind = "maxpool"
    aliases = ("max_pool", "maxpool2d")
    ends_unit = True
    output_can_be_overwritten = True
    kernel_size: Pair
    stride: OpenPair = OPEN
    padding: OpenPaddingPair = OPEN
    dilation: Pair = (1, 1)
    ceil: Flag = False

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return module_call(
            "nn.MaxPool2d",
            self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            ceil_mode=self.ceil,
        )

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        return max_pooled(tape, tensors[0], self.infer(inputs).sizes)


class AvgPoolOp(_PaddedPoolOp):
    """The mean of each window: ``C x H x W`` to ``C x H' x W'``, sizes as ``maxpool``.

    Zeros of the padding count in the mean unless ``count_include_pad = false``. Errors: E304 kernel larger than
    the padded input, E306 another layout. torch.nn.AvgPool2d.
    """

    kind = "avgpool"
    aliases = ("avg_pool", "avgpool2d")
    output_can_be_overwritten = True
    kernel_size: Pair
    stride: OpenPair = OPEN
    padding: OpenPaddingPair = OPEN
    ceil: Flag = False
    count_include_pad: Flag = True

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return module_call(
            "nn.AvgPool2d",
            self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            ceil_mode=self.ceil,
            count_include_pad=self.count_include_pad,
        )

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        # as a convolution by constants, it keeps its input though it needs but the sizes
        return convolved(tape, tensors[0], self.infer(inputs).sizes, False)


class LpPoolOp(_WindowPoolOp):
    """The p-norm of each window, for a ``norm_type`` p: ``C x H x W`` to ``C x H' x W'``, without padding.

    That is the p-th root of the sum of the elements' p-th powers: the sum for 1, which signs keep. Sizes are those of
    ``maxpool`` with a padding of 0. Where the sum is below 0 and has no such root, or the elements no such power, the
    result is no number: put it behind ``relu``. Errors: E304 kernel larger than the input, E306 another layout.
    torch.nn.LPPool2d; Sermanet et al. 2012, arXiv:1204.3968, section 2.2.
    """

    kind = "lp_pool"
    aliases = ("lppool", "lppool2d")
    norm_type: PositiveNumber
    kernel_size: Pair
    stride: OpenPair = OPEN
    ceil: Flag = False

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return module_call("nn.LPPool2d", self.norm_type, self.kernel_size, stride=self.stride, ceil_mode=self.ceil)

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        powers = keeping_input(tape, tensors[0])
        means = convolved(tape, powers, self.infer(inputs).sizes, False)
        tape.drop(powers)
        signs, sizes = tape.pointwise(means), keeping_input(tape, means)
        rectified = keeping_result(tape, sizes)
        tape.drop(sizes)
        signed = product(tape, signs, rectified)
        tape.drop(signs, rectified)
        sums = tape.pointwise(signed, with_number=True)
        tape.drop(signed)
        result = keeping_input(tape, sums)
        tape.drop(sums, means)
        return result


class _WholeImagePoolOp(CostFreeOp):
    """A pool of any image to a fixed size."""

    torch_module: ClassVar[str]
    call_depends_on = "arguments"

    def output_sizes(self) -> tuple[int, int]:
        """Height and width of the output."""
        return (1, 1)

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout(self.kind, inputs[0], ("CHW",))
        return TensorType((inputs[0].sizes[0], *self.output_sizes()), "CHW")

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return PerAxis((SAME, *[Bins(size) if size > 1 else ALL for size in self.output_sizes()]))

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return module_call(self.torch_module, self.output_sizes())


class GlobalAvgPoolOp(_WholeImagePoolOp):
    """The mean of each channel: ``C x H x W`` to ``C x 1 x 1``. Errors: E306 another layout.

    torch.nn.AdaptiveAvgPool2d(1); Lin et al. 2013, arXiv:1312.4400, section 3.2.
    """

    kind = "global_avgpool"
    aliases = ("gap", "global_pool", "globalavgpool")
    torch_module = "nn.AdaptiveAvgPool2d"

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        return averaged(tape, tensors[0])


class GlobalMaxPoolOp(_WholeImagePoolOp):
    """The largest element of each channel: ``C x H x W`` to ``C x 1 x 1``. Errors: E306 another layout.

    torch.nn.AdaptiveMaxPool2d(1).
    """

    kind = "global_maxpool"
    torch_module = "nn.AdaptiveMaxPool2d"

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        return max_pooled(tape, tensors[0], self.infer(inputs).sizes)


class AdaptiveAvgPoolOp(_WholeImagePoolOp):
    """Means of windows that cover the image: ``C x H x W`` to ``C`` x ``output_size``, from any size.

    Errors: E306 another layout. torch.nn.AdaptiveAvgPool2d.
    """

    kind = "adaptive_avgpool"
    aliases = ("adaptive_avg_pool",)
    torch_module = "nn.AdaptiveAvgPool2d"
    output_size: Pair

    @override
    def output_sizes(self) -> tuple[int, int]:
        return self.output_size

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        (x,) = tensors
        return averaged(tape, x) if self.output_size == (1, 1) else convolved(tape, x, self.infer(inputs).sizes, False)


class AdaptiveMaxPoolOp(_WholeImagePoolOp):
    """Largest elements of windows that cover the image: ``C x H x W`` to ``C`` x ``output_size``, from any size.

    Errors: E306 another layout. torch.nn.AdaptiveMaxPool2d.
    """

    kind = "adaptive_maxpool"
    torch_module = "nn.AdaptiveMaxPool2d"
    output_size: Pair

    @override
    def output_sizes(self) -> tuple[int, int]:
        return self.output_size

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        return max_pooled(tape, tensors[0], self.infer(inputs).sizes)


class BlurPoolOp(Op):
    """Every ``stride``-th element after a binomial low-pass filter: ``C x H x W`` to ``C x H' x W'``.

    Pads by reflection, ``floor((kernel_size - 1) / 2)`` before and ``floor(kernel_size / 2)`` after, and applies
    the filter (a row of Pascal's triangle times itself, sum 1) to each channel, so ``H' = ceil(H / stride)``.
    No parameters, nothing in the state_dict. MACs: those of the depthwise convolution that it is.
    Errors: E306 another layout, E308 an image not larger than the padding. Zhang 2019, arXiv:1904.11486,
    section 3.
    """

    kind = "blurpool"
    mac_formula = "in_channels * kernel ** 2 * out_places"
    kernel_size: PositiveInt = 3
    stride: PositiveInt = 2

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("blurpool", inputs[0], ("CHW",))
        channels, height, width = inputs[0].sizes
        padding = self.kernel_size // 2
        if min(height, width) <= padding:
            message = f"`blurpool` reflects {padding} rows and columns, too many for its input {inputs[0]}"
            raise OpError("E308", message, argument="kernel_size")
        return TensorType((channels, -(-height // self.stride), -(-width // self.stride)), "CHW")

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        window = Window(self.kernel_size, self.stride, (self.kernel_size - 1) // 2, border="reflect")
        return PerAxis((SAME, window, window))

    @override
    def macs(self, inputs: Types, output: TensorType) -> int:
        return prod(output.sizes) * self.kernel_size**2

    @override
    def mac_variables(self, inputs: Types, output: TensorType) -> dict[str, int]:
        return {**super().mac_variables(inputs, output), "kernel": self.kernel_size}

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return ModuleCall("layers.BlurPool2d", (inputs[0].sizes[0], self.kernel_size, self.stride))

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        before, after = (self.kernel_size - 1) // 2, self.kernel_size // 2
        x = padded(tape, tensors[0], (before, after) * 2, "reflect")
        return convolved(tape, x, self.infer(inputs).sizes, False)

    @override
    def constants(self, inputs: Types) -> Mapping[str, ParameterSpec]:
        return {"filter": ParameterSpec((inputs[0].sizes[0], 1, self.kernel_size, self.kernel_size))}
