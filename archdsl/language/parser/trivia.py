"""Comments, which the parser passes over: where they stand in a text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from archdsl.base.source import Source, Span
from archdsl.language.parser.grammar_tables import load_tables
from archdsl.language.parser.kinds import FAULTS, UNTERMINATED


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


def documentation(text: str, start: int) -> str:
    """The comment lines right above the line on which the declaration at ``start`` begins."""
    line_start = text.rfind("\n", 0, start) + 1
    if text[line_start:start].strip():
        return ""
    lines: list[str] = []
    while line_start > 0:
        line_end = line_start - 1
        line_start = text.rfind("\n", 0, line_end) + 1
        line = text[line_start:line_end].strip()
        if not line.startswith("#"):
            break
        lines.append(line[1:].removeprefix(" "))
    return "\n".join(reversed(lines))


@cache
def _comment_or_string() -> re.Pattern[str]:
    tables = load_tables()
    patterns = {terminal.name: terminal.pattern for terminal in (*tables.terminals, *tables.ignored)}
    return re.compile(f"(?P<comment>{patterns['COMMENT']})|{patterns['STRING']}|{FAULTS[UNTERMINATED]}")
