"""What every op states about itself: arguments, shape rule, parameters, cost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from typing import Any, ClassVar, Literal, NamedTuple, final

from pydantic import BaseModel, ConfigDict
from typing_extensions import override

from archdsl.base.wording import either
from archdsl.diagnostics.codes import ErrorCode
from archdsl.ops.contract.init import Initializer
from archdsl.ops.contract.shapes import Layout, TensorType, layout_name
from archdsl.ops.contract.torch_call import TorchCall, module_call
from archdsl.ops.facts.reading import Reads, in_place
from archdsl.ops.memory.tape import Tape, Tensor

Types = tuple[TensorType, ...]
Tensors = tuple[Tensor, ...]


class OpError(Exception):
    """An op that cannot be applied to these inputs; the elaborator adds the place.

    ``argument`` names the argument at fault and ``operand`` the index of the input at fault, where
    one is, so that the diagnostic can mark it.
    """

    def __init__(
        self, code: ErrorCode, message: str, *, help: str = "", argument: str | None = None, operand: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.help = help
        self.argument = argument
        self.operand = operand


class ParameterSpec(NamedTuple):
    """One parameter or buffer of an op: its shape, its start, and whether the optimiser sees it."""

    shape: tuple[int, ...]
    init: Initializer | None = None
    """None: torch's own default for the module that this op becomes."""
    dtype: str = "float32"

    @property
    def elements(self) -> int:
        product = 1
        for size in self.shape:
            product *= size
        return product


class Op(BaseModel, ABC):
    """One operation with all its arguments resolved; equal arguments make equal, hashable ops.

    Fields are the op's arguments in the order in which a spec may write them without names; what a
    spec leaves open (``padding``) is filled in on construction. Input channels are no field: they
    are taken from the input's type.
    """

    # schemas of ops that no spec uses are never built: that would be most of the time to import this package
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    kind: ClassVar[str]
    """The op's name in specs, graphs and tables."""
    step_name: ClassVar[str]
    """What unlabelled steps are named after (``dwconv`` steps are named ``conv1``, ...); ``kind`` unless set."""
    defaults_of: ClassVar[str | None] = None
    """The kind of a more general op whose ``default`` statements hold for this one as well, where none is its own."""
    arity: ClassVar[int | None] = 1
    """Number of inputs; None for two or more."""
    call_depends_on: ClassVar[Literal["arguments", "channels", "types"]] = "types"
    """What decides over the torch call, the parameters and the buffers: the arguments alone, with them the layout and
    the channels of the op's one input, or the inputs' whole types."""
    size_attributes: ClassVar[tuple[str, ...]] = ()
    """Attributes of its module that hold the call's first arguments, where these, ``groups`` and the parameters' shapes
    are all that depends on channels: then one module is made, and the others are copies with other sizes."""
    is_started_when_made: ClassVar[bool] = False
    """Whether its parameter's start is an argument of the call or of the parameter's making."""
    can_overwrite_input: ClassVar[bool] = False
    """Whether it is an activation that takes ``inplace=True``."""
    output_can_be_overwritten: ClassVar[bool] = False
    """Whether its output is new memory that its own backward pass does not read."""
    ends_unit: ClassVar[bool] = False
    """Whether units such as conv, norm, activation end with it: written code ends the line."""
    mac_formula: ClassVar[str] = ""
    """``macs`` in words that can be computed, with the names of ``mac_variables``; "" where ``macs`` alone says it."""
    torch_channels_at: ClassVar[int | None] = None
    """The place, from 1, at which PyTorch takes the input's channels, which specs never write: ``linear(in, out)``."""
    aliases: ClassVar[tuple[str, ...]] = ()
    """What people type for it, where edit distance alone would not find its name."""
    is_user_op: ClassVar[bool] = False
    """Whether it is written outside archdsl, so that its mistakes are its author's."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "kind" in cls.__dict__ and "step_name" not in cls.__dict__:
            cls.step_name = cls.kind

    @abstractmethod
    def infer(self, inputs: Types) -> TensorType:
        """The output's type. Raises OpError where the op cannot take these inputs."""

    @abstractmethod
    def macs(self, inputs: Types, output: TensorType) -> int:
        """Multiply-accumulates of convolutions, matrix products and attention products, per example.

        The convention of torch's FlopCounterMode (which counts two FLOPs for each) and of
        torchvision's published ``_ops``: biases, norms, activations and pools count nothing.
        """

    def mac_variables(self, inputs: Types, output: TensorType) -> dict[str, int]:
        """What the names in ``mac_formula`` are worth; ``places`` are the elements of a channel."""
        in_channels, out_channels = (type_.sizes[type_.channel_axis or 0] for type_ in (inputs[0], output))
        return {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "in_places": inputs[0].elements // in_channels,
            "out_places": output.elements // out_channels,
        }

    def input_gradient_macs(self, inputs: Types, output: TensorType) -> int:
        """Multiply-accumulates of the gradient for the op's input alone, which the first layer of a network spares."""
        return self.macs(inputs, output)

    @abstractmethod
    def reads(self, inputs: Types, output: TensorType) -> Reads | None:
        """Which elements of the inputs each element of the output is computed from; None where nobody knows.

        In evaluation mode: what is dropped or normalised by the batch in training only does not count.
        """

    def parameters(self, inputs: Types) -> Mapping[str, ParameterSpec]:
        """Trainable parameters by name, in torch's order of registration."""
        return {}

    def buffers(self, inputs: Types) -> Mapping[str, ParameterSpec]:
        """Buffers that the state_dict holds, by name, in torch's order."""
        return {}

    def constants(self, inputs: Types) -> Mapping[str, ParameterSpec]:
        """Buffers that the state_dict does not hold, as they follow from the arguments, by name."""
        return {}

    @abstractmethod
    def torch_call(self, inputs: Types) -> TorchCall:
        """What computes the op: ``ModuleCall("nn.PReLU", (), {"init": 0.25})``, or a ``FunctionCall``.

        A target is looked up in torch (``nn.ReLU``, ``F.relu``, ``torch.add``, ``Tensor.flatten``) or in a module
        (``my_ops:GlobalResponseNorm``; ``f"{__name__}:GlobalResponseNorm"`` for one that stands beside the op).
        A module is called with all inputs in order. A function's arguments say where they stand: ``X`` is the first,
        ``Input(1)`` the next, ``OwnParameter()`` the op's one parameter, whose name is "".
        """

    @final
    def call_key(self, inputs: Types) -> Hashable:
        """What of the inputs' types decides over the call, the parameters and the buffers.

        Types themselves are told apart by identity, as a graph has each but once.
        """
        if self.call_depends_on == "channels":
            (given,) = inputs
            return given.layout, given.sizes[given.channel_axis or 0]
        return () if self.call_depends_on == "arguments" else tuple(map(id, inputs))

    @abstractmethod
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor | None:
        """The result, with all that torch allocates and keeps for the backward pass on the way to it.

        ``tensors`` are the inputs, the batch included; ``tape`` makes new ones and is told what is kept. None where
        nobody knows.
        """

    @final
    def fill(self, **arguments: Any) -> None:
        """For validators alone: what a spec has left open, filled in before anyone sees the op."""
        self.__dict__.update(arguments)

    @final
    def arguments(self) -> dict[str, Any]:
        """Arguments by name, in order."""
        return {name: getattr(self, name) for name in type(self).model_fields}


