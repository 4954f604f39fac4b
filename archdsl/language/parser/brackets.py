"""Brackets on the parser's stack: which are open, and how deep they and what else nests go."""

from __future__ import annotations

from typing import Any

from archdsl.base.limits import how_to_raise
from archdsl.base.source import Source
from archdsl.diagnostics.model import Diagnostic
from archdsl.language.parser.kinds import CLOSERS, OPENERS
from archdsl.language.parser.tokens import Token
from archdsl.language.syntax import Body


def open_brackets(values: list[Any]) -> list[Token]:
    """The brackets on the parser's stack, or a part of it, that wait for their end; one just read may have its own."""
    found: list[Token] = []
    for value in values:
        if type(value) is Token and value.kind in OPENERS:
            found.append(value)
        elif type(value) is Token and value.kind in CLOSERS and found:
            found.pop()
    return found


def open_braces(values: list[Any]) -> list[Token]:
    """Those of them that begin bodies."""
    return [bracket for bracket in open_brackets(values) if bracket.kind == "LBRACE"]


def nesting(values: list[Any]) -> int:
    """How deep the parser is in brackets, conditionals, powers and prefix operators."""
    return sum(_nests(value, values[place - 1] if place else None) for place, value in enumerate(values))


def _nests(value: Any, before: Any) -> bool:
    if type(value) is not Token:
        return False
    if value.kind == "MINUS":
        return before is None or type(before) is Token
    if value.kind == "ELSE":
        return not isinstance(before, Body | list)
    return value.kind in OPENERS or value.kind in ("NOT", "POWER")


def nesting_fault(source: Source, token: Token, limit: int) -> Diagnostic:
    """E502"""
    help = (how_to_raise("nesting", limit),)
    return Diagnostic("E502", f"this nests deeper than {limit} levels", token.span(source), help=help)
