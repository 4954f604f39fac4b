"""Comments, which the parser passes over: where they stand in a text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from archdsl.base.source import Source, Span
from archdsl.language.parser.tables import load_tables
from archdsl.language.parser.tokens import FAULTS, UNTERMINATED


@dataclass(frozen=True, slots=True)
class Comment:
    """From its ``#`` to the end of its line."""

    span: Span
    is_alone: bool
    """Whether nothing but blanks stands before it on its line."""


def comments_in(source: Source) -> Iterator[Comment]:
    """All comments of a text, in order. A ``#`` inside a string begins none."""
    text = source.text
    for match in _comment_or_string().finditer(text):
        if match["comment"] is not None:
            start, end = match.span("comment")
            line_start = text.rfind("\n", 0, start) + 1
            yield Comment(Span(source, start, end), not text[line_start:start].strip())


@cache
def _comment_or_string() -> re.Pattern[str]:
    tables = load_tables()
    patterns = {terminal.name: terminal.pattern for terminal in (*tables.terminals, *tables.ignored)}
    return re.compile(f"(?P<comment>{patterns['COMMENT']})|{patterns['STRING']}|{FAULTS[UNTERMINATED]}")
