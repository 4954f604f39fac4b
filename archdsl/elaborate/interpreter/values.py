"""What an expression of a spec can be worth.

Numbers, booleans, ``none`` and strings are Python's own; lists are tuples, ranges are ranges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from archdsl.base.source import Span
from archdsl.elaborate.interpreter.environment import Environment
from archdsl.graph.model import Node
from archdsl.language import syntax
from archdsl.ops.contract.base import Op
from archdsl.ops.contract.init import Initializer


class DimsValue(tuple[int, ...]):
    """``3x7``: sizes per axis as an argument, a shape demand as a layer."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Rounded:
    """``25.6M`` in an assert."""

    value: float
    scale: int
    decimals: int

    @property
    def number(self) -> float:
        return self.value * self.scale

    def equals(self, other: float) -> bool:
        return round(other / self.scale, self.decimals) == self.value


@dataclass(frozen=True, slots=True, eq=False)
class LayerValue:
    """A layer expression with the place where it was written, to be applied when the flow reaches it."""

    expression: syntax.Expression
    environment: Environment


@dataclass(frozen=True, slots=True, eq=False)
class TensorValue:
    """A tensor that exists already: as a layer it ignores its input."""

    node: Node


@dataclass(frozen=True, slots=True)
class OpReference:
    """An op by its name, to be called with arguments or applied with its defaults."""

    name: str
    op: type[Op]


@dataclass(frozen=True, slots=True)
class InitializerReference:
    name: str
    initializer: type[Initializer]


@dataclass(frozen=True, slots=True, eq=False)
class InitializerValue:
    """An initialiser; equal ones are one object, so that comparing and hashing cost nothing."""

    initializer: Initializer


@dataclass(frozen=True, slots=True, eq=False)
class BlockValue:
    definition: syntax.Block
    environment: Environment


@dataclass(frozen=True, slots=True, eq=False)
class FunctionValue:
    definition: syntax.Let
    environment: Environment


@dataclass(frozen=True, slots=True)
class BuiltinValue:
    """A built-in function; ``call`` gets the positional and the keyword arguments."""

    name: str
    call: Callable[..., object]


@dataclass(frozen=True, slots=True, eq=False)
class IdentityValue:
    """``id``: the layer that does nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class MergeValue:
    """``sum(list)``, ``concat(list)`` or ``product(list)`` of layers."""

    operator: str
    layers: tuple[object, ...]
    spans: tuple[Span, ...] = ()
    """Where each of the layers is written."""


@dataclass(slots=True, eq=False)
class SharedValue:
    """``shared(layer)``: the nodes of the first use own the weights of all later ones."""

    layer: object
    first_use: list[Node] = field(default_factory=list)
    used: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class NetworkValue:
    definition: syntax.Network
    environment: Environment


NETWORK_AS_LAYER = "build on it: `network mine extends ... { head { ... } }`, with an `output` for each stage you need"
"""What to do instead of using a network as a layer."""


@dataclass(frozen=True, slots=True, eq=False)
class Failed:
    """The value of a definition that failed; its fault is reported already."""


IDENTITY = IdentityValue()
FAILED = Failed()

LAYERS = (
    LayerValue, OpReference, BlockValue, IdentityValue, MergeValue, SharedValue, TensorValue, DimsValue, FunctionValue
)  # fmt: skip
"""Values that can be applied to a tensor (a function where its value is a layer)."""


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def whole(value: object) -> object:
    """A float that is whole as an int, anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def describe(value: object) -> str:
    """The value's kind and, where short, the value itself, as a message says it."""
    if value is None or isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, DimsValue):
        return f"the sizes {'x'.join(map(str, value))}"
    if isinstance(value, str):
        return f"the string {value!r}" if len(value) < 40 else "a string"
    if is_number(value):
        return f"the number {_short(value)}"
    if isinstance(value, tuple | range):
        return f"a list of {len(value)}"
    return _KINDS.get(type(value), "a value")


def _short(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > 200:
        return f"of {value.bit_length()} bits"
    return str(value)


_KINDS: dict[type, str] = {
    LayerValue: "a layer",
    TensorValue: "a tensor",
    OpReference: "an op",
    InitializerReference: "an initialiser",
    InitializerValue: "an initialiser",
    BlockValue: "a block",
    FunctionValue: "a function",
    BuiltinValue: "a built-in function",
    IdentityValue: "the layer `id`",
    MergeValue: "a layer",
    SharedValue: "a shared layer",
    NetworkValue: "a network",
    Rounded: "a rounded number",
}
