"""Ops on tokens: attention between them, a token for the class, embeddings of their positions."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

from typing_extensions import override

from archdsl.ops.arguments import Flag, PositiveInt, Probability
from archdsl.ops.base import CostFreeOp, Op, ParameterSpec, PointwiseOp, Types, require_layout
from archdsl.ops.channels import check_heads
from archdsl.ops.init import KaimingUniform, Normal, WeightInit, XavierUniform, Zeros
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
    def macs(self, inputs: Types, output: TensorType) -> int:
        length, channels = inputs[0].sizes
        return 4 * length * channels**2 + 2 * length**2 * channels

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
    def parameters(self, inputs: Types) -> Mapping[str, ParameterSpec]:
        return {"": ParameterSpec((1, 1, inputs[0].sizes[1]), self.init or Zeros())}


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
