"""What convolutions and pools have in common: default padding, output sizes, how windows are refused."""

from __future__ import annotations

from math import prod
from typing import Any, Self

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


class WindowedOp(Op):
    """An op with ``kernel_size``, ``stride``, ``padding`` and maybe ``dilation``, each per axis or for one axis.

    The fields are declared by the subclasses, as each has its own order of arguments. ``stride``
    and ``padding`` that are none on construction are filled in here.
    """

    @model_validator(mode="after")
    def _fill_open_arguments(self) -> Self:
        arguments: dict[str, Any] = self.__dict__
        if arguments["stride"] is None:
            arguments["stride"] = arguments["kernel_size"]
        if arguments["padding"] is None:
            padding = default_padding(*self.window())
            arguments["padding"] = padding if isinstance(arguments["kernel_size"], tuple) else padding[0]
        return self

    def window(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Kernel, stride and dilation per axis."""
        arguments = self.__dict__
        kernel = as_axes(arguments["kernel_size"])
        dilation = as_axes(arguments["dilation"]) if "dilation" in arguments else (1,) * len(kernel)
        return kernel, as_axes(arguments["stride"]), dilation

    @override
    def mac_variables(self, inputs: Types, output: TensorType) -> dict[str, int]:
        """``kernel`` are the elements of the kernel."""
        return {**super().mac_variables(inputs, output), "kernel": prod(self.window()[0])}

    def window_sizes(self, sizes: tuple[int, ...], ceil: bool = False) -> tuple[int, ...]:
        """Output sizes of the axes that the window moves along. Raises OpError E304 where it does not fit."""
        kernel, stride, dilation = self.window()
        padding = as_axes(self.__dict__["padding"])
        output = tuple(
            [
                window_output(size, k, s, p, d, ceil)
                for size, k, s, p, d in zip(sizes, kernel, stride, padding, dilation, strict=True)
            ]
        )
        for axis, size in enumerate(output):
            if size < 1:
                raise self._too_large(axis, sizes[axis], kernel[axis], padding[axis], dilation[axis])
        return output

    def _too_large(self, axis: int, size: int, kernel: int, padding: int, dilation: int) -> OpError:
        span = dilation * (kernel - 1) + 1
        covers = f" (which covers {span} at dilation {dilation})" if dilation > 1 else ""
        padded = f"{size} + 2 x {padding} = {size + 2 * padding} with its padding" if padding else str(size)
        name = AXES[len(self.window()[0])][axis]
        return OpError(
            "E304",
            f"the kernel of `{self.kind}`, {kernel}{covers}, is larger than the input's {name}, {padded}",
            help="make the kernel smaller, pad more, or use fewer strides before it",
            argument="kernel_size",
        )


def check_half_padding(kernel: tuple[int, ...], padding: tuple[int, ...]) -> None:
    """Refuse a pool with windows that may hold padding alone, as torch does. Raises PydanticCustomError."""
    for k, p in zip(kernel, padding, strict=True):
        if 2 * p > k:
            message = (
                "`padding` must be at most half the kernel, and {padding} is more than half of {kernel}; "
                "a dilated pool needs it written"
            )
            raise PydanticCustomError("padding_large", message, {"padding": p, "kernel": k})
