"""The fully connected layer."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from typing_extensions import override

from archdsl.ops.contract.argument_types import Flag, PositiveInt
from archdsl.ops.contract.base import Op, ParameterSpec, Tensors, Types, require_layout
from archdsl.ops.contract.init import VectorInit, WeightInit
from archdsl.ops.contract.shapes import TensorType
from archdsl.ops.contract.torch_call import TorchCall, module_call
from archdsl.ops.facts.reading import ALL, Reads, along
from archdsl.ops.memory.tape import Tape, Tensor
from archdsl.ops.memory.torch_memory import linear


class LinearOp(Op):
    """``y = W x + b`` along the channels: ``C`` to ``out_features``, also at each place of ``L x C`` and ``H x W x C``.

    Parameters: ``weight`` (out_features, C), ``bias`` (out_features). MACs: places times
    ``C out_features``. Errors: E306 for ``C x H x W`` and ``C x L``, whose last axis holds no channels.
    torch.nn.Linear.
    """

    kind = "linear"
    aliases = ("fc", "dense", "fully_connected")
    output_can_be_overwritten = True
    mac_formula = "out_channels * in_channels * in_places"
    torch_channels_at = 1
    call_depends_on = "channels"
    size_attributes = ("in_features", "out_features")
    out_features: PositiveInt
    bias: Flag = True
    init: WeightInit = None
    bias_init: VectorInit = None

    @override
    def infer(self, inputs: Types) -> TensorType:
        hint = "write `flatten` before it, or use `conv(..., 1)` to map the channels at each place"
        require_layout("linear", inputs[0], ("C", "LC", "HWC"), hint)
        return TensorType((*inputs[0].sizes[:-1], self.out_features), inputs[0].layout)

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        rank = len(output.sizes)
        return along(rank, {rank - 1: ALL})

    @override
    def macs(self, inputs: Types, output: TensorType) -> int:
        return prod(inputs[0].sizes) * self.out_features

    @override
    def parameters(self, inputs: Types) -> Mapping[str, ParameterSpec]:
        specs = {"weight": ParameterSpec((self.out_features, inputs[0].sizes[-1]), self.init)}
        if self.bias:
            specs["bias"] = ParameterSpec((self.out_features,), self.bias_init)
        return specs

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return module_call("nn.Linear", inputs[0].sizes[-1], self.out_features, bias=self.bias)

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        return linear(tape, tensors[0], self.out_features)
