"""Ops on tokens: attention between them, a token for the class, embeddings of their positions."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod, sqrt

from typing_extensions import override

from archdsl.ops.contract.argument_types import Flag, PositiveInt, Probability
from archdsl.ops.contract.base import (
    CostFreeOp,
    ModuleOp,
    Op,
    OpError,
    ParameterSpec,
    PointwiseOp,
    Tensors,
    Types,
    require_layout,
)
from archdsl.ops.contract.channels import check_heads
from archdsl.ops.contract.init import KaimingUniform, Normal, WeightInit, XavierUniform, Zeros
from archdsl.ops.contract.shapes import TensorType
from archdsl.ops.contract.torch_call import FunctionCall, OwnParameter, TorchCall, X, module_call
from archdsl.ops.facts.reading import ALL, SOME, PerOperand, Prepended, Reads, along
from archdsl.ops.memory.strides import contiguous, of_copy
from archdsl.ops.memory.tape import Tape, Tensor
from archdsl.ops.memory.torch_memory import (
    concatenated,
    dropped_out,
    flattened,
    linear,
    made_contiguous,
    multiplied,
    narrowed,
    permuted,
    reshaped,
    softmax,
    transposed,
    unflattened,
)


class AttentionOp(Op):
    """Each token becomes a mean of all tokens of its example, weighted by ``heads`` softmaxes: ``L x C``, same type.

    ``dropout`` is the probability with which a weight is dropped in training. Parameters: ``in_proj_weight`` (3 C, C)
    of queries, keys and values, ``in_proj_bias`` (3 C), ``out_proj.weight`` (C, C), ``out_proj.bias`` (C). They start
    as PyTorch's. MACs: ``4 L C C`` for the projections and ``2 L L C`` for the products with the weights. Errors: E305
    heads that do not divide C, E306 another layout. torch.nn.MultiheadAttention; Vaswani et al. 2017,
    arXiv:1706.03762, section 3.2.2.
    """

    kind = "attention"
    torch_channels_at = 1
    mac_formula = "4 * in_places * in_channels ** 2 + 2 * in_places ** 2 * in_channels"
    heads: PositiveInt
    dropout: Probability = 0.0
    bias: Flag = True

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("attention", inputs[0], ("LC",))
        check_heads("attention", self.heads, inputs[0].sizes[1])
        return inputs[0]

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return along(2, {0: ALL, 1: ALL})

    @override
    def macs(self, inputs: Types, output: TensorType) -> int:
        length, channels = inputs[0].sizes
        return 4 * length * channels**2 + 2 * length**2 * channels

    @override
    def input_gradient_macs(self, inputs: Types, output: TensorType) -> int:
        length, channels = inputs[0].sizes
        return 3 * length * channels**2

    @override
    def parameters(self, inputs: Types) -> Mapping[str, ParameterSpec]:
        channels = inputs[0].sizes[1]
        specs = {
            "in_proj_weight": ParameterSpec((3 * channels, channels), XavierUniform()),
            "in_proj_bias": ParameterSpec((3 * channels,), Zeros()),
            "out_proj.weight": ParameterSpec((channels, channels), KaimingUniform(a=sqrt(5))),
            "out_proj.bias": ParameterSpec((channels,), Zeros()),
        }
        return {name: spec for name, spec in specs.items() if self.bias or name.endswith("weight")}

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return module_call("layers.SelfAttention", inputs[0].sizes[1], self.heads, dropout=self.dropout, bias=self.bias)

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        (x,) = tensors
        if not tape.grad and self.bias and self.heads % 2 == 0:
            # torch's fused function for inference, whose intermediate tensors only its kernel sees
            return tape.empty(x.sizes)
        batch, length, channels = x.sizes
        projected = linear(tape, transposed(x, 0, 1), 3 * channels, self.bias)
        parts = unflattened(tape, projected, 2, (3, channels))
        packed = made_contiguous(tape, permuted(parts, 2, 0, 1, 3))
        if packed.storage is not projected.storage:
            tape.drop(projected)
        part = narrowed(packed, 0, 1).view((length, batch, channels), packed.strides[1:])
        heads = reshaped(tape, part, (length, batch * self.heads, channels // self.heads))
        queries = reshaped(tape, transposed(heads, 0, 1), (batch, self.heads, length, channels // self.heads))
        attended = attended_by_heads(tape, queries, queries, queries, self.dropout if tape.training else 0.0)
        joined = made_contiguous(tape, permuted(attended, 2, 0, 1, 3))
        if joined.storage is not attended.storage:
            tape.drop(attended)
        result = linear(tape, reshaped(tape, joined, (batch * length, channels)), channels, self.bias)
        sizes = (length, batch, channels)
        return transposed(result.view(sizes, contiguous(sizes)), 0, 1)


class DotProductAttentionOp(ModuleOp):
    """For each query a mean of the values, weighted by how well their keys fit it: of ``L x C``, ``S x C``, ``S x V``.

    Gives ``L x V``. Of ``G x L x C``, ``G x S x C`` and ``G x S x V``, as ``windows`` makes them, each row by itself.
    The channels of each of ``heads`` lie side by side; ``dropout`` is the probability with which a weight is dropped in
    training. No parameters: layers before and after it project. MACs: ``L S C + L S V``, of each row. Errors: E305
    heads that do not divide C or V, E306 another layout, E308 sizes that do not fit together.
    torch.nn.functional.scaled_dot_product_attention; Vaswani et al. 2017, arXiv:1706.03762, sections 3.2.1 and 3.2.2.
    """

    kind = "dot_product_attention"
    mac_formula = "in_places * keys * (in_channels + out_channels)"
    torch_module = "layers.DotProductAttention"
    arity = 3
    heads: PositiveInt
    dropout: Probability = 0.0

    @override
    def infer(self, inputs: Types) -> TensorType:
        for operand, type_ in enumerate(inputs):
            hint = "write `tokens` before it, or cut it by `windows`" if type_.layout == "CHW" else ""
            require_layout("dot_product_attention", type_, ("LC", "HWC"), hint, operand)
            check_heads("dot_product_attention", self.heads, type_.sizes[-1])
            if type_.sizes[:-2] != inputs[0].sizes[:-2]:
                message = f"queries {inputs[0]} are not in the same rows as {_OPERANDS[operand]} {type_}"
                raise OpError("E308", message, help="make all three from the same windows", operand=operand)
        queries, keys, values = (type_.sizes for type_ in inputs)
        if queries[-1] != keys[-1]:
            message = f"queries of {queries[-1]} channels are no match for keys of {keys[-1]}"
            raise OpError("E308", message, help="give both as many channels, with `linear`", operand=1)
        if keys[-2] != values[-2]:
            message = f"there are {keys[-2]} keys and {values[-2]} values"
            raise OpError("E308", message, help="each value has a key: make both from the same tokens", operand=2)
        return TensorType((*queries[:-1], values[-1]), inputs[0].layout)

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        rank = len(output.sizes)
        others = along(rank, {rank - 2: ALL, rank - 1: SOME})
        return PerOperand((along(rank, {rank - 1: SOME}), others, others))

    @override
    def macs(self, inputs: Types, output: TensorType) -> int:
        queries, keys, values = (type_.sizes for type_ in inputs)
        return prod(queries[:-1]) * keys[-2] * (keys[-1] + values[-1])

    @override
    def mac_variables(self, inputs: Types, output: TensorType) -> dict[str, int]:
        """``keys`` are the tokens that a query is compared with."""
        return {**super().mac_variables(inputs, output), "keys": inputs[1].sizes[-2]}

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        last = len(tensors[0].sizes) - 1
        apart = [unflattened(tape, x, last, (self.heads, x.sizes[last] // self.heads)) for x in tensors]
        heads = [transposed(x, last - 1, last) for x in apart]
        attended = attended_by_heads(tape, heads[0], heads[1], heads[2], self.dropout if tape.training else 0.0)
        result = flattened(tape, transposed(attended, last - 1, last), last, last + 1)
        if result.storage is not attended.storage:
            tape.drop(attended)
        return result


_OPERANDS = ("queries", "keys", "values")


def attended_by_heads(tape: Tape, queries: Tensor, keys: Tensor, values: Tensor, dropout: float) -> Tensor:
    """``F.scaled_dot_product_attention`` of N x heads x L x E, N x heads x S x E, N x heads x S x V.

    There may be an axis of rows before the heads. Where torch has no fused function, for rows, for channels that lie
    apart and on the CPU for dropout and values of other channels, it computes step by step, in 32 bits at least.
    """
    grad = queries.grad or keys.grad or values.grad
    is_fused = len(queries.sizes) == 4 and all(x.strides[3] == 1 for x in (queries, keys, values))
    if is_fused and (tape.device == "cuda" or (not dropout and queries.sizes[3] == values.sizes[3])):
        sums = tape.empty(queries.sizes[:3], item=max(tape.item, 4))
        result = tape.empty(queries.sizes, of_copy(queries.sizes, queries.strides), grad=grad)
        for tensor in (queries, keys, values, sums, result):
            tape.keep(tensor, grad)
        tape.drop(sums)
        return result
    wide, rank = max(tape.item, 4), len(queries.sizes)
    is_rounded = tape.item < wide
    with tape.elements_of(wide):
        parts = [tape.copy(x) for x in (queries, keys, values)] if is_rounded else [queries, keys, values]
        scaled = tape.pointwise(parts[0], with_number=True)
        scaled_keys = tape.pointwise(transposed(parts[1], rank - 2, rank - 1), with_number=True)
        logits = multiplied(tape, scaled, scaled_keys)
        tape.drop(scaled_keys)
        weights = dropped_out(tape, softmax(tape, logits), dropout)
        tape.drop(logits)
    result_weights = tape.copy(weights) if is_rounded else weights  # torch's function gives them as well
    with tape.elements_of(wide):
        means = multiplied(tape, weights, parts[2])
    result = tape.copy(means) if is_rounded else means
    if is_rounded:
        tape.drop(*parts, means)
    tape.drop(scaled, weights, result_weights)
    return result


class ClassTokenOp(CostFreeOp):
    """A learned token before the others: ``L x C`` to ``L + 1 x C``.

    Its one parameter stands at the op's own path (own name ``""``), as ``class_token: class_token`` needs it: (1, 1,
    C), zeros unless ``init`` is given. Errors: E306 another layout. Dosovitskiy et al. 2020, arXiv:2010.11929,
    section 3.1.
    """

    kind = "class_token"
    init: WeightInit = None

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("class_token", inputs[0], ("LC",))
        length, channels = inputs[0].sizes
        return TensorType((length + 1, channels), "LC")

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return Prepended(0, 1)

    @override
    def parameters(self, inputs: Types) -> Mapping[str, ParameterSpec]:
        return {"": ParameterSpec((1, 1, inputs[0].sizes[1]), self.init or Zeros())}

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        # expanded as the first of the other tokens is, so that the batch stays out of the call
        first = FunctionCall("operator.getitem", (X, (slice(None), slice(0, 1))))
        token = FunctionCall("Tensor.expand_as", (OwnParameter(), first))
        return FunctionCall("torch.cat", ([token, X],), {"dim": 1})

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        (x,) = tensors
        first = narrowed(x, 1, 1)
        return concatenated(tape, (first._replace(grad=tape.grad), x), 1)


class PositionEmbeddingOp(PointwiseOp):
    """A learned number for each element, added to it: any layout, same type.

    Its one parameter stands at the op's own path (own name ``""``): 1 and the sizes of the input, so that the network
    takes inputs of that size only. It starts from a normal distribution of standard deviation 0.02 unless ``init`` is
    given. Dosovitskiy et al. 2020, arXiv:2010.11929, section 3.1.
    """

    kind = "position_embedding"
    init: WeightInit = None

    @override
    def parameters(self, inputs: Types) -> Mapping[str, ParameterSpec]:
        return {"": ParameterSpec((1, *inputs[0].sizes), self.init or Normal(std=0.02))}

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return FunctionCall("torch.add", (X, OwnParameter()))

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        (x,) = tensors
        sizes = (1, *x.sizes[1:])
        parameter = x.view(sizes, contiguous(sizes))._replace(grad=tape.grad)
        return tape.pointwise(x, parameter)
