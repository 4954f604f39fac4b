"""Ops on tokens: attention between them, a token for the class, embeddings of their positions."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

from typing_extensions import override

from archdsl.ops.arguments import Flag, PositiveInt, Probability
from archdsl.ops.base import CostFreeOp, Op, ParameterSpec, PointwiseOp, Tensors, Types, require_layout
from archdsl.ops.channels import check_heads
from archdsl.ops.init import KaimingUniform, Normal, WeightInit, XavierUniform, Zeros
from archdsl.ops.reading import ALL, Prepended, Reads, along
from archdsl.ops.strides import contiguous, of_copy
from archdsl.ops.tape import Tape, Tensor
from archdsl.ops.torch_memory import (
    concatenated,
    dropped_out,
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
from archdsl.shapes import TensorType


class AttentionOp(Op):
    """Each token becomes a mean of all tokens of its example, weighted by ``heads`` softmaxes: ``L x C``, same type.

    ``dropout`` is the probability with which a weight is dropped in training. Parameters: ``in_proj_weight`` (3 C, C)
    of queries, keys and values, ``in_proj_bias`` (3 C), ``out_proj.weight`` (C, C), ``out_proj.bias`` (C). They start
    as PyTorch's. MACs: ``4 L C C`` for the projections and ``2 L L C`` for the products with the weights. Errors: E305
    heads that do not divide C, E306 another layout. torch.nn.MultiheadAttention; Vaswani et al. 2017,
    arXiv:1706.03762, section 3.2.2.
    """

    kind = "attention"
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
        attended = self._attended(queries, tape)
        joined = made_contiguous(tape, permuted(attended, 2, 0, 1, 3))
        if joined.storage is not attended.storage:
            tape.drop(attended)
        result = linear(tape, reshaped(tape, joined, (batch * length, channels)), channels, self.bias)
        sizes = (length, batch, channels)
        return transposed(result.view(sizes, contiguous(sizes)), 0, 1)

    def _attended(self, queries: Tensor, tape: Tape) -> Tensor:
        """The means, from tensors like ``queries`` that share its memory: N x heads x L x C / heads.

        With dropout the CPU has no fused function, and computes step by step, in 32 bits at least.
        """
        if tape.device == "cuda" or not (self.dropout and tape.training):
            sums = tape.empty(queries.sizes[:3], item=max(tape.item, 4))
            result = tape.empty(queries.sizes, of_copy(queries.sizes, queries.strides), grad=tape.grad)
            for tensor in (queries, sums, result):
                tape.keep(tensor)
            tape.drop(sums)
            return result
        item, tape.item = tape.item, max(tape.item, 4)
        values = tape.copy(queries) if tape.item > item else queries
        scaled = tape.pointwise(values, with_number=True)
        keys = tape.pointwise(transposed(values, 2, 3), with_number=True)
        weights = dropped_out(tape, softmax(tape, multiplied(tape, scaled, keys)), self.dropout)
        means = multiplied(tape, weights, values)
        tape.item = item
        return means if values is queries else tape.copy(means)


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
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        (x,) = tensors
        sizes = (1, *x.sizes[1:])
        parameter = x.view(sizes, contiguous(sizes))._replace(grad=tape.grad)
        return tape.pointwise(x, parameter)
