"""The parse tables: made from the grammar by Lark, kept on disk between processes as plain data.

Lark takes 100 ms to import and analyse the grammar; its tables as JSON load in a few. They hold names and
numbers alone, so a cache file can at worst be stale or broken, and then it is made anew.
"""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archdsl.base.resources import resource_folder

if TYPE_CHECKING:
    from lark import Lark
    from lark.grammar import Rule as LarkRule
    from lark.lexer import TerminalDef

STARTS = ("module", "expression")
FORMAT = 1
"""Counts up when the tables change their form, so that older cache files are left alone."""


class Terminal(NamedTuple):
    name: str
    pattern: str
    """A regular expression."""
    spelling: str
    """Its text where that is fixed, else empty."""


class Rule(NamedTuple):
    """``origin: symbol symbol ...``, ``size`` symbols long."""

    origin: str
    size: int
    action: str
    """The method that makes its node; empty for a level that stands for its only operand."""
    spliced: list[int]
    """Positions of helper rules, whose lists of children take their own place."""


class Tables(NamedTuple):
    """LALR(1) tables. ``moves[state][symbol]`` is the next state, or ``~i`` to reduce by ``rules[i]``."""

    terminals: list[Terminal]
    """In the order in which they are tried."""
    ignored: list[Terminal]
    rules: list[Rule]
    moves: list[dict[str, int]]
    starts: dict[str, int]


@cache
def load_tables() -> Tables:
    """The tables of grammar/arch.lark, from the cache where it holds them."""
    grammar = (resource_folder("grammar") / "arch.lark").read_text(encoding="utf-8")
    path = _cache_path(grammar)
    tables = _read(path)
    if tables is None:
        tables = _compile(grammar)
        _write(path, tables)
    return tables


def _compile(grammar: str) -> Tables:
    from lark import Lark

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
    from lark.parsers.lalr_analysis import Shift

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


# ---- the cache -----------------------------------------------------------------------------------


def _cache_path(grammar: str) -> Path | None:
    """A name that changes with all that the tables depend on; None where there is no home to keep it in."""
    made_by = f"{FORMAT} {version('lark')} {sys.version_info[:2]} {grammar}"
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        return None
    return folder / "archdsl" / f"grammar-{sha256(made_by.encode()).hexdigest()[:16]}.json"


def _read(path: Path | None) -> Tables | None:
    """The tables in ``path``; None where it is missing, unreadable or not whole."""
    if path is None:
        return None
    try:
        digest, _, text = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    if digest != sha256(text).hexdigest().encode():
        return None
    terminals, ignored, rules, moves, starts = json.loads(text)
    return Tables(
        [Terminal(*t) for t in terminals], [Terminal(*t) for t in ignored], [Rule(*r) for r in rules], moves, starts
    )


def _write(path: Path | None, tables: Tables) -> None:
    """Puts the tables into ``path`` whole or not at all: other processes may be reading it."""
    if path is None:
        return
    text = json.dumps(tables).encode()
    temporary = path.with_name(f".{path.name}-{os.urandom(4).hex()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(sha256(text).hexdigest().encode() + b"\n" + text)
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
