"""Ops that change an image's size without windows: upsampling, shuffles, borders."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from typing import TYPE_CHECKING, Literal, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import override

from archdsl.ops.contract.argument_types import (
    Border,
    Flag,
    Number,
    NumberPair,
    OptionalPaddingPair,
    Pair,
    PositiveInt,
)
from archdsl.ops.contract.base import CostFreeOp, ModuleOp, OpError, Tensors, Types, require_layout
from archdsl.ops.contract.shapes import TensorType
from archdsl.ops.contract.torch_call import FunctionCall, ModuleCall, TorchCall, X, module_call
from archdsl.ops.facts.reading import SAME, SOME, Bins, PerAxis, PerOperand, Reads, Resampled, Window, in_place
from archdsl.ops.memory.tape import Tape, Tensor
from archdsl.ops.memory.torch_memory import image, narrowed, padded

_Mode = Literal["nearest", "nearest-exact", "bilinear", "bicubic"]


class _NewImageOp(CostFreeOp):
    """An image made of the first input, which is not kept."""

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        x = tensors[0]
        return image(tape, x, self.infer(inputs).sizes, grad=x.grad)


class _InterpolatingOp(_NewImageOp):
    """What ops with a ``mode`` and ``align_corners`` share: the first image at another size."""

    if TYPE_CHECKING:
        mode: _Mode
        align_corners: bool

    @model_validator(mode="after")
    def _check_corners(self) -> Self:
        if self.align_corners and self.mode.startswith("nearest"):
            message = "`align_corners` goes with `bilinear` and `bicubic`, not with `{mode}`"
            raise PydanticCustomError("align_corners", message, {"mode": self.mode})
        return self

    def _resampled(self, x: TensorType, output: TensorType, factors: Sequence[float | None]) -> PerAxis:
        """What of the image is read where it is enlarged by these factors, or (None) to the output's size."""
        if self.mode == "bicubic" and output.sizes == x.sizes:
            return in_place(3)  # torch copies an image that keeps its size
        axes = zip(factors, output.sizes[1:], strict=True)
        return PerAxis((SAME, *[Resampled(factor, size, self.mode, self.align_corners) for factor, size in axes]))


class UpsampleOp(_InterpolatingOp):
    """The image at ``scale_factor`` times its size: ``C x H x W`` to ``C x floor(H s) x floor(W s)``.

    ``scale_factor`` is a number, or one for the height and one for the width; below 1 it shrinks.
    ``align_corners`` (``bilinear`` and ``bicubic`` only) keeps the corners' values. To the size of another tensor:
    ``resize``. Errors: E306 another layout, E308 an empty output. torch.nn.Upsample.
    """

    kind = "upsample"
    aliases = ("interpolate",)
    scale_factor: NumberPair
    mode: _Mode = "nearest"
    align_corners: Flag = False

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("upsample", inputs[0], ("CHW",))
        channels, *sizes = inputs[0].sizes
        height, width = [floor(size * factor) for size, factor in zip(sizes, self.scale_factor, strict=True)]
        if min(height, width) < 1:
            message = f"`upsample` would make an image of {height}x{width} from {inputs[0]}"
            raise OpError("E308", message, argument="scale_factor")
        return TensorType((channels, height, width), "CHW")

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return self._resampled(inputs[0], output, self.scale_factor)

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        align_corners = True if self.align_corners else None  # torch refuses False for nearest
        return module_call("nn.Upsample", scale_factor=self.scale_factor, mode=self.mode, align_corners=align_corners)


class ResizeOp(_InterpolatingOp, ModuleOp):
    """The first of two images at the size of the second: of ``C x H x W`` and ``D x H' x W'``, ``C x H' x W'``.

    Of the second only the size is taken, in the built model that of the images at hand. ``align_corners``
    (``bilinear`` and ``bicubic`` only) keeps the corners' values. Errors: E306 another layout.
    torch.nn.functional.interpolate; for ``nearest`` Lin et al. 2017, arXiv:1612.03144, section 3.
    """

    kind = "resize"
    torch_module = "layers.Resize"
    arity = 2
    mode: _Mode = "nearest"
    align_corners: Flag = False

    @override
    def infer(self, inputs: Types) -> TensorType:
        for operand, type_ in enumerate(inputs):
            require_layout("resize", type_, ("CHW",), operand=operand)
        return TensorType((inputs[0].sizes[0], *inputs[1].sizes[1:]), "CHW")

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return PerOperand((self._resampled(inputs[0], output, (None, None)), None))


