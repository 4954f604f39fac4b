"""What convolutions and pools have in common: default padding, output sizes, how windows are refused."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple, Self, final

from pydantic import model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import override

from archdsl.ops.contract.base import Op, OpError, Types
from archdsl.ops.contract.shapes import TensorType, window_output

AXES = {1: ("length",), 2: ("height", "width")}


def as_axes(value: int | tuple[int, ...]) -> tuple[int, ...]:
    """One number per axis; a plain number is a single axis."""
    return (value,) if isinstance(value, int) else value


def default_padding(kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]) -> tuple[int, ...]:
    """The padding of each axis where the spec gives none.

    0 where the stride equals the kernel (patches and most pools), else what keeps the size at
    stride 1. Raises PydanticCustomError for even kernels, for which no such padding exists.
    """
    axes = list(zip(kernel, stride, dilation, strict=True))
    for k, s, _ in axes:
        if s != k and k % 2 == 0:
            message = "`padding` must be written for the even kernel {kernel} with stride {stride}"
            context = {"kernel": k, "stride": s, "help": _possible_padding(axes)}
            raise PydanticCustomError("padding_open", message, context)
    return tuple([0 if s == k else d * (k - 1) // 2 for k, s, d in axes])


def _possible_padding(axes: list[tuple[int, int, int]]) -> str:
    """What to write for an even kernel: the padding with which the stride alone changes the size, or the next ones.

    Kernel k, stride s and padding p make ``floor((H + 2p - k) / s) + 1`` of H, which is ``floor(H / s)`` for
    ``2p = k - s``; a transposed convolution makes ``H s`` of H then.
    """
    doubled = [max(0, d * (k - 1) + 1 - s) for k, s, d in axes]
    below, above = _per_axis([p // 2 for p in doubled]), _per_axis([(p + 1) // 2 for p in doubled])
    if below != above:
        return f"no padding fits exactly: write `padding = {below}` or `padding = {above}`"
    if not any(doubled):
        return f"write `padding = {below}`"
    effect = "keeps the size" if all(s == 1 for _, s, _ in axes) else "leaves it to the stride to change the size"
    return f"write `padding = {below}`, which {effect}, or `padding = 0` for patches"


def _per_axis(sizes: list[int]) -> str:
    return str(sizes[0]) if len(set(sizes)) == 1 else "x".join(map(str, sizes))


class WindowAxis(NamedTuple):
    """How windows lie along one axis."""

    kernel: int
    stride: int
    padding: int
    dilation: int


class WindowedOp(Op):
    """An op whose windows of ``kernel_size`` move by ``stride``, without padding; a number each of a signal's one axis.

    Subclasses declare the fields that are named here, as each has its own order of arguments and its own defaults. A
    ``stride`` that is left open is the kernel's size.
    """

    if TYPE_CHECKING:
        kernel_size: int | tuple[int, ...]
        stride: int | tuple[int, ...]

    @model_validator(mode="after")
    def _fill_stride(self) -> Self:
        if self.stride is None:
            self.fill(stride=self.kernel_size)
        return self

    def paddings(self) -> tuple[int, ...]:
        """The padding on either side of each axis."""
        return (0,) * len(as_axes(self.kernel_size))

    def dilations(self) -> tuple[int, ...]:
        """How far the elements of a window lie apart, along each axis."""
        return (1,) * len(as_axes(self.kernel_size))

    @final
    def window_axes(self) -> list[WindowAxis]:
        """The windows along each axis."""
        numbers = as_axes(self.kernel_size), as_axes(self.stride), self.paddings(), self.dilations()
        return [WindowAxis(*axis) for axis in zip(*numbers, strict=True)]

    @override
    def mac_variables(self, inputs: Types, output: TensorType) -> dict[str, int]:
        """``kernel`` are the elements of the kernel."""
        return {**super().mac_variables(inputs, output), "kernel": prod(as_axes(self.kernel_size))}

    def window_sizes(self, sizes: tuple[int, ...], ceil: bool = False) -> tuple[int, ...]:
        """Output sizes of the axes that the window moves along. Raises OpError E304 where it does not fit."""
        axes = self.window_axes()
        output = tuple([window_output(size, *axis, ceil) for size, axis in zip(sizes, axes, strict=True)])
        for name, size, axis, made in zip(AXES[len(sizes)], sizes, axes, output, strict=True):
            if made < 1:
                raise self._too_large(name, size, axis)
        return output

    def _too_large(self, name: str, size: int, axis: WindowAxis) -> OpError:
        span = axis.dilation * (axis.kernel - 1) + 1
        covers = f" (which covers {span} at dilation {axis.dilation})" if axis.dilation > 1 else ""
        more = f" + 2 x {axis.padding} = {size + 2 * axis.padding} with its padding" if axis.padding else ""
        return OpError(
            "E304",
            f"the kernel of `{self.kind}`, {axis.kernel}{covers}, is larger than the input's {name}, {size}{more}",
            help="make the kernel smaller, pad more, or use fewer strides before it",
            argument="kernel_size",
        )


class PaddedWindowedOp(WindowedOp):
    """A windowed op with ``padding``; one that is left open is what ``default_padding`` says."""

    if TYPE_CHECKING:
        padding: int | tuple[int, ...]

    @model_validator(mode="after")
    def _fill_padding(self) -> Self:
        if self.padding is None:
            padding = default_padding(as_axes(self.kernel_size), as_axes(self.stride), self.dilations())
            self.fill(padding=padding if isinstance(self.kernel_size, tuple) else padding[0])
        return self

    @override
    def paddings(self) -> tuple[int, ...]:
        return as_axes(self.padding)


class DilatedWindowedOp(PaddedWindowedOp):
    """A windowed op with ``padding`` and ``dilation``."""

    if TYPE_CHECKING:
        dilation: int | tuple[int, ...]

    @override
    def dilations(self) -> tuple[int, ...]:
        return as_axes(self.dilation)


def check_half_padding(kernel: tuple[int, ...], padding: tuple[int, ...]) -> None:
    """Refuse a pool with windows that may hold padding alone, as torch does. Raises PydanticCustomError."""
    for k, p in zip(kernel, padding, strict=True):
        if 2 * p > k:
            message = (
                "`padding` must be at most half the kernel, and {padding} is more than half of {kernel}; "
                "a dilated pool needs it written"
            )
            raise PydanticCustomError("padding_large", message, {"padding": p, "kernel": k})
