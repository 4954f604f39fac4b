"""Random syntax trees that text can express: every one prints to a text that parses to it again."""

from __future__ import annotations

import string as letters
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from archdsl.base.names import is_name
from archdsl.base.source import Source, Span
from archdsl.language import syntax
from archdsl.language.syntax import Expression

SOURCE = Source("random.arch", "")
PLACE = Span(SOURCE, 0, 0)
SPAN = st.just(PLACE)

WORDS = st.text(letters.ascii_letters + "_", min_size=1, max_size=6).filter(is_name)
NAMES = st.builds(syntax.Name, SPAN, st.one_of(st.just("x"), WORDS))


def some(strategy: SearchStrategy[Any], least: int = 0, most: int = 3) -> SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, min_size=least, max_size=most).map(tuple)


# ---- strings ----

# quotes would close the string, a line end would break it off
LITERAL = st.text(st.characters(codec="utf-8", exclude_characters='"\n'), min_size=1, max_size=8)
QUOTELESS = st.one_of(NAMES, st.builds(syntax.Constant, SPAN, st.integers(0, 99)))


def _strings(parts: tuple[str | Expression, ...]) -> tuple[str | Expression, ...]:
    """Literal parts side by side are one in the tree; nothing at all is one empty part."""
    joined: list[str | Expression] = []
    for part in parts:
        if joined and isinstance(part, str) and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return tuple(joined) or ("",)


PARTS = some(st.one_of(LITERAL, QUOTELESS)).map(_strings)
STRINGS = st.builds(syntax.String, SPAN, PARTS)
PLAIN_STRINGS = st.builds(syntax.String, SPAN, LITERAL.map(lambda text: (text,)))

# ---- expressions ----

NUMBERS = st.one_of(st.integers(0, 10**12), st.floats(0, 1e300, allow_nan=False).map(abs))
CONSTANTS = st.builds(syntax.Constant, SPAN, st.one_of(NUMBERS, st.booleans(), st.none()))
ROUNDED = st.tuples(st.integers(0, 9999), st.sampled_from([10**3, 10**6, 10**9, 10**12]))
LEAVES: SearchStrategy[Expression] = st.one_of(
    NAMES,
    CONSTANTS,
    STRINGS,
    st.builds(syntax.Dims, SPAN, some(st.integers(0, 512), 2)),
    st.builds(syntax.BlockInput, SPAN),
    st.builds(syntax.Wire, SPAN, STRINGS),
    ROUNDED.map(lambda found: syntax.RoundedNumber(PLACE, found[0] / 10, found[1], 1)),
)


