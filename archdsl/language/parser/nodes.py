"""What each rule of the grammar makes of its children: the nodes of syntax.py."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import isinf
from typing import Any, NamedTuple

from archdsl.base.limits import Limits, how_to_raise
from archdsl.base.names import NAME_RULE, is_name
from archdsl.base.source import Source, Span
from archdsl.diagnostics.codes import ErrorCode
from archdsl.diagnostics.model import Diagnostic, Label
from archdsl.diagnostics.problems import Problems
from archdsl.language import syntax
from archdsl.language.parser import mixing
from archdsl.language.parser.tokens import Token
from archdsl.language.parser.trivia import documentation
from archdsl.language.syntax import Expression

SCALES = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}

_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
"""In a string: a literal brace, an interpolation, or a brace that is neither."""

Children = list[Any]
"""A rule's children in order, its tokens among them."""


class Trailer(NamedTuple):
    """``(...)``, ``.name`` or ``[...]`` before it is known what it follows."""

    make: Callable[[Span, Expression, Any], Expression]
    operand: Any
    end: int


class NodeBuilder:
    """Makes nodes bottom-up while the parser runs; faults that the grammar lets pass go to ``problems``.

    ``parse_part(start, end)`` parses an expression inside a string of the same source.
    """

    def __init__(
        self, source: Source, limits: Limits, problems: Problems, parse_part: Callable[[int, int], Expression]
    ) -> None:
        self.source = source
        self.text = source.text
        self.limits = limits
        self.problems = problems
        self.parse_part = parse_part
        self._labelled: dict[Expression, Diagnostic] = {}

    def report_labels(self) -> None:
        """Reports labels right before conditionals: last, as a flow's own fault says it of those that are its steps."""
        for fault in self._labelled.values():
            self.problems.add(fault)

    @contextmanager
    def muted(self) -> Iterator[None]:
        """Nothing is reported of what is made meanwhile."""
        problems, labelled = self.problems, dict(self._labelled)
        self.problems = Problems()
        try:
            yield
        finally:
            self.problems, self._labelled = problems, labelled

    # ---- files ----

    def module(self, children: Children) -> syntax.Module:
        return syntax.Module(self.source, tuple(children[::2]))

    def import_(self, children: Children) -> syntax.Import:
        path = self._string(children[1])
        if any(not isinstance(part, str) for part in path.parts):
            self._report("E106", "the path of an import is fixed: it holds no `{ }`", path.span)
        return syntax.Import(self._across(children), path, self._names(children[3::2]))

    def let(self, children: Children) -> syntax.Let:
        parameters = children[2] if type(children[2]) is tuple else None
        span = self._across(children)
        return syntax.Let(span, self._name(children[1]), parameters, children[-1], self._doc(span))

    def block(self, children: Children) -> syntax.Block:
        parameters = children[2] if type(children[2]) is tuple else ()
        span = self._across(children)
        return syntax.Block(span, self._name(children[1]), parameters, children[-1], self._doc(span))

    def network(self, children: Children) -> syntax.Network:
        rest = children[2:]
        parameters = rest.pop(0) if type(rest[0]) is tuple else ()
        base = rest[1] if type(rest[0]) is Token else None
        body = rest[-1] if base is not rest[-1] else None
        span = self._across(children)
        return syntax.Network(span, self._name(children[1]), parameters, base, body, self._doc(span))

    def base(self, children: Children) -> syntax.Name | syntax.Call:
        name = self._name(children[0])
        if len(children) == 1:
            return name
        return syntax.Call(self._across(children), name, children[2] if len(children) == 4 else ())

    def default(self, children: Children) -> syntax.Default:
        arguments = children[3] if len(children) == 5 else ()
        return syntax.Default(self._across(children), self._name(children[1]), arguments)

    def parameters(self, children: Children) -> tuple[syntax.Parameter, ...]:
        return tuple(child for child in children if type(child) is syntax.Parameter)

    def parameter(self, children: Children) -> syntax.Parameter:
        default = children[2] if len(children) == 3 else None
        return syntax.Parameter(self._across(children), self._name(children[0]), default)

    # ---- statements ----

    def body(self, children: Children) -> syntax.Body:
        return syntax.Body(self._across(children), tuple(children[1:-1:2]))

    def step(self, children: Children) -> syntax.Step:
        return syntax.Step(children[0].span, children[0])

    def input(self, children: Children) -> syntax.Input:
        shapes = tuple(self._input_shape(shape) for shape in children[1::2])
        return syntax.Input(self._across(children), shapes)

    def _input_shape(self, shape: Expression) -> Expression | syntax.Named:
        if not isinstance(shape, syntax.Labelled):
            return shape
        label = shape.label.span
        if label.text.startswith('"'):
            self._report("E106", "an input's name is written without quotes", label)
        return syntax.Named(shape.span, syntax.Name(label, label.text), shape.layer)

    def output(self, children: Children) -> syntax.Output:
        return syntax.Output(self._across(children), tuple(children[1::2]))

    def named(self, children: Children) -> syntax.Named:
        return syntax.Named(self._across(children), self._name(children[0]), children[2])

    def assert_(self, children: Children) -> syntax.Assert:
        message = self._string(children[3]) if len(children) == 4 else None
        return syntax.Assert(self._across(children), children[1], message)

    def section(self, children: Children) -> syntax.Section:
        kind: Any = self._text(children[0])
        label = self._label(children[1]) if len(children) == 3 else None
        return syntax.Section(self._across(children), kind, label, children[-1])

    def for_(self, children: Children) -> syntax.For:
        return syntax.For(self._across(children), children[1], children[3], children[4])

    def names(self, children: Children) -> tuple[syntax.Name, ...]:
        return self._names(children[::2])

    def if_(self, children: Children) -> syntax.If:
        branches = tuple(zip(children[1::4], children[2::4], strict=False))
        otherwise = children[-1] if len(children) % 4 == 1 else None
        return syntax.If(self._across(children), branches, otherwise)

    # ---- expressions ----

    def flow(self, children: Children) -> syntax.Flow:
        flow = syntax.Flow(self._across(children), tuple(children[::2]))
        fault = mixing.flow_fault(flow, children[1::2])
        if fault is not None:
            self.problems.add(fault)
        if self._labelled:
            for step in flow.steps:
                self._labelled.pop(step, None)
        return flow

    def conditional(self, children: Children) -> syntax.Ternary:
        value, _, condition, _, otherwise = children
        ternary = syntax.Ternary(self._across(children), value, condition, otherwise)
        if isinstance(value, syntax.Labelled):
            self._labelled[ternary] = mixing.label_fault(ternary, value)
        return ternary

    def _chain(self, children: Children) -> syntax.Chain:
        tokens = children[1::2]
        source = self.source
        operators = tuple([self.text[start:end] for _, start, end in tokens])
        places = tuple([Span(source, start, end) for _, start, end in tokens])
        return syntax.Chain(self._across(children), tuple(children[::2]), operators, places)

    disjunction = conjunction = product = repeat = _chain

    def sum(self, children: Children) -> syntax.Chain:
        chain = self._chain(children)
        if "++" in chain.operators and "+" in chain.operators:
            self.problems.add(mixing.merge_fault(chain))
        return chain

    def _binary(self, children: Children) -> syntax.Binary:
        left, token, right = children
        operator: Any = self._text(token)
        return syntax.Binary(self._across(children), operator, token.span(self.source), left, right)

    comparison = range = power = _binary

    def unary(self, children: Children) -> syntax.Unary:
        operator: Any = self._text(children[0])
        return syntax.Unary(self._across(children), operator, children[1])

    def labelled(self, children: Children) -> syntax.Labelled:
        return syntax.Labelled(self._across(children), self._label(children[0]), children[2])

    def postfix(self, children: Children) -> Expression:
        value: Expression = children[0]
        start = value.span.start
        if len(children) - 1 > self.limits.nesting:
            message = f"more than {self.limits.nesting} calls, indices and attributes in a row"
            self._report("E502", message, value.span, help=how_to_raise("nesting", self.limits.nesting))
            return value
        for make, operand, end in children[1:]:
            value = make(Span(self.source, start, end), value, operand)
        return value

    def call(self, children: Children) -> Trailer:
        return Trailer(syntax.Call, children[1] if len(children) == 3 else (), children[-1].end)

    def attribute(self, children: Children) -> Trailer:
        return Trailer(syntax.Attribute, self._name(children[1]), children[1].end)

    def index(self, children: Children) -> Trailer:
        return Trailer(syntax.Index, children[1], children[2].end)

    def arguments(self, children: Children) -> tuple[syntax.Argument, ...]:
        arguments: tuple[syntax.Argument, ...] = tuple(children[::2])
        named = None
        for argument in arguments:
            if argument.name is not None:
                named = named or argument
            elif named is not None:
                self._report_positional(argument, named)
                break
        return arguments

    def _report_positional(self, argument: syntax.Argument, named: syntax.Argument) -> None:
        self._report(
            "E106",
            "an argument without a name stands behind one with a name",
            argument.span,
            Label(named.span, "the first named one"),
            help="arguments by position come first; give this one its name, or move it",
        )

    def argument(self, children: Children) -> syntax.Argument:
        if len(children) == 1:
            return syntax.Argument(children[0].span, None, children[0])
        return syntax.Argument(self._across(children), self._name(children[0]), children[2])

    # ---- atoms ----

    def name(self, children: Children) -> syntax.Name:
        return self._name(children[0])

    def integer(self, children: Children) -> syntax.Constant:
        span = children[0].span(self.source)
        return syntax.Constant(span, self._whole(span.text, span))

    def float_(self, children: Children) -> syntax.Constant:
        span = children[0].span(self.source)
        return syntax.Constant(span, self._finite(span.text, span))

    def rounded(self, children: Children) -> syntax.RoundedNumber:
        span = children[0].span(self.source)
        digits = span.text[:-1]
        decimals = len(digits.partition(".")[2])
        return syntax.RoundedNumber(span, self._finite(digits, span), SCALES[span.text[-1]], decimals)

    def dims(self, children: Children) -> syntax.Dims:
        span = children[0].span(self.source)
        return syntax.Dims(span, tuple([self._whole(size, span) for size in span.text.split("x")]))

    def _whole(self, digits: str, span: Span) -> int:
        bits = self.limits.number_bits
        value = int(digits) if len(digits) <= 19 else self._long(digits)
        if value is not None and value.bit_length() <= bits:
            return value
        self._report("E505", f"a number of more than {bits} bits", span, help=how_to_raise("number_bits", bits))
        return 0

    def _long(self, digits: str) -> int | None:
        # log2(10) > 3.3; a number far beyond the limit is not even made
        return int(digits) if len(digits) * 3 <= self.limits.number_bits + 64 and len(digits) <= 4300 else None

    def _finite(self, digits: str, span: Span) -> float:
        value = float(digits)
        if isinf(value):
            self._report("E505", "a number too large for a float", span, help="the largest is about 1.8e308")
        return value

    def string(self, children: Children) -> syntax.String:
        return self._string(children[0])

    def true(self, children: Children) -> syntax.Constant:
        return syntax.Constant(children[0].span(self.source), True)

    def false(self, children: Children) -> syntax.Constant:
        return syntax.Constant(children[0].span(self.source), False)

    def none(self, children: Children) -> syntax.Constant:
        return syntax.Constant(children[0].span(self.source), None)

    def block_input(self, children: Children) -> syntax.BlockInput:
        return syntax.BlockInput(children[0].span(self.source))

    def wire(self, children: Children) -> syntax.Wire:
        return syntax.Wire(self._across(children), self._label(children[1]))

    def group(self, children: Children) -> syntax.Group:
        return syntax.Group(self._across(children), children[1])

    def braces(self, children: Children) -> syntax.Braces:
        return syntax.Braces(children[0].span, children[0])

    def sequence(self, children: Children) -> syntax.Sequence:
        return syntax.Sequence(self._across(children), children[1 if len(children) == 2 else 2])

    def list_(self, children: Children) -> syntax.ListOf:
        return syntax.ListOf(self._across(children), tuple(children[1:-1:2]))

    def comprehension(self, children: Children) -> syntax.Comprehension:
        _, item, _, names, _, iterable, _ = children
        return syntax.Comprehension(self._across(children), item, names, iterable)

    # ---- pieces ----

    def _across(self, children: Children) -> Span:
        """From the first child's start to the last one's end."""
        first, last = children[0], children[-1]
        start = first.start if type(first) is Token else first.span.start
        end = last.end if type(last) is Token else last.span.end
        return Span(self.source, start, end)

    def _text(self, token: Token) -> str:
        return self.text[token.start : token.end]

    def _name(self, token: Token) -> syntax.Name:
        _, start, end = token
        span, name = Span(self.source, start, end), self.text[start:end]
        if not name.isascii() and not is_name(name):
            self._report("E106", f"`{name}` is no name", span, help=NAME_RULE)
        return syntax.Name(span, name)

    def _names(self, tokens: Sequence[Token]) -> tuple[syntax.Name, ...]:
        return tuple(self._name(token) for token in tokens)

    def _label(self, token: Token) -> syntax.String:
        """A name, a quoted string, or a section's kind as its own label."""
        if token.kind == "STRING":
            return self._string(token)
        return syntax.String(token.span(self.source), (self._text(token),))

    def _string(self, token: Token) -> syntax.String:
        _, start, end = token
        text = self.text[start + 1 : end - 1]
        parts = self._parts(start + 1, end - 1) if "{" in text or "}" in text else (text,)
        return syntax.String(Span(self.source, start, end), parts)

    def _parts(self, start: int, end: int) -> tuple[str | Expression, ...]:
        """Literal and interpolated parts; literal ones that touch are one."""
        parts: list[str | Expression] = []
        literal = ""
        for match in _BRACES.finditer(self.text, start, end):
            literal += self.text[start : match.start()]
            start = match.end()
            if match.lastindex:
                parts += [literal] if literal else []
                literal = ""
                parts.append(self.parse_part(*match.span(1)))
            else:
                literal += match[0][0]
                self._check_brace(match)
        literal += self.text[start:end]
        return (*parts, literal) if literal else tuple(parts)

    def _check_brace(self, match: re.Match[str]) -> None:
        brace = match[0]
        if len(brace) == 1:
            span = Span(self.source, match.start(), match.end())
            fault = f"`{brace}` in a string {'is never closed' if brace == '{' else 'closes nothing'}"
            help = f"as text it is written `{brace * 2}`; what stands between braces holds no quotes"
            self._report("E102", fault, span, help=help)

    def _doc(self, declaration: Span) -> str:
        return documentation(self.text, declaration.start)

    def _report(self, code: ErrorCode, message: str, span: Span, *labels: Label, help: str = "") -> None:
        self.problems.add(Diagnostic(code, message, span, labels, help=help))
