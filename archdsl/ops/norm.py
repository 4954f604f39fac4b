"""Normalisations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import override

from archdsl.ops.contract.argument_types import (
    Epsilon,
    Flag,
    Number,
    Numbers,
    OptionalProbability,
    PositiveInt,
    PositiveNumbers,
)
from archdsl.ops.contract.base import CostFreeOp, OpError, ParameterSpec, Tensors, Types, require_layout
from archdsl.ops.contract.channels import channel_axis, check_groups
from archdsl.ops.contract.init import Constant, VectorInit
from archdsl.ops.contract.shapes import Layout, TensorType
from archdsl.ops.contract.torch_call import FunctionCall, ModuleCall, OwnParameter, TorchCall, X, module_call
from archdsl.ops.facts.reading import ALL, Reads, along, in_place
from archdsl.ops.memory.strides import contiguous, is_channels_last, suggested
from archdsl.ops.memory.tape import Tape, Tensor
from archdsl.ops.memory.torch_memory import made_contiguous, normalized, permuted


class _NormOp(CostFreeOp):
    """Elements brought to mean 0 and variance 1, then a factor and an offset for each channel: same type."""

    torch_channels_at = 1
    layouts: ClassVar[tuple[Layout, ...]]
    """Which layouts it reads."""

    if TYPE_CHECKING:
        affine: bool
        init: VectorInit
        bias_init: VectorInit

    def is_affine(self) -> bool:
        """Whether there are a factor and an offset."""
        return self.affine

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout(self.kind, inputs[0], self.layouts)
        return inputs[0]

    @override
    def parameters(self, inputs: Types) -> Mapping[str, ParameterSpec]:
        if not self.is_affine():
            return {}
        channels = (inputs[0].sizes[channel_axis(self.kind, inputs[0])],)
        return {"weight": ParameterSpec(channels, self.init), "bias": ParameterSpec(channels, self.bias_init)}

    def has_gradient(self, x: Tensor, tape: Tape) -> bool:
        """Whether its result has one, from the input or from the parameters."""
        return x.grad or (self.is_affine() and tape.grad)


class BatchNormOp(_NormOp):
    """Batch normalisation: each channel of ``C x H x W``, ``C x L`` or ``C`` to mean 0, variance 1 over the batch.

    Then a factor and an offset per channel, with ``affine``. In eval mode the running statistics stand
    in for the batch's. Parameters: ``weight``, ``bias`` (C). Buffers, with ``track_running_stats``:
    ``running_mean``, ``running_var`` (C), ``num_batches_tracked`` (). ``momentum = none`` averages over all
    batches alike. Errors: E306 another layout. torch.nn.BatchNorm2d, or BatchNorm1d for ``C x L`` and ``C``;
    Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 1.
    """

    kind = "bn"
    aliases = ("batchnorm", "batch_norm", "batchnorm2d", "norm")
    layouts = ("CHW", "CL", "C")
    size_attributes = ("num_features",)
    output_can_be_overwritten = True
    call_depends_on = "channels"
    eps: Epsilon = 1e-5
    momentum: OptionalProbability = 0.1
    affine: Flag = True
    track_running_stats: Flag = True
    init: VectorInit = None
    bias_init: VectorInit = None

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        rank = len(output.sizes)
        if self.track_running_stats:
            return in_place(rank)
        return along(rank, dict.fromkeys(range(1, rank), ALL), statistics=True)

    @override
    def buffers(self, inputs: Types) -> Mapping[str, ParameterSpec]:
        if not self.track_running_stats:
            return {}
        channels = inputs[0].sizes[:1]
        return {
            "running_mean": ParameterSpec(channels),
            "running_var": ParameterSpec(channels),
            "num_batches_tracked": ParameterSpec((), dtype="int64"),
        }

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return module_call(
            "nn.BatchNorm2d" if inputs[0].layout == "CHW" else "nn.BatchNorm1d",
            inputs[0].sizes[0],
            eps=self.eps,
            momentum=self.momentum,
            affine=self.affine,
            track_running_stats=self.track_running_stats,
        )

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        (x,) = tensors
        # statistics of the batch are used, and returned, in training or where there are no others
        statistics = x.sizes[1:2] if tape.training or not self.track_running_stats else (0,)
        return normalized(tape, x, statistics, self.has_gradient(x, tape), suggested(x.sizes, x.place))


class LayerNormOp(_NormOp):
    """Layer normalisation: the channels at each place of ``C``, ``L x C`` or ``H x W x C`` to mean 0, variance 1.

    Then a factor (``affine``) and an offset (``bias`` as well) per channel. Parameters: ``weight``, ``bias`` (C).
    Errors: E306 for ``C x H x W``, where ``ln2d`` does it, and ``C x L``. torch.nn.LayerNorm; Ba et al. 2016,
    arXiv:1607.06450, section 3.
    """

    kind = "ln"
    aliases = ("layernorm", "layer_norm")
    layouts = ("C", "LC", "HWC")
    output_can_be_overwritten = True
    eps: Epsilon = 1e-5
    affine: Flag = True
    bias: Flag = True
    init: VectorInit = None
    bias_init: VectorInit = None

    @override
    def infer(self, inputs: Types) -> TensorType:
        hint = "use `ln2d`" if inputs[0].layout == "CHW" else "write `channels_last` before it"
        require_layout(self.kind, inputs[0], self.layouts, hint)
        return inputs[0]

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        rank = len(output.sizes)
        return along(rank, {rank - 1: ALL}, statistics=True)

    @override
    def parameters(self, inputs: Types) -> Mapping[str, ParameterSpec]:
        specs = super().parameters(inputs)
        return {name: spec for name, spec in specs.items() if self.bias or name == "weight"}

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        bias = self.bias if self.affine else True  # torch ignores the bias then
        return module_call("nn.LayerNorm", inputs[0].sizes[-1], eps=self.eps, elementwise_affine=self.affine, bias=bias)

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        (x,) = tensors
        return normalized(tape, x, x.sizes[:-1], self.has_gradient(x, tape))


class LayerNorm2dOp(_NormOp):
    """Layer normalisation over the channels at each place of an image ``C x H x W``, with factor and offset.

    Parameters: ``weight``, ``bias`` (C). Errors: E306 for other layouts, where ``ln`` does it. torch.nn.LayerNorm
    between two permutations; Liu et al. 2022, arXiv:2201.03545, section 2.6.
    """

    kind = "ln2d"
    layouts = ("CHW",)
    eps: Epsilon = 1e-6
    init: VectorInit = None
    bias_init: VectorInit = None

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout(self.kind, inputs[0], self.layouts, "use `ln`")
        return inputs[0]

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return along(3, {0: ALL}, statistics=True)

    @override
    def is_affine(self) -> bool:
        return True

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return module_call("layers.LayerNorm2d", inputs[0].sizes[0], eps=self.eps)

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        x = permuted(tensors[0], 0, 2, 3, 1)
        return permuted(normalized(tape, x, x.sizes[:-1], self.has_gradient(x, tape)), 0, 3, 1, 2)


class GroupNormOp(_NormOp):
    """Group normalisation: ``num_groups`` groups of channels of ``C x H x W``, ``C x L`` or ``C``, each to mean 0,
    variance 1; then, with ``affine``, a factor and an offset per channel.

    Parameters: ``weight``, ``bias`` (C). Errors: E305 groups that do not divide the channels, E306 another
    layout. torch.nn.GroupNorm; Wu and He 2018, arXiv:1803.08494, section 3.1.
    """

    kind = "gn"
    aliases = ("groupnorm", "group_norm")
    torch_channels_at = 2
    layouts = ("CHW", "CL", "C")
    output_can_be_overwritten = True
    num_groups: PositiveInt
    eps: Epsilon = 1e-5
    affine: Flag = True
    init: VectorInit = None
    bias_init: VectorInit = None

    @override
    def infer(self, inputs: Types) -> TensorType:
        output = super().infer(inputs)
        channels = output.sizes[0]
        check_groups("gn", self.num_groups, channels, channels, argument="num_groups")
        return output

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        rank = len(output.sizes)
        return along(rank, dict.fromkeys(range(rank), ALL), statistics=True)

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return module_call("nn.GroupNorm", self.num_groups, inputs[0].sizes[0], eps=self.eps, affine=self.affine)

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        (x,) = tensors
        grad = self.has_gradient(x, tape)
        if not is_channels_last(x.sizes, x.strides):
            x = made_contiguous(tape, x)
        return normalized(tape, x, (x.sizes[0], self.num_groups), grad, suggested(x.sizes, x.place))


class InstanceNormOp(_NormOp):
    """Instance normalisation: each channel of each image ``C x H x W`` to mean 0, variance 1.

    Then, with ``affine``, a factor and an offset per channel. Parameters: ``weight``, ``bias`` (C). Errors: E306
    another layout, E308 an image of one pixel, which has no variance. torch.nn.InstanceNorm2d; Ulyanov et
    al. 2016, arXiv:1607.08022.
    """

    kind = "instance_norm"
    layouts = ("CHW",)
    output_can_be_overwritten = True
    eps: Epsilon = 1e-5
    affine: Flag = False
    init: VectorInit = None
    bias_init: VectorInit = None

    @override
    def infer(self, inputs: Types) -> TensorType:
        output = super().infer(inputs)
        if output.sizes[1:] == (1, 1):
            message = f"`instance_norm` takes images of two pixels or more, but gets {output}"
            raise OpError("E308", message, help="move it before the pooling")
        return output

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return along(3, {1: ALL, 2: ALL}, statistics=True)

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return module_call("nn.InstanceNorm2d", inputs[0].sizes[0], eps=self.eps, affine=self.affine)

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        x = made_contiguous(tape, tensors[0])
        grad = self.has_gradient(x, tape)
        channels = x.sizes[0] * x.sizes[1]
        if self.affine:
            # a batch norm whose channels are those of all examples: the parameters are repeated for each
            weight, _ = tape.empty((channels,)), tape.empty((channels,))
            tape.keep(weight, grad)
        return normalized(tape, x, (channels,), grad)


class NormalizeOp(CostFreeOp):
    """``(x - mean) / std`` per channel of an image ``C x H x W``, with given numbers: no parameters, no buffers.

    ``mean`` and ``std`` are lists of a number per channel. Errors: E306 another layout, E308 a list of another
    length. torchvision.transforms.Normalize.
    """

    kind = "normalize"
    mean: Numbers
    std: PositiveNumbers

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        if len(self.mean) != len(self.std):
            message = "`mean` and `std` must be of one length, got {mean} and {std} numbers"
            raise PydanticCustomError("lengths", message, {"mean": len(self.mean), "std": len(self.std)})
        return self

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("normalize", inputs[0], ("CHW",))
        channels = inputs[0].sizes[0]
        if len(self.mean) != channels:
            message = f"`normalize` has {len(self.mean)} means, but its input {inputs[0]} has {channels} channels"
            raise OpError("E308", message, argument="mean")
        return inputs[0]

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return in_place(3)

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return ModuleCall("layers.Normalize", (self.mean, self.std))

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        (x,) = tensors
        channels = len(self.mean)
        constant = x.view((channels, 1, 1), (1, 1, 1))._replace(grad=False)
        centred = tape.pointwise(x, constant)
        return tape.pointwise(centred, constant)

    @override
    def constants(self, inputs: Types) -> Mapping[str, ParameterSpec]:
        return {name: ParameterSpec((len(self.mean), 1, 1)) for name in ("mean", "std")}


class ScaleOp(CostFreeOp):
    """A learned factor per channel, at first ``value`` for all: any layout with channels, same type.

    Its one parameter stands at the op's own path (own name ``""``), as ``layer_scale: scale(1e-6)`` needs it,
    with the channels first and a 1 for each axis behind them: (C, 1, 1) on ``C x H x W``, (C) on ``H x W x C``.
    Errors: E306 a layout without channels. Touvron et al. 2021, arXiv:2103.17239, section 2 (LayerScale).
    """

    kind = "scale"
    torch_channels_at = 1
    is_started_when_made = True
    value: Number = 1.0

    @override
    def infer(self, inputs: Types) -> TensorType:
        channel_axis("scale", inputs[0])
        return inputs[0]

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return in_place(len(output.sizes))

    @override
    def parameters(self, inputs: Types) -> Mapping[str, ParameterSpec]:
        type_ = inputs[0]
        axis = channel_axis("scale", type_)
        shape = (type_.sizes[axis], *(1,) * (len(type_.sizes) - axis - 1))
        return {"": ParameterSpec(shape, Constant(value=self.value))}

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return FunctionCall("torch.mul", (OwnParameter(), X))

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        (x,) = tensors
        (spec,) = self.parameters(inputs).values()
        tape.keep(x)
        factor = x.view(spec.shape, contiguous(spec.shape))._replace(grad=tape.grad)
        return tape.pointwise(factor, x)
