"""The cases of attention within windows, judged by torchvision's modules; see op_cases."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from torch import Tensor, nn

from archdsl.ops.contract.base import Types
from archdsl.ops.contract.shapes import TensorType
from tests.ops.op_strategies import FLAG, IMAGE, Arguments, Case, Function, examples, pair, per_axis, small, types


@st.composite
def with_heads(draw: st.DrawFn, arguments: Arguments, width: st.SearchStrategy[int]) -> Any:
    """Channels that mostly are a multiple of the heads, of two at least: a product of one is none to torch."""
    heads = arguments["heads"] = draw(small(1, 3))
    channels = heads * draw(small(2, 4)) + (draw(st.integers(0, 4)) == 0)
    return arguments, (TensorType((draw(small(1, 12)), draw(width), channels), "HWC"),)


@st.composite
def shifted(draw: st.DrawFn) -> Any:
    """Windows smaller and larger than the image, shifted along both axes, one or none.

    Those by cosines compute their biases once for a whole batch, where a test here would count them for each
    example; test_zoo_windows judges them.
    """
    window = draw(per_axis(small(1, 5)))
    shift = tuple(draw(small(0, size - 1)) for size in pair(window))
    arguments = {"window": window, "shift": shift, "dropout": draw(st.floats(0, 1))}
    return draw(with_heads(arguments, small(1, 12)))


def window_attention(arguments: Arguments, inputs: Types) -> nn.Module:
    from torchvision.models.swin_transformer import ShiftedWindowAttention

    sizes = [list(pair(arguments[name])) for name in ("window", "shift")]
    channels, dropout = inputs[0].sizes[2], arguments["dropout"]
    module: nn.Module = ShiftedWindowAttention(channels, *sizes, arguments["heads"], attention_dropout=dropout)
    return module


@st.composite
def square_windows(draw: st.DrawFn) -> Any:
    """Rows that mostly are a window's; torchvision knows square ones."""
    window = draw(small(2, 3))
    return draw(with_heads({"window": window}, st.sampled_from([window**2] * 3 + [3])))


def relative_attention(arguments: Arguments, inputs: Types) -> nn.Module:
    from torchvision.models.maxvit import RelativePositionalMultiHeadAttention

    channels, heads = inputs[0].sizes[2], arguments["heads"]
    if channels % heads:
        raise ValueError("torchvision is told the width of a head instead")
    module: nn.Module = RelativePositionalMultiHeadAttention(channels, channels // heads, arguments["window"] ** 2)
    return module


@st.composite
def cut(draw: st.DrawFn) -> Any:
    """Images that windows mostly divide."""
    window, image = draw(per_axis(small(1, 3))), draw(IMAGE)[0]
    if draw(st.integers(0, 4)):
        sizes = (image.sizes[0], *(size * part for size, part in zip(image.sizes[1:], pair(window), strict=True)))
        image = image._replace(sizes=sizes)
    return {"window": window, "grid": draw(FLAG)}, (image,)


def windows(arguments: Arguments, inputs: Types) -> nn.Module:
    """By unfolding: windows with strides, or with dilation for the grid."""
    (rows, columns), (_, height, width) = pair(arguments["window"]), inputs[0].sizes
    if height % rows or width % columns:
        raise ValueError("torchvision leaves this undefined")
    apart = (height // rows, width // columns)
    spread = {"dilation": apart} if arguments["grid"] else {"stride": (rows, columns)}
    unfold = nn.Unfold((rows, columns), **spread)

    def body(x: Tensor) -> Tensor:
        unfolded: Tensor = unfold(x)
        return unfolded.view(len(x), x.shape[1], rows * columns, -1).permute(0, 3, 2, 1)

    return Function(body)


@st.composite
def put_back(draw: st.DrawFn) -> Any:
    """What ``windows`` would have made, mostly."""
    rows, columns, down, across, channels = (draw(small(1, 3)) for _ in range(5))
    size = (rows * down, columns * across + (draw(st.integers(0, 4)) == 0))
    (type_,) = draw(types("HWC"))
    count = down * across + (draw(st.integers(0, 4)) == 0)
    type_ = type_._replace(sizes=(count, rows * columns, channels))
    return {"window": (rows, columns), "size": size, "grid": draw(FLAG)}, (type_,)


def unwindows(arguments: Arguments, inputs: Types) -> nn.Module:
    """By folding."""
    (rows, columns), size = arguments["window"], arguments["size"]
    if size[0] % rows or size[1] % columns:
        raise ValueError("torch would leave some of the image out")
    spread = {"dilation": (size[0] // rows, size[1] // columns)} if arguments["grid"] else {"stride": (rows, columns)}
    fold = nn.Fold(size, (rows, columns), **spread)
    return Function(lambda x: fold(x.permute(0, 3, 2, 1).flatten(1, 2)))


def patch_merging(arguments: Arguments, inputs: Types) -> nn.Module:
    from torchvision.models.swin_transformer import _patch_merging_pad

    return Function(_patch_merging_pad)


WINDOW_ATTENTION: dict[str, Case] = {
    "patch_merging": Case(examples({}, types("HWC")), patch_merging),
    "window_attention": Case(shifted(), window_attention),
    "windows": Case(cut(), windows),
    "unwindows": Case(put_back(), unwindows),
    "relative_attention": Case(square_windows(), relative_attention),
}
