"""The cases of ops that move elements, of merges and of inputs; see op_cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import Tensor, nn
from typing_extensions import override

from archdsl.ops.contract.base import Types
from archdsl.ops.contract.shapes import Layout, TensorType
from tests.ops.op_strategies import (
    FLAG,
    IMAGE,
    Arguments,
    Case,
    Function,
    any_layout,
    examples,
    pair,
    per_axis,
    small,
    types,
)

WITH_CHANNELS: tuple[Layout, ...] = ("C", "CL", "CHW", "HWC", "LC")

# ---- moving elements -----------------------------------------------------------------------------


def function(body: Callable[..., Tensor]) -> Callable[[Arguments, Types], nn.Module]:
    """``body(x, **arguments)`` as a module."""
    return lambda arguments, inputs: Function(lambda *tensors: body(*tensors, **arguments))


@st.composite
def reshaped(draw: st.DrawFn) -> Any:
    type_ = draw(any_layout())[0]
    factors = [n for n in range(1, type_.elements + 1) if type_.elements % n == 0]
    first = draw(st.sampled_from(factors))
    exact = st.sampled_from([(first, type_.elements // first), (type_.elements,), (1, first, type_.elements // first)])
    return {"sizes": draw(st.one_of(exact, exact, st.tuples(small(1, 9), small(1, 9))))}, (type_,)


def reshape(arguments: Arguments, inputs: Types) -> nn.Module:
    """Torch takes any sizes of as many elements; an image's are not to become tokens as they lie, nor the other way."""
    sizes, (x,) = arguments["sizes"], inputs
    output = TensorType.of(sizes)
    turned = (x.layout, output.layout) in (("CHW", "LC"), ("LC", "CHW"), ("HWC", "CHW"))
    if turned and all(1 < each.sizes[each.channel_axis or 0] < x.elements for each in (x, output)):
        raise ValueError("the axes would be misread")
    return Function(lambda x: torch.reshape(x, (x.shape[0], *sizes)))


@st.composite
def permuted(draw: st.DrawFn) -> Any:
    type_ = draw(any_layout())[0]
    rank = draw(st.sampled_from([len(type_.sizes)] * 3 + [2, 3]))
    return {"axes": tuple(draw(st.permutations(range(rank))))}, (type_,)


def upsampled(arguments: Arguments, inputs: Types) -> nn.Module:
    align = arguments["align_corners"]
    if arguments["mode"].startswith("nearest"):
        align = align or None  # torch refuses even false there
    return nn.Upsample(scale_factor=arguments["scale_factor"], mode=arguments["mode"], align_corners=align)


class Resized(nn.Module):
    """Of the second image, only the size."""

    def __init__(self, mode: str, align_corners: bool) -> None:
        super().__init__()
        if align_corners and mode.startswith("nearest"):
            raise ValueError("nearest has no corners to align")
        self.arguments: dict[str, Any] = {"mode": mode, "align_corners": align_corners or None}

    @override
    def forward(self, x: Tensor, like: Tensor) -> Tensor:
        return F.interpolate(x, size=(like.shape[2], like.shape[3]), **self.arguments)


@st.composite
def resized(draw: st.DrawFn) -> Any:
    modes = st.sampled_from(["nearest", "nearest-exact", "bilinear", "bicubic"])
    return {"mode": draw(modes), "align_corners": draw(FLAG)}, (*draw(IMAGE), *draw(IMAGE))


@st.composite
def cropped(draw: st.DrawFn) -> Any:
    offset = draw(st.tuples(small(0, 3), small(0, 3)))
    return {"size": draw(per_axis(small(1, 4))), "offset": offset}, draw(IMAGE)


def crop(x: Tensor, size: Any, offset: tuple[int, int]) -> Tensor:
    height, width = pair(size)
    return x.narrow(2, offset[0], height).narrow(3, offset[1], width)


def pad(x: Tensor, sizes: tuple[int, ...], value: float, mode: str) -> Tensor:
    return F.pad(x, sizes, mode, value if mode == "constant" else None)


def along_channels(
    body: Callable[[Tensor, int, Arguments], Tensor],
) -> Callable[[Arguments, Types], nn.Module]:
    def build(arguments: Arguments, inputs: Types) -> nn.Module:
        axis = inputs[0].channel_axis
        assert axis is not None
        return Function(lambda x: body(x, axis + 1, arguments))

    return build


@st.composite
def with_channels(draw: st.DrawFn, arguments: Mapping[str, st.SearchStrategy[Any]], factor: str | None = None) -> Any:
    """Any layout with channels, as many as a multiple of the argument ``factor``."""
    drawn = draw(st.fixed_dictionaries(dict(arguments)))
    layout = draw(st.sampled_from(WITH_CHANNELS))
    multiple = drawn[factor] if factor else 1
    return drawn, draw(types(layout, channels=small(1, 4).map(lambda n: n * multiple)))


def sliced(x: Tensor, axis: int, arguments: Arguments) -> Tensor:
    kept = torch.arange(x.shape[axis])[arguments["start"] : arguments["stop"]]
    return x.index_select(axis, kept)


@st.composite
def slices(draw: st.DrawFn) -> Any:
    """Ranges within the channels, some empty."""
    layout = draw(st.sampled_from(WITH_CHANNELS))
    inputs = draw(types(layout))
    channels = inputs[0].sizes[inputs[0].channel_axis]
    stop = draw(st.none() | small(1 - channels, channels))
    return {"start": draw(small(-channels, channels - 1)), "stop": stop}, inputs


