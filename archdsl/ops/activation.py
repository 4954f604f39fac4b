"""Activations: pointwise, except softmax."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from typing_extensions import override

from archdsl.ops.contract.argument_types import NonNegativeNumber, Number, PositiveInt, PositiveNumber
from archdsl.ops.contract.base import CostFreeOp, ModuleOp, OpError, ParameterSpec, PointwiseOp, Tensors, Types
from archdsl.ops.contract.channels import channel_axis
from archdsl.ops.contract.init import Constant
from archdsl.ops.contract.shapes import TensorType
from archdsl.ops.contract.torch_call import TorchCall, module_call
from archdsl.ops.facts.reading import ALL, Reads, along
from archdsl.ops.memory.tape import Tape, Tensor
from archdsl.ops.memory.torch_memory import keeping_input, keeping_result, softmax


class _ActivationOp(PointwiseOp, ModuleOp):
    """An activation after a convolution or norm; gates such as ``sigmoid`` stand within expressions instead."""

    ends_unit = True


class _KeepsInputOp(_ActivationOp):
    """An activation whose derivative is computed from its input."""

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        return keeping_input(tape, tensors[0])


class _KeepsResultOp(_ActivationOp):
    """An activation whose derivative is computed from its result."""

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        return keeping_result(tape, tensors[0])


class ReluOp(_KeepsResultOp):
    """``max(x, 0)``: any layout, same type. torch.nn.ReLU; Nair and Hinton 2010."""

    kind = "relu"
    torch_module = "nn.ReLU"
    can_overwrite_input = True


class Relu6Op(_KeepsInputOp):
    """``min(max(x, 0), 6)``: any layout, same type. torch.nn.ReLU6; Krizhevsky 2010."""

    kind = "relu6"
    torch_module = "nn.ReLU6"
    can_overwrite_input = True


class LeakyReluOp(_KeepsInputOp):
    """``x`` above 0, ``negative_slope x`` below: any layout, same type. torch.nn.LeakyReLU; Maas et al. 2013."""

    kind = "leaky_relu"
    torch_module = "nn.LeakyReLU"
    negative_slope: Number = 0.01


class PReluOp(_ActivationOp):
    """``x`` above 0, ``a x`` below, with a learned ``a``: one for all, or one per channel. Same type.

    ``num_parameters`` is 1 (any layout) or the number of channels (``C x H x W``, ``C x L``, ``C``). Parameter:
    ``weight`` (num_parameters), at first ``init``. Errors: E308 another number, or channels that are not the
    first axis. torch.nn.PReLU; He et al. 2015, arXiv:1502.01852, section 2.1.
    """

    kind = "prelu"
    torch_module = "nn.PReLU"
    is_started_when_made = True
    num_parameters: PositiveInt = 1
    init: Number = 0.25

    @override
    def infer(self, inputs: Types) -> TensorType:
        type_ = inputs[0]
        if self.num_parameters == 1 or (type_.channel_axis == 0 and self.num_parameters == type_.sizes[0]):
            return type_
        possible = f"1 or {type_.sizes[0]}" if type_.channel_axis == 0 else "1"
        message = f"`prelu` on {type_} takes {possible} parameters, but has {self.num_parameters}"
        raise OpError("E308", message, argument="num_parameters")

    @override
    def parameters(self, inputs: Types) -> Mapping[str, ParameterSpec]:
        return {"weight": ParameterSpec((self.num_parameters,), Constant(value=self.init))}

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        (x,) = tensors
        tape.keep(x)
        return tape.copy(x)._replace(grad=x.grad or tape.grad)


class EluOp(_KeepsInputOp):
    """``x`` above 0, ``alpha (exp(x) - 1)`` below: any layout, same type. torch.nn.ELU; Clevert et al. 2015,
    arXiv:1511.07289."""

    kind = "elu"
    torch_module = "nn.ELU"
    alpha: PositiveNumber = 1.0


class GeluOp(_KeepsInputOp):
    """``x`` times the normal distribution function of ``x``, exact or by ``tanh``: any layout, same type.

    torch.nn.GELU; Hendrycks and Gimpel 2016, arXiv:1606.08415, section 2.
    """

    kind = "gelu"
    torch_module = "nn.GELU"
    approximate: Literal["none", "tanh"] = "none"


class SiluOp(_KeepsInputOp):
    """``x sigmoid(x)``, also called swish: any layout, same type. torch.nn.SiLU; Ramachandran et al. 2017,
    arXiv:1710.05941."""

    kind = "silu"
    aliases = ("swish",)
    torch_module = "nn.SiLU"
    can_overwrite_input = True


class MishOp(_KeepsInputOp):
    """``x tanh(softplus(x))``: any layout, same type. torch.nn.Mish; Misra 2019, arXiv:1908.08681."""

    kind = "mish"
    torch_module = "nn.Mish"


class SigmoidOp(_KeepsResultOp):
    """``1 / (1 + exp(-x))``: any layout, same type. torch.nn.Sigmoid."""

    kind = "sigmoid"
    torch_module = "nn.Sigmoid"
    ends_unit = False


class TanhOp(_KeepsResultOp):
    """The hyperbolic tangent: any layout, same type. torch.nn.Tanh."""

    kind = "tanh"
    torch_module = "nn.Tanh"
    ends_unit = False


class HardswishOp(_KeepsInputOp):
    """``x min(max(x + 3, 0), 6) / 6``: any layout, same type. torch.nn.Hardswish; Howard et al. 2019,
    arXiv:1905.02244, section 5.2."""

    kind = "hardswish"
    aliases = ("hswish", "h_swish")
    torch_module = "nn.Hardswish"
    can_overwrite_input = True


class HardsigmoidOp(_KeepsInputOp):
    """``min(max(x + 3, 0), 6) / 6``: any layout, same type. torch.nn.Hardsigmoid; Howard et al. 2019,
    arXiv:1905.02244, section 5.2."""

    kind = "hardsigmoid"
    aliases = ("hsigmoid",)
    torch_module = "nn.Hardsigmoid"
    ends_unit = False


class SoftshrinkOp(_KeepsInputOp):
    """``x`` drawn towards 0 by ``lambd``, and 0 where that would pass it: any layout, same type. torch.nn.Softshrink;
    Donoho 1995."""

    kind = "softshrink"
    torch_module = "nn.Softshrink"
    lambd: NonNegativeNumber = 0.5


class SoftmaxOp(CostFreeOp):
    """``exp(x)`` over its sum along the channels: any layout with channels, same type.

    Errors: E306 a layout without channels. torch.nn.Softmax.
    """

    kind = "softmax"

    @override
    def infer(self, inputs: Types) -> TensorType:
        channel_axis("softmax", inputs[0])
        return inputs[0]

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return along(len(output.sizes), {channel_axis("softmax", output): ALL})

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return module_call("nn.Softmax", dim=channel_axis(self.kind, inputs[0]) + 1)

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        return softmax(tape, tensors[0])
