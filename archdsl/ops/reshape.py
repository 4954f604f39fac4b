"""Ops that move or regroup elements and compute nothing."""

from __future__ import annotations

from abc import abstractmethod
from math import prod
from typing import Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import override

from archdsl.ops.contract.argument_types import Axes, Pair, Sizes
from archdsl.ops.contract.base import CostFreeOp, ModuleOp, OpError, PointwiseOp, Tensors, Types, require_layout
from archdsl.ops.contract.shapes import Layout, TensorType, format_sizes, layout_name
from archdsl.ops.contract.torch_call import FunctionCall, ModuleCall, TorchCall, X, permute_call
from archdsl.ops.facts.reading import Reads, in_place, rearranged
from archdsl.ops.memory.tape import Tape, Tensor
from archdsl.ops.memory.torch_memory import flattened, permuted, reshaped, transposed, unflattened


class InputOp(CostFreeOp):
    """A tensor that enters the network, of these sizes without the batch, and this layout."""

    kind = "input"
    arity = 0
    sizes: Sizes
    layout: Layout

    @override
    def infer(self, inputs: Types) -> TensorType:
        return TensorType(self.sizes, self.layout)

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return in_place(len(output.sizes))

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        raise AssertionError("an input is given, not computed")

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        raise AssertionError("an input is given, not computed")


class IdentityOp(PointwiseOp, ModuleOp):
    """``x``: any layout, same type. Unlike ``id`` it is a node and uses up a position. torch.nn.Identity."""

    kind = "identity"
    torch_module = "nn.Identity"

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        return tensors[0]


class _InOrderOp(CostFreeOp):
    """The elements in their order, in other sizes."""

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return rearranged(inputs[0].sizes)

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        (x,) = tensors
        return reshaped(tape, x, (x.sizes[0], *self.infer(inputs).sizes))


class FlattenOp(_InOrderOp):
    """All elements in one axis, in order: any layout to ``C``. torch.nn.Flatten."""

    kind = "flatten"

    @override
    def infer(self, inputs: Types) -> TensorType:
        return TensorType((inputs[0].elements,), "C")

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return ModuleCall("nn.Flatten")


_TURNED: dict[tuple[Layout, Layout], str] = {
    ("CHW", "LC"): "write `tokens`",
    ("LC", "CHW"): "write `image` with its height and width",
    ("HWC", "CHW"): "write `channels_first` before it",
}
"""How elements that lie by place come to lie by channel, or the other way round."""


_BATCH = FunctionCall("Tensor.size", (X, 0))
"""Not -1, which would take an image of another size for other examples."""


class ReshapeOp(_InOrderOp):
    """The elements in order, in these sizes: to ``C``, ``L x C``, ``C x H x W`` or more axes without names.

    An image's order is not that of tokens: ``tokens`` and ``image`` lead from one to the other. Errors: E306 places
    that would become channels, E308 another number of elements. torch.reshape, the batch kept.
    """

    kind = "reshape"
    aliases = ("view",)
    sizes: Sizes

    @override
    def infer(self, inputs: Types) -> TensorType:
        wanted = prod(self.sizes)
        if inputs[0].elements != wanted:
            raise OpError(
                "E308",
                f"cannot reshape {inputs[0]} ({inputs[0].elements} elements) to "
                f"{format_sizes(self.sizes)} ({wanted} elements)",
                argument="sizes",
            )
        output = TensorType.of(self.sizes)
        self._check_order(inputs[0], output)
        return output

    def _check_order(self, x: TensorType, output: TensorType) -> None:
        turned = _TURNED.get((x.layout, output.layout))
        if turned and _has_places_and_channels(x) and _has_places_and_channels(output):
            message = f"`reshape` keeps elements in order, and so cannot make {x} ({layout_name(x.layout)}) {output} "
            help_ = f"{turned}; or `flatten -> reshape({output})` where this order is meant"
            raise OpError("E306", f"{message}({layout_name(output.layout)})", help=help_, argument="sizes")

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return FunctionCall("torch.reshape", (X, (_BATCH, *self.sizes)))


def _has_places_and_channels(x: TensorType) -> bool:
    return x.channel_axis is not None and 1 < x.sizes[x.channel_axis] < x.elements


_PERMUTED_LAYOUTS: dict[tuple[Layout, tuple[int, ...]], Layout] = {
    ("CHW", (1, 2, 0)): "HWC",
    ("HWC", (2, 0, 1)): "CHW",
    ("CL", (1, 0)): "LC",
    ("LC", (1, 0)): "CL",
}


class _AxesOp(CostFreeOp):
    """The axes in another order: a view."""

    @abstractmethod
    def order(self, rank: int) -> tuple[int, ...]:
        """Which axis of the input each of the output is."""

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return rearranged(inputs[0].sizes, self.order(len(output.sizes)))

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return permute_call(self.order(len(inputs[0].sizes)))

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        order = self.order(len(inputs[0].sizes))
        return permuted(tensors[0], 0, *[axis + 1 for axis in order])


