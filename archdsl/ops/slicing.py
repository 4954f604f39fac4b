"""Ops that take, add or reorder channels, and pick tokens."""

from __future__ import annotations

from typing_extensions import override

from archdsl.ops.contract.argument_types import AnyInt, OptionalInt, PositiveInt
from archdsl.ops.contract.base import CostFreeOp, ModuleOp, OpError, Tensors, Types, require_layout
from archdsl.ops.contract.channels import channel_axis, check_groups, with_size
from archdsl.ops.contract.shapes import TensorType
from archdsl.ops.contract.torch_call import FunctionCall, TorchCall, X
from archdsl.ops.facts.reading import SOME, Picked, Reads, along
from archdsl.ops.memory.tape import Tape, Tensor
from archdsl.ops.memory.torch_memory import image, narrowed, padded


class _ChannelsOp(CostFreeOp):
    """Each place by itself, from its channels."""

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return along(len(output.sizes), {channel_axis(self.kind, output): SOME})


class _ChannelPartOp(_ChannelsOp):
    """Channels side by side: a view."""

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        axis = channel_axis(self.kind, inputs[0])
        return narrowed(tensors[0], axis + 1, self.infer(inputs).sizes[axis])


class ChunkOp(_ChannelPartOp):
    """The ``index``-th of ``chunks`` equal parts of the channels: any layout with channels.

    A negative index counts from the end. Errors: E222 no such part, E305 channels that ``chunks`` does not
    divide (torch would make the last part smaller), E306 a layout without channels. torch.chunk.
    """

    kind = "chunk"
    chunks: PositiveInt
    index: AnyInt

    @override
    def infer(self, inputs: Types) -> TensorType:
        axis = channel_axis("chunk", inputs[0])
        channels = inputs[0].sizes[axis]
        check_groups("chunk", self.chunks, channels, channels, argument="chunks")
        if not -self.chunks <= self.index < self.chunks:
            message = f"`chunk` makes {self.chunks} parts, numbered from 0: there is no part {self.index}"
            raise OpError("E222", message, argument="index")
        return with_size(inputs[0], axis, channels // self.chunks)

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        chunks = FunctionCall("torch.chunk", (X, self.chunks), {"dim": channel_axis(self.kind, inputs[0]) + 1})
        return FunctionCall("operator.getitem", (chunks, self.index))


class ChannelSliceOp(_ChannelPartOp):
    """The channels from ``start`` to before ``stop`` (to the end, unless given): any layout with channels.

    Negative numbers count from the end. Errors: E222 a range that is empty or leaves the channels, E306 a
    layout without channels. Slicing in torch.
    """

    kind = "channel_slice"
    start: AnyInt
    stop: OptionalInt = None

    def bounds(self, channels: int) -> tuple[int, int]:
        """First channel kept and first one behind, from 0, of an input with ``channels`` channels."""
        stop = channels if self.stop is None else self.stop
        return self.start + channels * (self.start < 0), stop + channels * (stop < 0)

    @override
    def infer(self, inputs: Types) -> TensorType:
        axis = channel_axis("channel_slice", inputs[0])
        channels = inputs[0].sizes[axis]
        start, stop = self.bounds(channels)
        if not 0 <= start < stop <= channels:
            written = f"{self.start} to {'the end' if self.stop is None else self.stop}"
            message = f"`channel_slice` from {written} is no range within the {channels} channels of {inputs[0]}"
            raise OpError("E222", message, argument="start")
        return with_size(inputs[0], axis, stop - start)

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        axis = channel_axis(self.kind, inputs[0])
        start, stop = self.bounds(inputs[0].sizes[axis])
        return FunctionCall("torch.narrow", (X, axis + 1, start, stop - start))


class PadChannelsOp(_ChannelsOp):
    """Channels of zeros behind those of ``C x H x W``: to ``out_channels x H x W``.

    All new channels stand behind the old ones, as fb.resnet.torch has them for the parameter-free shortcut ("option
    A"). Errors: E306 another layout, E308 fewer channels than the input has. torch.nn.functional.pad; He et
    al. 2015, arXiv:1512.03385, section 3.3.
    """

    kind = "pad_channels"
    out_channels: PositiveInt

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("pad_channels", inputs[0], ("CHW",))
        channels = inputs[0].sizes[0]
        if self.out_channels < channels:
            message = f"`pad_channels` to {self.out_channels} channels cannot take {inputs[0]}, which has more"
            raise OpError("E308", message, help="use `channel_slice` to drop channels", argument="out_channels")
        return with_size(inputs[0], 0, self.out_channels)

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return FunctionCall("F.pad", (X, (0, 0, 0, 0, 0, self.out_channels - inputs[0].sizes[0])))

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        return padded(tape, tensors[0], (0, 0, 0, 0, 0, self.out_channels - inputs[0].sizes[0]))


class ChannelShuffleOp(_ChannelsOp, ModuleOp):
    """Interleaves groups of channels of ``C x H x W``: channel ``g n + i`` of ``groups`` groups of n becomes
    channel ``i groups + g``. Same type.

    Errors: E305 groups that do not divide the channels, E306 another layout. torch.nn.ChannelShuffle; Zhang et
    al. 2017, arXiv:1707.01083, section 3.1.
    """

    kind = "channel_shuffle"
    aliases = ("shuffle",)
    torch_module = "nn.ChannelShuffle"
    groups: PositiveInt

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("channel_shuffle", inputs[0], ("CHW",))
        channels = inputs[0].sizes[0]
        check_groups("channel_shuffle", self.groups, channels, channels)
        return inputs[0]

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        (x,) = tensors
        return image(tape, x, x.sizes[1:], grad=x.grad)


class SelectOp(CostFreeOp):
    """One token of ``L x C``, counted from 0, from the end when negative: to ``C``.

    Errors: E222 no such token, E306 another layout. torch.select.
    """

    kind = "select"
    index: AnyInt

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("select", inputs[0], ("LC",))
        length, channels = inputs[0].sizes
        if not -length <= self.index < length:
            message = f"`select` finds {length} tokens in {inputs[0]}, numbered from 0: there is no token {self.index}"
            raise OpError("E222", message, argument="index")
        return TensorType((channels,), "C")

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return Picked(0, self.index % inputs[0].sizes[0])

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return FunctionCall("torch.select", (X, 1, self.index))

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        (x,) = tensors
        return x.view((x.sizes[0], x.sizes[2]), (x.strides[0], x.strides[2]))
