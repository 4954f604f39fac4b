"""Tensor types and the arithmetic of windows. Shapes exclude the batch."""

from __future__ import annotations

from typing import Literal, NamedTuple

Layout = Literal["C", "CL", "CHW", "HWC", "LC", "free"]
"""Which axis is which: features, a signal, an image, a channels-last image, tokens, or nothing known."""

_CHANNEL_AXIS: dict[str, int] = {"C": 0, "CL": 0, "CHW": 0, "HWC": 2, "LC": 1}
_LAYOUT_NAMES: dict[Layout, str] = {
    "C": "features C",
    "CL": "a signal C x L",
    "CHW": "an image C x H x W",
    "HWC": "a channels-last image H x W x C",
    "LC": "tokens L x C",
    "free": "axes without names",
}
_BY_RANK: dict[int, Layout] = {1: "C", 2: "LC", 3: "CHW"}


class TensorType(NamedTuple):
    """Sizes without the batch, and the layout that says what each axis is."""

    sizes: tuple[int, ...]
    layout: Layout

    @classmethod
    def of(cls, sizes: tuple[int, ...], layout: Layout | None = None) -> TensorType:
        """The type with the usual layout of this rank: ``C``, tokens ``L x C``, image ``C x H x W``."""
        return cls(sizes, layout or _BY_RANK.get(len(sizes), "free"))

    @property
    def channel_axis(self) -> int | None:
        """The axis of the channels in ``sizes``; None where the layout does not say."""
        return _CHANNEL_AXIS.get(self.layout)

    @property
    def elements(self) -> int:
        """Number of elements of one example."""
        product = 1
        for size in self.sizes:
            product *= size
        return product

    def __str__(self) -> str:
        return format_sizes(self.sizes)


def layout_name(layout: Layout) -> str:
    """``HWC`` as messages write it: ``a channels-last image H x W x C``."""
    return _LAYOUT_NAMES[layout]


def format_sizes(sizes: tuple[int, ...]) -> str:
    """``(256, 56, 56)`` as a spec writes it: ``256x56x56``."""
    return "x".join(map(str, sizes))


def window_output(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil: bool = False) -> int:
    """Positions of a sliding window along one axis; below 1 where the window does not fit.

    The arithmetic of torch's convolutions and pools; with ``ceil``, a last window that would start
    in the right padding is dropped, as torch does.
    """
    span = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil:
        return span // stride + 1
    output = -(-span // stride) + 1
    return output - 1 if (output - 1) * stride >= size + padding else output


def transposed_window_output(
    size: int, kernel: int, stride: int, padding: int, dilation: int, output_padding: int
) -> int:
    """Size along one axis after a transposed convolution."""
    return (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1