class PermuteOp(_AxesOp):
    """The axes in another order: axis ``i`` of the output is axis ``axes[i]`` of the input; the batch is not counted.

    The output has the layout that the axes then have (``permute([1, 2, 0])`` of ``C x H x W`` is ``H x W x C``), or
    axes without names. Errors: E308 another number of axes. torch.permute.
    """

    kind = "permute"
    aliases = ("transpose",)
    axes: Axes

    @model_validator(mode="after")
    def _check_axes(self) -> Self:
        if sorted(self.axes) != list(range(len(self.axes))):
            message = "`axes` must name each axis from 0 once, got {axes}"
            raise PydanticCustomError("axes", message, {"axes": str(list(self.axes))})
        return self

    @override
    def infer(self, inputs: Types) -> TensorType:
        sizes, layout = inputs[0]
        if len(sizes) != len(self.axes):
            message = f"`permute` orders {len(self.axes)} axes, but its input {inputs[0]} has {len(sizes)}"
            raise OpError("E308", message, argument="axes")
        unchanged = self.axes == tuple(range(len(sizes)))
        permuted = layout if unchanged else _PERMUTED_LAYOUTS.get((layout, self.axes), "free")
        return TensorType(tuple([sizes[axis] for axis in self.axes]), permuted)

    @override
    def order(self, rank: int) -> tuple[int, ...]:
        return self.axes


class ChannelsLastOp(_AxesOp):
    """The channels behind the places: ``C x H x W`` to ``H x W x C``, ``C x L`` to ``L x C``.

    Errors: E306 another layout. torch.permute.
    """

    kind = "channels_last"

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("channels_last", inputs[0], ("CHW", "CL"))
        channels, *places = inputs[0].sizes
        return TensorType((*places, channels), "HWC" if inputs[0].layout == "CHW" else "LC")

    @override
    def order(self, rank: int) -> tuple[int, ...]:
        return (*range(1, rank), 0)


class ChannelsFirstOp(_AxesOp):
    """The channels before the places: ``H x W x C`` to ``C x H x W``, ``L x C`` to ``C x L``.

    Errors: E306 another layout. torch.permute.
    """

    kind = "channels_first"

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("channels_first", inputs[0], ("HWC", "LC"))
        *places, channels = inputs[0].sizes
        return TensorType((channels, *places), "CHW" if inputs[0].layout == "HWC" else "CL")

    @override
    def order(self, rank: int) -> tuple[int, ...]:
        return (rank - 1, *range(rank - 1))


class TokensOp(CostFreeOp):
    """The places of an image in a row, line by line: ``C x H x W`` or ``H x W x C`` to ``L x C`` with L = H W.

    Errors: E306 another layout. torch.flatten; Dosovitskiy et al. 2020, arXiv:2010.11929, section 3.1.
    """

    kind = "tokens"

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("tokens", inputs[0], ("CHW", "HWC"))
        sizes, layout = inputs[0]
        channels, *places = sizes if layout == "CHW" else (sizes[2], *sizes[:2])
        return TensorType((prod(places), channels), "LC")

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        sizes, layout = inputs[0]
        return rearranged(sizes, (1, 2, 0)) if layout == "CHW" else rearranged(sizes)

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        if inputs[0].layout == "HWC":
            return FunctionCall("torch.flatten", (X, 1, 2))
        return FunctionCall("torch.transpose", (FunctionCall("torch.flatten", (X, 2)), 1, 2))

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        (x,) = tensors
        if inputs[0].layout == "HWC":
            return flattened(tape, x, 1, 2)
        return transposed(flattened(tape, x, 2, 3), 1, 2)


class ImageOp(CostFreeOp):
    """Tokens as the places of an image of ``size`` H x W, line by line: ``L x C`` to ``C x H x W``.

    The way back from ``tokens``. Errors: E306 another layout, E308 another number of tokens than places.
    torch.Tensor.unflatten; Wang et al. 2021, arXiv:2102.12122, section 3.1.
    """

    kind = "image"
    size: Pair

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("image", inputs[0], ("LC",))
        length, channels = inputs[0].sizes
        if length != prod(self.size):
            message = f"{length} tokens are no image of {format_sizes(self.size)}, which has {prod(self.size)} places"
            raise OpError("E308", message, argument="size")
        return TensorType((channels, *self.size), "CHW")

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return rearranged((*self.size, inputs[0].sizes[1]), (2, 0, 1))

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return FunctionCall("Tensor.unflatten", (FunctionCall("torch.transpose", (X, 1, 2)), 2, self.size))

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        return unflattened(tape, transposed(tensors[0], 1, 2), 2, self.size)
