"""Text to syntax: an LALR(1) parser over the tables that Lark makes of grammar/arch.lark.

The loop here does what Lark's own does, with two differences that make it several times faster: tokens are
plain tuples, and a level of the grammar that only stands for its operand (a sum of one product, a product of
one factor, ...) is passed in one look-up, found out once for each place in the tables. Nodes are made
bottom-up while it runs, so nothing here recurses, however deep a text nests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

from archdsl.base.collection import collection_paused
from archdsl.base.limits import DEFAULT_LIMITS, Limits, how_to_raise
from archdsl.base.source import Source, Span
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError
from archdsl.language.parser.messages import describe
from archdsl.language.parser.nodes import Children, NodeBuilder
from archdsl.language.parser.recovery import GivenUpError, Recovery, SyntaxProblems, nesting, nesting_fault
from archdsl.language.parser.tables import Rule, Tables, load_tables
from archdsl.language.parser.tokens import END, Token, Tokenizer
from archdsl.language.syntax import Constant, Expression, Module

Action = Callable[[NodeBuilder, Children], Any]


def parse(source: Source, limits: Limits = DEFAULT_LIMITS) -> Module:
    """The module that a file's text is; raises ArchError with every syntax error found in it."""
    module: Module = _Parse(source, limits).whole("module")
    return module


def parse_expression(source: Source, limits: Limits = DEFAULT_LIMITS) -> Expression:
    """A text that is one expression, such as a setting's value; raises ArchError."""
    expression: Expression = _Parse(source, limits).whole("expression")
    return expression


class _Reduction(NamedTuple):
    size: int
    action: Action
    origin: str
    arrivals: dict[tuple[int, str], int]
    """The state to go on in, by the state below the rule and the token that follows."""


@cache
def _reductions() -> list[_Reduction]:
    arrivals: dict[str, dict[tuple[int, str], int]] = {}
    return [
        _Reduction(rule.size, _action(rule), rule.origin, arrivals.setdefault(rule.origin, {}))
        for rule in load_tables().rules
    ]


def _action(rule: Rule) -> Action:
    """What makes the rule's value of its children's; lists of helper rules take their own place among them."""
    if rule.origin.startswith("__"):
        return _extended if rule.spliced else _listed
    if not rule.action:
        return _only
    action: Action = getattr(NodeBuilder, rule.action)
    if not rule.spliced:
        return action
    (place,) = rule.spliced

    def spliced(builder: NodeBuilder, children: Children) -> Any:
        children[place : place + 1] = children[place]
        return action(builder, children)

    return spliced


def _listed(_: NodeBuilder, children: Children) -> Children:
    return children


def _extended(_: NodeBuilder, children: Children) -> Children:
    grown: Children = children[0]
    grown += children[1:]
    return grown


def _only(_: NodeBuilder, children: Children) -> Any:
    return children[0]


def _arrival(tables: Tables, below: int, origin: str, kind: str) -> int:
    """Where a reduction to ``origin`` ends before ``kind``, past all levels that only stand for their operand."""
    while True:
        state = tables.moves[below][origin]
        move = tables.moves[state].get(kind)
        if move is None or move >= 0 or tables.rules[~move].action:
            return state
        origin = tables.rules[~move].origin


class _Parse:
    """One text being parsed."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self.source = source
        self.limits = limits
        self.tables = load_tables()
        self.problems = SyntaxProblems()
        self.builder = NodeBuilder(source, limits, self.problems, self._part)

    def whole(self, start: str) -> Any:
        self._check_size()
        try:
            with collection_paused():
                value = self._run(start)
        except GivenUpError:
            value = None
        with suppress(GivenUpError):
            self.builder.report_labels()
        self.problems.raise_if_any()
        return value

    def _check_size(self) -> None:
        limit, text = self.limits.source_bytes, self.source.text
        if len(text) * 4 > limit and len(text.encode("utf-8", "surrogatepass")) > limit:
            help = how_to_raise("source_bytes", limit)
            raise ArchError(Diagnostic("E501", f"the text is larger than {limit} bytes", self._start(), help=help))

    def _start(self) -> Span:
        return Span(self.source, 0, 0)

    def _run(self, start: str) -> Any:
        """The value of the whole text, past the errors in it."""
        tokenizer = Tokenizer(self.source.text)
        recovery = Recovery(self.source, self.tables, self.problems, tokenizer)
        tokens = iter(tokenizer)
        states: list[int] = [self.tables.starts[start]]
        values: list[Any] = []
        token = self._advance(tokens, states, values)
        if token and token.kind == END and not values and start == "module":
            raise ArchError(Diagnostic("E003", "there is nothing in the file", self._start()))
        while token is not None:
            repaired = recovery.resume(token, states, values, tokens)
            token = self._advance(chain(repaired, tokens), states, values)
        return values[0]

    def _part(self, start: int, end: int) -> Expression:
        """The expression that stands between ``start`` and ``end``, in a string."""
        tokenizer = Tokenizer(self.source.text, start, end)
        states, values = [self.tables.starts["expression"]], list[Any]()
        token = self._advance(tokenizer, states, values)
        if token is None:
            expression: Expression = values[0]
            return expression
        recovery = Recovery(self.source, self.tables, self.problems, tokenizer)
        self.problems.add(describe(recovery.mistake_in_string(token, states, start)))
        return Constant(Span(self.source, start, end), None)

    def _advance(self, tokens: Iterable[Token], states: list[int], values: list[Any]) -> Token | None:
        """Takes tokens as long as they fit; the first that does not, else None."""
        moves, reductions, builder, deep = self.tables.moves, _reductions(), self.builder, self.limits.nesting
        for token in tokens:
            kind = token[0]
            while (move := moves[states[-1]].get(kind)) is not None and move < 0:
                size, action, origin, arrivals = reductions[~move]
                children = values[-size:]
                del values[-size:], states[-size:]
                place = states[-1], kind
                state = arrivals.get(place)
                if state is None:
                    state = arrivals[place] = _arrival(self.tables, states[-1], origin, kind)
                states.append(state)
                values.append(action(builder, children))
            if move is None:
                return token
            states.append(move)
            values.append(token)
            if len(values) > deep and nesting(values) > deep:
                self.problems.add(nesting_fault(self.source, token, deep))
                raise GivenUpError
        return None