class PixelShuffleOp(_NewImageOp, ModuleOp):
    """Channels to places: ``C x H x W`` to ``C / f^2 x H f x W f`` for a ``factor`` f.

    Errors: E306 another layout, E308 channels that f^2 does not divide. torch.nn.PixelShuffle; Shi et al.
    2016, arXiv:1609.05158, section 2.2.
    """

    kind = "pixel_shuffle"
    aliases = ("pixelshuffle",)
    torch_module = "nn.PixelShuffle"
    factor: PositiveInt

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("pixel_shuffle", inputs[0], ("CHW",))
        channels, height, width = inputs[0].sizes
        if channels % self.factor**2:
            message = f"`pixel_shuffle` by {self.factor} needs a multiple of {self.factor**2} channels, not {channels}"
            raise OpError("E308", message, argument="factor")
        return TensorType((channels // self.factor**2, height * self.factor, width * self.factor), "CHW")

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return PerAxis((SOME, *[Bins(size) if size > 1 else SAME for size in output.sizes[1:]]))


class SpaceToDepthOp(_NewImageOp, ModuleOp):
    """Places to channels, what ``pixel_shuffle`` undoes: ``C x H x W`` to ``C f^2 x H / f x W / f``.

    Errors: E306 another layout, E308 sizes that ``factor`` does not divide. torch.nn.PixelUnshuffle.
    """

    kind = "space_to_depth"
    torch_module = "nn.PixelUnshuffle"
    factor: PositiveInt

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("space_to_depth", inputs[0], ("CHW",))
        channels, height, width = inputs[0].sizes
        if height % self.factor or width % self.factor:
            message = f"`space_to_depth` by {self.factor} does not divide the height and width of {inputs[0]}"
            raise OpError("E308", message, argument="factor")
        return TensorType((channels * self.factor**2, height // self.factor, width // self.factor), "CHW")

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        window = Window(self.factor, self.factor)
        return PerAxis((SOME, window, window))


class PadOp(CostFreeOp):
    """Rows and columns around an image: ``C x H x W`` to ``C x (H + top + bottom) x (W + left + right)``.

    ``sizes`` is a number for all sides, ``height x width``, or a list of left, right, top and bottom, as torch orders
    them. ``mode`` constant fills with ``value``. Errors: E306 another layout, E308 borders that ``reflect`` or
    ``circular`` cannot fill from the image. torch.nn.functional.pad.
    """

    kind = "pad"
    sizes: Border
    value: Number = 0.0
    mode: Literal["constant", "reflect", "replicate", "circular"] = "constant"

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("pad", inputs[0], ("CHW",))
        channels, height, width = inputs[0].sizes
        left, right, top, bottom = self.sizes
        self._check_source(height, max(top, bottom), "height")
        self._check_source(width, max(left, right), "width")
        return TensorType((channels, height + top + bottom, width + left + right), "CHW")

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        left, _, top, _ = self.sizes
        return PerAxis((SAME, *[Window(1, 1, before, border=self.mode) for before in (top, left)]))

    def _check_source(self, size: int, border: int, axis: str) -> None:
        most = {"reflect": size - 1, "circular": size}.get(self.mode)
        if most is not None and border > most:
            message = f"`pad` in mode {self.mode} adds at most {most} to the {axis} {size}, but is asked for {border}"
            raise OpError("E308", message, argument="sizes")

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        if self.mode != "constant":
            return FunctionCall("F.pad", (X, self.sizes), {"mode": self.mode})
        return FunctionCall("F.pad", (X, self.sizes), {"value": self.value} if self.value else {})

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        return padded(tape, tensors[0], self.sizes, self.mode)


class CropOp(CostFreeOp):
    """A part of an image: ``C x H x W`` to ``C`` x ``size``.

    ``offset`` is its first row and column; without it the part is the centre, with the smaller border before
    it. Errors: E306 another layout, E308 a part outside the image. Slicing in torch.
    """

    kind = "crop"
    size: Pair
    offset: OptionalPaddingPair = None

    def start(self, type_: TensorType) -> tuple[int, int]:
        """First row and column that are kept of an image of this type."""
        if self.offset is not None:
            return self.offset
        _, height, width = type_.sizes
        return (height - self.size[0]) // 2, (width - self.size[1]) // 2

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("crop", inputs[0], ("CHW",))
        _, height, width = inputs[0].sizes
        row, column = self.start(inputs[0])
        if min(row, column) < 0 or row + self.size[0] > height or column + self.size[1] > width:
            at = f" at row {row}, column {column}" if self.offset is not None else ""
            message = f"cannot crop {self.size[0]}x{self.size[1]}{at} from {inputs[0]}"
            raise OpError("E308", message, argument="size")
        return TensorType((inputs[0].sizes[0], *self.size), "CHW")

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return PerAxis((SAME, *[Window(1, 1, -start) for start in self.start(inputs[0])]))

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        if self.offset is None:
            return ModuleCall("layers.CenterCrop2d", self.size)
        (row, column), (height, width) = self.offset, self.size
        everything = slice(None)
        kept = (everything, everything, slice(row, row + height), slice(column, column + width))
        return FunctionCall("operator.getitem", (X, kept))

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        height, width = self.size
        return narrowed(narrowed(tensors[0], 2, height), 3, width)
