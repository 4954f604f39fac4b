"""What the parser makes of a text: frozen nodes, each with its span, without behaviour.

Chains of one precedence level are one flat node (``a + b - c`` is a single ``Chain``), so that
neither a long sum nor a long flow makes a deep tree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal as OneOf

from archdsl.base.source import Source, Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Node:
    """Nodes are equal only to themselves: what stands in two places is two things.

    Without generated methods for comparing and printing, fifty classes are made in half the time,
    which every start of the command line pays.
    """

    span: Span

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.span.text!r} at {self.span.place}>"


# ---- expressions ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Name(Node):
    name: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Constant(Node):
    """A number, ``true``, ``false`` or ``none``."""

    value: int | float | bool | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RoundedNumber(Node):
    """``25.6M``: a number known to ``decimals`` places of its unit; asserts compare at that precision."""

    value: float
    scale: int
    decimals: int


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class String(Node):
    """``"denselayer{i}"`` as its literal and interpolated parts, in order."""

    parts: tuple[str | Expression, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Dims(Node):
    """``256x56x56``: as a layer a shape demand, as an argument a size per axis."""

    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BlockInput(Node):
    """``in``"""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Wire(Node):
    """``@name`` or ``@"path.{i}"``; a plain name is a ``String`` of one part."""

    path: String


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ListOf(Node):
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Comprehension(Node):
    item: Expression
    names: tuple[Name, ...]
    iterable: Expression


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Argument(Node):
    name: Name | None
    value: Expression


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Call(Node):
    callee: Expression
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Attribute(Node):
    value: Expression
    name: Name


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Index(Node):
    """``l[i]``, and ``l[a..b]`` where ``index`` is a range."""

    value: Expression
    index: Expression


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Unary(Node):
    operator: OneOf["-", "not"]
    operand: Expression


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Binary(Node):
    """Comparisons, ``a..b`` and ``a ** b``."""

    operator: OneOf["==", "!=", "<", "<=", ">", ">=", "..", "**"]
    operator_span: Span
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Chain(Node):
    """Operands of one precedence level, left to right; ``operators[i]`` stands before ``operands[i + 1]``.

    A level is one of: ``+ - ++``; ``* / // %``; ``and``; ``or``; ``x``.
    """

    operands: tuple[Expression, ...]
    operators: tuple[str, ...]
    operator_spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Ternary(Node):
    """``value if condition else otherwise``"""

    value: Expression
    condition: Expression
    otherwise: Expression


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Flow(Node):
    """``f -> g -> h``; at least two steps."""

    steps: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Labelled(Node):
    """``label: layer``"""

    label: String
    layer: Expression


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Group(Node):
    """``( … )``"""

    value: Expression


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Braces(Node):
    """``{ … }`` as a layer."""

    body: Body


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Sequence(Node):
    """``seq( … )`` or ``seq { … }``"""

    content: Body | Expression


Expression = (
    Name | Constant | RoundedNumber | String | Dims | BlockInput | Wire | ListOf | Comprehension | Call | Attribute
    | Index | Unary | Binary | Chain | Ternary | Flow | Labelled | Group | Braces | Sequence
)  # fmt: skip


# ---- statements ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Body(Node):
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Step(Node):
    layer: Expression


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Parameter(Node):
    name: Name
    default: Expression | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Let(Node):
    """``parameters`` is None for a constant, a (possibly empty) tuple for a function."""

    name: Name
    parameters: tuple[Parameter, ...] | None
    value: Expression
    doc: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Block(Node):
    name: Name
    parameters: tuple[Parameter, ...]
    body: Body | Expression
    doc: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Default(Node):
    """``default conv(bias = false)``"""

    op: Name
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Section(Node):
    kind: OneOf["stem", "stage", "head", "aux"]
    label: String | None
    body: Body


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class For(Node):
    names: tuple[Name, ...]
    iterable: Expression
    body: Body


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class If(Node):
    """Branches in order, each a condition and its body; ``otherwise`` is the plain ``else``."""

    branches: tuple[tuple[Expression, Body], ...]
    otherwise: Body | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Named(Node):
    """``name: expression`` in ``input`` and ``output``."""

    name: Name
    value: Expression


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Input(Node):
    """``input 3x224x224``, or several, each named: ``input left: 3x64x64, right: 3x64x64``."""

    shapes: tuple[Expression | Named, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Output(Node):
    outputs: tuple[Named, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Assert(Node):
    condition: Expression
    message: String | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Import(Node):
    path: String
    names: tuple[Name, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
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
Definition = Let | Block | Network


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Module:
    source: Source
    declarations: tuple[Declaration, ...]
