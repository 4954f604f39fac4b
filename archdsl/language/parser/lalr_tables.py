"""LALR(1) tables as plain data, and as text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple


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


def tables_text(tables: Tables, grammar: str) -> str:
    """The tables as JSON, a rule and a state a line, so that a change of the grammar shows what it changes."""
    lists: dict[str, Sequence[object]] = {
        "terminals": tables.terminals,
        "ignored": tables.ignored,
        "rules": tables.rules,
        "moves": tables.moves,
    }
    parts = [f'"grammar": "{_digest(grammar)}"', f'"starts": {json.dumps(tables.starts)}']
    for name, rows in lists.items():
        lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
        parts.append(f'"{name}": [\n{lines}\n]')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def tables_of(text: str, grammar: str) -> Tables | None:
    """What ``tables_text`` wrote of this grammar; None where it was another."""
    found = json.loads(text)
    if found["grammar"] != _digest(grammar):
        return None
    return Tables(
        [Terminal(*row) for row in found["terminals"]],
        [Terminal(*row) for row in found["ignored"]],
        [Rule(*row) for row in found["rules"]],
        found["moves"],
        found["starts"],
    )


def _digest(grammar: str) -> str:
    return sha256(grammar.encode()).hexdigest()
