"""The grammar to parse tables, by Lark: when the tables are written, and where someone edits the grammar."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from lark import Lark
from lark.grammar import Rule as LarkRule
from lark.lexer import TerminalDef
from lark.parsers.lalr_analysis import Shift

from archdsl.language.parser.lalr_tables import Rule, Tables, Terminal

STARTS = ("module", "expression")


def compile_grammar(grammar: str) -> Tables:
    """The LALR(1) tables of a grammar; lark raises where it has conflicts."""
    options = {"parser": "lalr", "lexer": "basic", "keep_all_tokens": True, "maybe_placeholders": False}
    lark = Lark(grammar, start=list(STARTS), **options)
    terminals = sorted(lark.terminals, key=_order)
    moves, starts = _moves(lark)
    return Tables(
        [_terminal(definition) for definition in terminals if definition.name not in lark.ignore_tokens],
        [_terminal(definition) for definition in terminals if definition.name in lark.ignore_tokens],
        [_rule(rule) for rule in lark.rules],
        moves,
        starts,
    )


def _order(definition: TerminalDef) -> tuple[int, bool, int, str]:
    """By priority, patterns before fixed texts, and of those the longest first."""
    is_fixed = definition.pattern.type == "str"
    return -definition.priority, is_fixed, -len(definition.pattern.value) if is_fixed else 0, definition.name


def _terminal(definition: TerminalDef) -> Terminal:
    spelling = definition.pattern.value if definition.pattern.type == "str" else ""
    return Terminal(definition.name, definition.pattern.to_regexp(), spelling)


def _rule(rule: LarkRule) -> Rule:
    is_level = rule.options.expand1 and len(rule.expansion) == 1
    action = rule.alias or ("" if is_level else rule.origin.name)
    spliced = [place for place, symbol in enumerate(rule.expansion) if symbol.name.startswith("__")]
    return Rule(rule.origin.name, len(rule.expansion), action, spliced)


def _moves(lark: Lark) -> tuple[list[dict[str, int]], dict[str, int]]:
    """The moves of each state, and the states in which to start; the end of the text is a move to the same state."""
    rules = {rule: number for number, rule in enumerate(lark.rules)}
    parsers = {start: lark.parse_interactive("", start=start).parser_state.parse_conf for start in STARTS}
    states = {state: sorted(row.items()) for state, row in parsers[STARTS[0]].states.items()}
    places = _numbered(
        [parser.start_state for parser in parsers.values()],
        lambda state: [arg for _, (action, arg) in states[state] if action is Shift],
    )
    moves = [
        {symbol: places[arg] if action is Shift else ~rules[arg] for symbol, (action, arg) in states[state]}
        for state in places
    ]
    for parser in parsers.values():
        end = places[parser.end_state]
        moves[end]["$END"] = end
    return moves, {start: places[parser.start_state] for start, parser in parsers.items()}


def _numbered(starts: list[int], followers: Callable[[int], list[int]]) -> dict[int, int]:
    """States by the order in which they are reached, the same in every process; Lark's own numbers are not."""
    places: dict[int, int] = {}
    pending = deque(starts)
    while pending:
        state = pending.popleft()
        if state not in places:
            places[state] = len(places)
            pending.extend(followers(state))
    return places