@st.composite
def tokens_of_images(draw: st.DrawFn) -> Any:
    size = draw(per_axis(small(1, 5)))
    height, width = pair(size)
    tokens = TensorType((height * width, draw(small(1, 6))), "LC")
    return {"size": size}, (tokens,)


def image(x: Tensor, size: Any) -> Tensor:
    return x.permute(0, 2, 1).reshape(x.shape[0], x.shape[2], *pair(size))


def tokens(arguments: Arguments, inputs: Types) -> nn.Module:
    def by_place(x: Tensor) -> Tensor:
        places_first = x.permute(0, 2, 3, 1) if inputs[0].layout == "CHW" else x
        return places_first.reshape(x.shape[0], -1, places_first.shape[3])

    return Function(by_place)


@st.composite
def more_channels(draw: st.DrawFn) -> Any:
    inputs = draw(IMAGE)
    return {"out_channels": inputs[0].sizes[0] + draw(small(0, 4))}, inputs


BORDER = st.tuples(*[small(0, 3)] * 4)

MOVES: dict[str, Case] = {
    "flatten": Case(examples({}, any_layout()), function(lambda x: torch.flatten(x, 1))),
    "reshape": Case(reshaped(), reshape),
    "permute": Case(permuted(), function(lambda x, axes: torch.permute(x, (0, *[axis + 1 for axis in axes])))),
    "channels_last": Case(examples({}, any_layout("CHW", "CL")), function(lambda x: torch.movedim(x, 1, -1))),
    "channels_first": Case(examples({}, any_layout("HWC", "LC")), function(lambda x: torch.movedim(x, -1, 1))),
    "tokens": Case(examples({}, any_layout("CHW", "HWC")), tokens),
    "image": Case(tokens_of_images(), function(image)),
    "select": Case(
        examples({"index": small(-4, 4)}, types("LC")), function(lambda x, index: torch.select(x, 1, index))
    ),
    "upsample": Case(
        examples(
            {
                "scale_factor": st.floats(0.2, 3) | st.tuples(st.floats(0.2, 3), st.sampled_from([0.5, 1.0, 2.0, 3.0])),
                "mode": st.sampled_from(["nearest", "nearest-exact", "bilinear", "bicubic"]),
                "align_corners": FLAG,
            },
            IMAGE,
        ),
        upsampled,
    ),
    "resize": Case(resized(), lambda arguments, inputs: Resized(**arguments)),
    "pixel_shuffle": Case(
        examples({"factor": small(1, 3)}, types("CHW", channels=st.sampled_from([1, 4, 8, 9, 18]))),
        lambda arguments, inputs: nn.PixelShuffle(arguments["factor"]),
    ),
    "space_to_depth": Case(
        examples({"factor": small(1, 3)}, IMAGE), lambda arguments, inputs: nn.PixelUnshuffle(arguments["factor"])
    ),
    "pad": Case(
        examples(
            {
                "sizes": BORDER,
                "value": st.floats(-1, 1),
                "mode": st.sampled_from(["constant", "reflect", "replicate", "circular"]),
            },
            types("CHW", 5),
        ),
        function(pad),
    ),
    "crop": Case(cropped(), function(crop)),
    "pad_channels": Case(
        more_channels(),
        function(lambda x, out_channels: F.pad(x, (0, 0, 0, 0, 0, out_channels - x.shape[1]))),
    ),
    "chunk": Case(
        with_channels({"chunks": small(1, 4), "index": small(-5, 5)}, "chunks"),
        along_channels(lambda x, axis, a: torch.chunk(x, a["chunks"], axis)[a["index"]]),
    ),
    "channel_slice": Case(slices(), along_channels(sliced)),
    "channel_shuffle": Case(
        examples({"groups": small(1, 4)}, IMAGE), lambda arguments, inputs: nn.ChannelShuffle(**arguments)
    ),
}

# ---- merges and inputs ---------------------------------------------------------------------------


@st.composite
def operands(draw: st.DrawFn, changed: tuple[int, ...]) -> Any:
    """Two to four inputs of one layout, equal but for a size of one of ``changed`` on some axes."""
    first = draw(any_layout(*WITH_CHANNELS))[0]
    inputs = [first]
    for _ in range(draw(small(1, 3))):
        sizes = [draw(st.sampled_from([size, size, size, *changed])) for size in first.sizes]
        inputs.append(TensorType(tuple(sizes), first.layout))
    return {}, tuple(draw(st.permutations(inputs)))


def concatenated(arguments: Arguments, inputs: Types) -> nn.Module:
    axis = inputs[0].channel_axis
    assert axis is not None
    return Function(lambda *tensors: torch.cat(tensors, axis + 1))


def product(*tensors: Tensor) -> Tensor:
    result = tensors[0]
    for tensor in tensors[1:]:
        result = result * tensor
    return result


def with_number(body: Callable[[Tensor, float], Tensor]) -> Case:
    return Case(examples({"value": st.floats(-9, 9)}, any_layout()), function(lambda x, value: body(x, value)))


STRUCTURAL: dict[str, Case] = {
    "input": Case(
        any_layout().map(lambda inputs: ({"sizes": inputs[0].sizes, "layout": inputs[0].layout}, ())),
        lambda arguments, inputs: Function(lambda: torch.empty(2, *arguments["sizes"])),
    ),
    "add": Case(operands((3,)), function(lambda *tensors: torch.stack(tensors).sum(0))),
    "concat": Case(operands((3,)), concatenated),
    "mul": Case(operands((1, 1, 3)), function(product)),
    "mul_scalar": with_number(lambda x, value: x * value),
    "add_scalar": with_number(lambda x, value: value + x),
    "rsub_scalar": with_number(lambda x, value: value - x),
}
