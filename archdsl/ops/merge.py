"""Merges of two tensors or more, and a number with a tensor."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from typing_extensions import override

from archdsl.diagnostics.codes import ErrorCode
from archdsl.ops.contract.argument_types import Number
from archdsl.ops.contract.base import CostFreeOp, OpError, PointwiseOp, Tensors, Types
from archdsl.ops.contract.channels import channel_axis
from archdsl.ops.contract.shapes import Layout, TensorType, layout_name
from archdsl.ops.contract.torch_call import FoldCall, FunctionCall, Input, TorchCall, X
from archdsl.ops.facts.reading import SOME, Reads, along, in_place
from archdsl.ops.memory.tape import Tape, Tensor
from archdsl.ops.memory.torch_memory import concatenated, product


def _common_layout(inputs: Types, code: ErrorCode, verb: str) -> Layout:
    """The layout of all inputs, where axes without names fit any. Raises OpError."""
    known = [(i, type_.layout) for i, type_ in enumerate(inputs) if type_.layout != "free"]
    for operand, layout in known:
        if layout != known[0][1]:
            first = inputs[known[0][0]]
            raise OpError(
                code,
                f"cannot {verb} {first} ({layout_name(first.layout)}) and {inputs[operand]} ({layout_name(layout)})",
                help=_layout_help({layout, known[0][1]}),
                operand=operand,
            )
    return known[0][1] if known else "free"


def _layout_help(layouts: set[Layout]) -> str:
    if layouts in ({"CHW", "HWC"}, {"CL", "LC"}):
        return "turn one into the layout of the other with `channels_first` or `channels_last`"
    return "give both one layout, with `flatten` or `reshape`"


class _FoldedOp(CostFreeOp):
    """A function of two tensors, element by element, over all inputs from left to right."""

    arity = None
    torch_function: ClassVar[str]

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return in_place(len(output.sizes))

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return FoldCall(self.torch_function)

    @abstractmethod
    def pair_memory(self, first: Tensor, second: Tensor, tape: Tape) -> Tensor:
        """The function of two tensors, with what is kept for it."""

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        """What is not read again is free at once."""
        result = tensors[0]
        for position, operand in enumerate(tensors[1:], 1):
            before, result = result, self.pair_memory(result, operand, tape)
            if position > 1:
                tape.drop(before)
            if position < len(tensors) - 1:
                tape.done(position)
                tape.done(0)
        return result


class AddOp(_FoldedOp):
    """The sum of two tensors or more of one type. Errors: E301 types that differ. torch.add, from left to right."""

    kind = "add"
    torch_function = "torch.add"
    output_can_be_overwritten = True

    @override
    def infer(self, inputs: Types) -> TensorType:
        first = inputs[0]
        if all(type_ == first for type_ in inputs):
            return first
        for operand, type_ in enumerate(inputs):
            if type_.sizes != first.sizes:
                message = f"cannot add {first} to {type_}"
                raise OpError("E301", message, help=_projection(type_, first), operand=operand)
        return TensorType(first.sizes, _common_layout(inputs, "E301", "add"))

    @override
    def pair_memory(self, first: Tensor, second: Tensor, tape: Tape) -> Tensor:
        return tape.pointwise(first, second)


def _projection(type_: TensorType, wanted: TensorType) -> str:
    """What would bring an image to the wanted shape, where a strided 1x1 convolution does."""
    if type_.layout != "CHW" or wanted.layout != "CHW":
        return "both must have one shape"
    ratios = {-(-size // smaller) for size, smaller in zip(type_.sizes[1:], wanted.sizes[1:], strict=True)}
    stride = ratios.pop()
    if ratios or tuple([-(-size // stride) for size in type_.sizes[1:]]) != wanted.sizes[1:]:
        return "both must have one shape: check the strides and the padding on the way to each"
    strided = f", stride = {stride}" if stride > 1 else ""
    return f"project it: `seq(conv({wanted.sizes[0]}, 1{strided}, bias = false) -> bn)`"


class ConcatOp(CostFreeOp):
    """Two tensors or more behind one another along the channels; all other sizes agree.

    Errors: E302 sizes or layouts that differ, or axes without names. torch.cat.
    """

    kind = "concat"
    aliases = ("cat",)
    output_can_be_overwritten = True
    arity = None

    @override
    def infer(self, inputs: Types) -> TensorType:
        layout = _common_layout(inputs, "E302", "concatenate")
        axis = TensorType(inputs[0].sizes, layout).channel_axis
        if axis is None:
            raise OpError("E302", f"cannot concatenate {inputs[0]}: nothing says which axis holds the channels")
        first = inputs[0].sizes
        for operand, type_ in enumerate(inputs):
            if not _agree_beside(axis, type_.sizes, first):
                message = f"cannot concatenate {inputs[0]} and {type_}: only the channels may differ"
                hint = "check the strides and the padding on the way to each"
                raise OpError("E302", message, help=hint, operand=operand)
        channels = sum([type_.sizes[axis] for type_ in inputs])
        return TensorType((*first[:axis], channels, *first[axis + 1 :]), layout)

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return along(len(output.sizes), {channel_axis("concat", output): SOME})

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        axis = self.infer(inputs).channel_axis
        assert axis is not None
        return FunctionCall("torch.cat", ([Input(i) for i in range(len(inputs))],), {"dim": axis + 1})

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        axis = self.infer(inputs).channel_axis
        assert axis is not None
        return concatenated(tape, tensors, axis + 1)


def _agree_beside(axis: int, sizes: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return sizes[:axis] == other[:axis] and sizes[axis + 1 :] == other[axis + 1 :] and len(sizes) == len(other)


class MulOp(_FoldedOp):
    """The product of two tensors or more, element by element; a size of 1 stands for the other's size.

    So ``C x 1 x 1`` weights the channels of ``C x H x W`` (Hu et al. 2017, arXiv:1709.01507, section 3), and
    ``1 x H x W`` its places. Errors: E303 sizes that differ and are not 1, other ranks or layouts. torch.mul.
    """

    kind = "mul"
    torch_function = "torch.mul"

    @override
    def infer(self, inputs: Types) -> TensorType:
        sizes = inputs[0].sizes
        for operand, type_ in enumerate(inputs):
            if len(type_.sizes) != len(sizes):
                message = f"cannot multiply {inputs[0]} with {type_}: {len(sizes)} and {len(type_.sizes)} axes"
                hint = "keep the axes: `global_avgpool` without `flatten`, 1x1 `conv` for `linear`"
                raise OpError("E303", message, help=hint, operand=operand)
            pairs = list(zip(sizes, type_.sizes, strict=True))
            if any(a != b and 1 not in (a, b) for a, b in pairs):
                message = f"cannot multiply {inputs[0]} with {type_}"
                raise OpError("E303", message, help="sizes must agree or be 1", operand=operand)
            sizes = tuple([max(pair) for pair in pairs])
        return TensorType(sizes, _common_layout(inputs, "E303", "multiply"))

    @override
    def pair_memory(self, first: Tensor, second: Tensor, tape: Tape) -> Tensor:
        return product(tape, first, second)


class _WithNumberOp(PointwiseOp):
    """A number and each element."""

    torch_function: ClassVar[str]
    value: Number

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return FunctionCall(self.torch_function, (X, self.value))

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        return tape.pointwise(tensors[0], with_number=True)


class MulScalarOp(_WithNumberOp):
    """``value x``: any layout, same type. torch.mul."""

    kind = "mul_scalar"
    torch_function = "torch.mul"


class AddScalarOp(_WithNumberOp):
    """``value + x``: any layout, same type. torch.add."""

    kind = "add_scalar"
    torch_function = "torch.add"


class RsubScalarOp(_WithNumberOp):
    """``value - x``: any layout, same type. torch.rsub."""

    kind = "rsub_scalar"
    torch_function = "torch.rsub"
