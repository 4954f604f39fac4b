"""What convolutions and pools have in common: default padding, output sizes, how windows are refused."""

from __future__ import annotations

from typing import Any, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from archdsl.ops.base import Op, OpError
from archdsl.shapes import window_output

AXES = {1: ("length",), 2: ("height", "width")}


def as_axes(value: int | tuple[int, ...]) -> tuple[int, ...]:
    """One number per axis; a plain number is a single axis."""
    return (value,) if isinstance(value, int) else value


def default_padding(kernel: int, stride: int, dilation: int) -> int:
    """The padding of an axis for which the spec gives none.

    0 where the stride equals the kernel (patches and most pools), else what keeps the size at
    stride 1. Raises PydanticCustomError for even kernels, for which no such padding exists.
    """
    if stride == kernel:
        return 0
    if kernel % 2 == 0:
        message = "`padding` must be written for the even kernel {kernel} with stride {stride}"
        raise PydanticCustomError("padding_open", message, {"kernel": kernel, "stride": stride})
    return dilation * (kernel - 1) // 2


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
            kernel, stride, dilation = self.window()
            padding = tuple(map(default_padding, kernel, stride, dilation))
            arguments["padding"] = padding if isinstance(arguments["kernel_size"], tuple) else padding[0]
        return self

    def window(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Kernel, stride and dilation per axis."""
        arguments = self.__dict__
        kernel = as_axes(arguments["kernel_size"])
        dilation = as_axes(arguments["dilation"]) if "dilation" in arguments else (1,) * len(kernel)
        return kernel, as_axes(arguments["stride"]), dilation

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
