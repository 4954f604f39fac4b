"""What the parser makes of a text: frozen nodes, each with its span, without behaviour.

Chains of one precedence level are one flat node (``a + b - c`` is a single ``Chain``), so that
neither a long sum nor a long flow makes a deep tree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal as OneOf

from archdsl.source import Source, Span


@dataclass(frozen=True, slots=True)
class Node:
    span: Span


# ---- expressions ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Name(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Constant(Node):
    """A number, ``true``, ``false`` or ``none``."""

    value: int | float | bool | None


@dataclass(frozen=True, slots=True)
class RoundedNumber(Node):
    """``25.6M``: a number known to ``decimals`` places of its unit; asserts compare at that precision."""

    value: float
    scale: int
    decimals: int


@dataclass(frozen=True, slots=True)
class String(Node):
    """``"denselayer{i}"`` as its literal and interpolated parts, in order."""

    parts: tuple[str | Expression, ...]


@dataclass(frozen=True, slots=True)
class Dims(Node):
    """``256x56x56``: as a layer a shape demand, as an argument a size per axis."""

    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BlockInput(Node):
    """``in``"""


@dataclass(frozen=True, slots=True)
class Wire(Node):
    """``@name`` or ``@"path.{i}"``; a plain name is a ``String`` of one part."""

    path: String


@dataclass(frozen=True, slots=True)
class ListOf(Node):
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Comprehension(Node):
    item: Expression
    names: tuple[Name, ...]
    iterable: Expression


@dataclass(frozen=True, slots=True)
class Argument(Node):
    name: Name | None
    value: Expression


@dataclass(frozen=True, slots=True)
class Call(Node):
    callee: Expression
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Attribute(Node):
    value: Expression
    name: Name


@dataclass(frozen=True, slots=True)
class Index(Node):
    """``l[i]``, and ``l[a..b]`` where ``index`` is a range."""

    value: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class Unary(Node):
    operator: OneOf["-", "not"]
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """Comparisons, ``a..b`` and ``a ** b``."""

    operator: OneOf["==", "!=", "<", "<=", ">", ">=", "..", "**"]
    operator_span: Span
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Chain(Node):
    """Operands of one precedence level, left to right; ``operators[i]`` stands before ``operands[i + 1]``.

    A level is one of: ``+ - ++``; ``* / // %``; ``and``; ``or``; ``x``.
    """

    operands: tuple[Expression, ...]
    operators: tuple[str, ...]
    operator_spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Ternary(Node):
    """``value if condition else otherwise``"""

    value: Expression
    condition: Expression
    otherwise: Expression


@dataclass(frozen=True, slots=True)
class Flow(Node):
    """``f -> g -> h``; at least two steps."""

    steps: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Labelled(Node):
    """``label: layer``"""

    label: String
    layer: Expression


@dataclass(frozen=True, slots=True)
class Group(Node):
    """``( … )``"""

    value: Expression


@dataclass(frozen=True, slots=True)
class Braces(Node):
    """``{ … }`` as a layer."""

    body: Body


@dataclass(frozen=True, slots=True)
class Sequence(Node):
    """``seq( … )`` or ``seq { … }``"""

    content: Body | Expression


Expression = (
    Name | Constant | RoundedNumber | String | Dims | BlockInput | Wire | ListOf | Comprehension | Call | Attribute
    | Index | Unary | Binary | Chain | Ternary | Flow | Labelled | Group | Braces | Sequence
)  # fmt: skip


# ---- statements ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Body(Node):
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Step(Node):
    layer: Expression


@dataclass(frozen=True, slots=True)
class Parameter(Node):
    name: Name
    default: Expression | None


@dataclass(frozen=True, slots=True)
class Let(Node):
    """``parameters`` is None for a constant, a (possibly empty) tuple for a function."""

    name: Name
    parameters: tuple[Parameter, ...] | None
    value: Expression
    doc: str


@dataclass(frozen=True, slots=True)
class Block(Node):
    name: Name
    parameters: tuple[Parameter, ...]
    body: Body | Expression
    doc: str


@dataclass(frozen=True, slots=True)
class Default(Node):
    """``default conv(bias = false)``"""

    op: Name
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Section(Node):
    kind: OneOf["stem", "stage", "head", "aux"]
    label: String | None
    body: Body


@dataclass(frozen=True, slots=True)
class For(Node):
    names: tuple[Name, ...]
    iterable: Expression
    body: Body


@dataclass(frozen=True, slots=True)
class If(Node):
    """Branches in order, each a condition and its body; ``otherwise`` is the plain ``else``."""

    branches: tuple[tuple[Expression, Body], ...]
    otherwise: Body | None


@dataclass(frozen=True, slots=True)
class Named(Node):
    """``name: expression`` in ``input`` and ``output``."""

    name: Name
    value: Expression


@dataclass(frozen=True, slots=True)
class Input(Node):
    """``input 3x224x224``, or several, each named: ``input left: 3x64x64, right: 3x64x64``."""

    shapes: tuple[Expression | Named, ...]


@dataclass(frozen=True, slots=True)
class Output(Node):
    outputs: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Assert(Node):
    condition: Expression
    message: String | None


@dataclass(frozen=True, slots=True)
class Import(Node):
    path: String
    names: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Network(Node):
    """``network n(…) { … }``, ``network n(…) extends base(…) { … }`` or ``network n(…) = base(…)``.

    ``base`` is set in the last two, ``body`` in the first two.
    """

    name: Name
    parameters: tuple[Parameter, ...]
    base: Expression | None
    body: Body | None
    doc: str


Statement = Step | Let | Block | Default | Section | For | If | Input | Output | Assert
Declaration = Import | Let | Block | Network | Default


@dataclass(frozen=True, slots=True)
class Module:
    source: Source
    declarations: tuple[Declaration, ...]
