"""The LALR(1) loop over the tables that Lark makes of the grammar.

It does what Lark's own does, with two differences that make it several times faster: tokens are plain tuples, and a
level of the grammar that only stands for its operand (a sum of one product, a product of one factor, ...) is passed in
one look-up, found out once for each place in the tables. Nodes are made bottom-up while it runs, so nothing here
recurses, however deep a text nests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple

from archdsl.language.parser.brackets import nesting, nesting_fault
from archdsl.language.parser.giving_up import GivenUpError
from archdsl.language.parser.grammar_tables import load_tables
from archdsl.language.parser.kinds import NEWLINE
from archdsl.language.parser.lalr_tables import Rule, Tables
from archdsl.language.parser.nodes import Children, NodeBuilder
from archdsl.language.parser.tokens import Token

Action = Callable[[NodeBuilder, Children], Any]


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


class Automaton:
    """The parser's two stacks: ``states[i + 1]`` is where ``values[i]``, a token or what was made of some, has led.

    A height counts states, so that ``values[:height - 1]`` are below it.
    """

    def __init__(self, start: str, builder: NodeBuilder) -> None:
        self.tables = load_tables()
        self.builder = builder
        self.states: list[int] = [self.tables.starts[start]]
        self.values: list[Any] = []

    @property
    def height(self) -> int:
        return len(self.states)

    def advance(self, tokens: Iterable[Token]) -> Token | None:
        """Takes tokens as long as they fit; the first that does not, else None."""
        states, values, builder = self.states, self.values, self.builder
        moves, reductions, deep = self.tables.moves, _reductions(), builder.limits.nesting
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
            if len(values) >= deep and nesting([*values, token]) > deep:
                builder.problems.add(nesting_fault(builder.source, token, deep))
                raise GivenUpError
            states.append(move)
            values.append(token)
        return None

    def reduce_top(self) -> None:
        """Makes the value of the rule that ends here whatever follows."""
        moves = self.tables.moves
        size, action, origin, _ = _reductions()[~next(iter(moves[self.states[-1]].values()))]
        children = self.values[-size:]
        self.cut(self.height - size)
        self.states.append(moves[self.states[-1]][origin])
        self.values.append(action(self.builder, children))

    def cut(self, height: int) -> None:
        """Takes off what is above, and a state without its value where a fault stopped the loop."""
        del self.values[height - 1 :]
        del self.states[len(self.values) + 1 :]

    def accepted(self) -> frozenset[str]:
        """The terminals of which one could come next."""
        terminals = [symbol for symbol in self.tables.moves[self.states[-1]] if symbol.isupper() or symbol == NEWLINE]
        return frozenset(kind for kind in terminals if self.fits(self.height, kind))

    def fits(self, height: int, *kinds: str) -> bool:
        """Whether it would take tokens of these kinds one after another, were it cut to this height."""
        trial = self.states[:height]
        return all(self._takes(trial, kind) for kind in kinds)

    def _takes(self, states: list[int], kind: str) -> bool:
        moves = self.tables.moves
        while (move := moves[states[-1]].get(kind)) is not None:
            if move >= 0:
                states.append(move)
                return True
            rule = self.tables.rules[~move]
            del states[-rule.size :]
            states.append(moves[states[-1]][rule.origin])
        return False