class CostFreeOp(Op):
    """An op without products of convolutions, matrices or attention."""

    mac_formula = "0"

    @override
    def macs(self, inputs: Types, output: TensorType) -> int:
        return 0


class PointwiseOp(CostFreeOp):
    """Each output element depends on the input element at its place: any layout, same type."""

    @override
    def infer(self, inputs: Types) -> TensorType:
        return inputs[0]

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return in_place(len(output.sizes))


class ModuleOp(Op):
    """A module of torch's, made of the op's arguments under their own names: those without a default come first."""

    torch_module: ClassVar[str]
    call_depends_on = "arguments"

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        arguments, fields = self.arguments(), type(self).model_fields
        required = [arguments.pop(name) for name, field in fields.items() if field.is_required()]
        return module_call(self.torch_module, *required, **arguments)


def require_layout(kind: str, type_: TensorType, layouts: tuple[Layout, ...], help: str = "", operand: int = 0) -> None:
    """Refuse an input whose axes the op would silently misread."""
    if type_.layout not in layouts:
        message = f"`{kind}` takes {_described(layouts)}, but gets {type_} ({layout_name(type_.layout)})"
        raise OpError("E306", message, help=help or _way_to(type_.layout, layouts), operand=operand)


def _way_to(layout: Layout, wanted: tuple[Layout, ...]) -> str:
    """What brings a tensor of this layout to one of the wanted ones, where one op does."""
    if (layout == "HWC" and "CHW" in wanted) or (layout == "LC" and "CL" in wanted):
        return "write `channels_first` before it"
    if (layout == "CHW" and "HWC" in wanted) or (layout == "CL" and "LC" in wanted):
        return "write `channels_last` before it"
    if layout in ("CHW", "HWC") and "LC" in wanted:
        return "write `tokens` before it"
    if layout == "LC" and "CHW" in wanted:
        return "write `image`, with its height and width, before it"
    return "put it before the `flatten`" if layout == "C" and "CHW" in wanted else ""


def _described(layouts: tuple[Layout, ...]) -> str:
    return either([layout_name(layout) for layout in layouts])