class Grower:
    """Draws an expression of at most ``depth`` operations inside one another, level by level of the grammar."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        # each binds tighter than those before it
        self.levels: list[Callable[[int, int], Expression]] = [
            self.flow, self.ternary, self.chain("or"), self.chain("and"), self.negation,
            self.binary("==", "!=", "<", "<=", ">", ">="), self.binary(".."), self.sum,
            self.chain("*", "/", "//", "%"), self.labelled, self.chain("x"), self.sign, self.power, self.postfix,
            self.atom,
        ]  # fmt: skip

    def grow(self, depth: int, loosest: int = 0) -> Expression:
        """An operation of the level ``loosest`` or a tighter one, or a leaf."""
        if depth == 0:
            return self.draw(LEAVES)
        level = self.draw(st.integers(loosest, len(self.levels) - 1))
        return self.levels[level](depth - 1, level + 1)

    def level(self, function: Callable[[int, int], Expression]) -> int:
        return self.levels.index(function)

    def several(self, depth: int, loosest: int, least: int = 1) -> tuple[Expression, ...]:
        return tuple(self.grow(depth, loosest) for _ in range(self.draw(st.integers(least, 3))))

    def flow(self, depth: int, _: int) -> Expression:
        return syntax.Flow(PLACE, self.several(depth, self.level(self.labelled), 2))

    def ternary(self, depth: int, tighter: int) -> Expression:
        value, condition = (self.grow(depth, tighter) for _ in range(2))
        if isinstance(value, syntax.Labelled):
            value = syntax.Group(PLACE, value)
        return syntax.Ternary(PLACE, value, condition, self.grow(depth, tighter - 1))

    def chain(self, *operators: str) -> Callable[[int, int], Expression]:
        def grown(depth: int, tighter: int) -> Expression:
            operands = self.several(depth, tighter, 2)
            signs = tuple(self.draw(st.sampled_from(operators)) for _ in operands[1:])
            return syntax.Chain(PLACE, operands, signs, (PLACE,) * len(signs))

        return grown

    def sum(self, depth: int, tighter: int) -> Expression:
        """``+`` and ``++`` do not meet in one."""
        return self.chain("-", self.draw(st.sampled_from(["+", "++"])))(depth, tighter)

    def negation(self, depth: int, tighter: int) -> Expression:
        return syntax.Unary(PLACE, "not", self.grow(depth, tighter - 1))

    def binary(self, *operators: Any) -> Callable[[int, int], Expression]:
        def grown(depth: int, tighter: int) -> Expression:
            sides = (self.grow(depth, tighter) for _ in range(2))
            return syntax.Binary(PLACE, self.draw(st.sampled_from(operators)), PLACE, *sides)

        return grown

    def labelled(self, depth: int, tighter: int) -> Expression:
        return syntax.Labelled(PLACE, self.draw(STRINGS), self.grow(depth, tighter))

    def sign(self, depth: int, tighter: int) -> Expression:
        return syntax.Unary(PLACE, "-", self.grow(depth, tighter - 1))

    def power(self, depth: int, tighter: int) -> Expression:
        return syntax.Binary(PLACE, "**", PLACE, self.grow(depth, tighter), self.grow(depth, tighter - 2))

    def postfix(self, depth: int, tighter: int) -> Expression:
        value = self.grow(depth, tighter - 1)
        match self.draw(st.integers(0, 2)):
            case 0:
                return syntax.Call(PLACE, value, self.arguments(depth))
            case 1:
                return syntax.Attribute(PLACE, value, self.draw(NAMES))
        return syntax.Index(PLACE, value, self.grow(depth))

    def arguments(self, depth: int) -> tuple[syntax.Argument, ...]:
        """By position first, then by name."""
        positional = [syntax.Argument(PLACE, None, value) for value in self.several(depth, 0, 0)]
        named = [syntax.Argument(PLACE, self.draw(NAMES), value) for value in self.several(depth, 0, 0)]
        return (*positional, *named)

    def atom(self, depth: int, _: int) -> Expression:
        match self.draw(st.integers(0, 3)):
            case 0:
                return syntax.Group(PLACE, self.grow(depth))
            case 1:
                return syntax.ListOf(PLACE, self.several(depth, 0, 0))
            case 2:
                return syntax.Comprehension(PLACE, self.grow(depth), self.draw(some(NAMES, 1)), self.grow(depth))
        return syntax.Sequence(PLACE, self.grow(depth))


@st.composite
def expressions(draw: st.DrawFn) -> Expression:
    return Grower(draw).grow(draw(st.integers(0, 3)))


@st.composite
def arguments(draw: st.DrawFn) -> tuple[syntax.Argument, ...]:
    return Grower(draw).arguments(1)


EXPRESSIONS = expressions()

# ---- statements ----


def _doc(text: str) -> str:
    return " ".join(text.split())


DOCS = st.one_of(st.just(""), st.text(letters.ascii_letters + " #", max_size=12).map(_doc))
PARAMETERS = some(st.builds(syntax.Parameter, SPAN, NAMES, st.one_of(st.none(), EXPRESSIONS)))
LETS = st.builds(syntax.Let, SPAN, NAMES, st.one_of(st.none(), PARAMETERS), EXPRESSIONS, DOCS)
DEFAULTS = st.builds(syntax.Default, SPAN, NAMES, arguments())
NAMED = st.builds(syntax.Named, SPAN, NAMES, EXPRESSIONS)
SHAPES = st.one_of(
    st.builds(syntax.Dims, SPAN, some(st.integers(1, 512), 2)),
    st.builds(syntax.Named, SPAN, NAMES, st.builds(syntax.Dims, SPAN, some(st.integers(1, 512), 2))),
)
SIMPLE: SearchStrategy[Any] = st.one_of(
    st.builds(syntax.Step, SPAN, EXPRESSIONS),
    LETS,
    DEFAULTS,
    st.builds(syntax.Input, SPAN, some(SHAPES, 1)),
    st.builds(syntax.Output, SPAN, some(NAMED, 1)),
    st.builds(syntax.Assert, SPAN, EXPRESSIONS, st.one_of(st.none(), STRINGS)),
)


def _bodies(statements: SearchStrategy[Any]) -> SearchStrategy[syntax.Body]:
    return st.builds(syntax.Body, SPAN, some(statements))


def _holding(statements: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """Statements with bodies of such statements."""
    body = _bodies(statements)
    kinds = st.sampled_from(["stem", "stage", "head", "aux"])
    return st.one_of(
        st.builds(syntax.Step, SPAN, st.builds(syntax.Braces, SPAN, body)),
        st.builds(syntax.Step, SPAN, st.builds(syntax.Sequence, SPAN, body)),
        st.builds(syntax.Block, SPAN, NAMES, PARAMETERS, st.one_of(body, EXPRESSIONS), DOCS),
        st.builds(syntax.Section, SPAN, kinds, st.one_of(st.none(), STRINGS), body),
        st.builds(syntax.For, SPAN, some(NAMES, 1, 2), EXPRESSIONS, body),
        st.builds(syntax.If, SPAN, some(st.tuples(EXPRESSIONS, body), 1), st.one_of(st.none(), body)),
    )


STATEMENTS = st.recursive(SIMPLE, _holding, max_leaves=4)
BASES = st.one_of(NAMES, st.builds(syntax.Call, SPAN, NAMES, arguments()))
DECLARATIONS: SearchStrategy[syntax.Declaration] = st.one_of(
    st.builds(syntax.Import, SPAN, PLAIN_STRINGS, some(NAMES, 1)),
    LETS,
    DEFAULTS,
    st.builds(syntax.Block, SPAN, NAMES, PARAMETERS, st.one_of(_bodies(STATEMENTS), EXPRESSIONS), DOCS),
    st.builds(syntax.Network, SPAN, NAMES, PARAMETERS, st.one_of(st.none(), BASES), _bodies(STATEMENTS), DOCS),
    st.builds(syntax.Network, SPAN, NAMES, PARAMETERS, BASES, st.none(), DOCS),
)
MODULES = st.builds(syntax.Module, st.just(SOURCE), some(DECLARATIONS, 1, 4))
