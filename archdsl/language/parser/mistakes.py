"""A token that does not fit, with what is around it."""

from __future__ import annotations

from typing import NamedTuple

from archdsl.base.source import Source, Span
from archdsl.language.parser.kinds import AT_TOP, CLOSERS, END, IN_BODY, NEWLINE, STATEMENT_ENDS
from archdsl.language.parser.tokens import Token


class Mistake(NamedTuple):
    """A token that fits none of the ``accepted``, the ones around it, and the innermost open bracket."""

    source: Source
    token: Token
    previous: Token | None
    accepted: frozenset[str]
    opener: Token | None

    @property
    def text(self) -> str:
        return self.source.text[self.token.start : self.token.end]

    @property
    def before(self) -> str:
        """The text of the token before."""
        return self.source.text[self.previous.start : self.previous.end] if self.previous else ""

    @property
    def rest(self) -> str:
        """The text from the token on."""
        return self.source.text[self.token.start : self.token.start + 80]

    @property
    def span(self) -> Span:
        """Where to point: a missing rest of a line or text is right behind what there is of it."""
        if self.previous and self.at_line_end:
            return Span(self.source, self.previous.end, self.previous.end)
        return self.token.span(self.source)

    @property
    def at_line_end(self) -> bool:
        """Whether it is the rest of the line before that is missing, not a closing bracket."""
        if self.token.kind in (NEWLINE, END):
            return True
        if self.token.kind == "RBRACE" and self.opener is not None and not self.in_list:
            return self.begins_line
        if self.previous is None or self.in_list or self.previous.kind in STATEMENT_ENDS | {"LBRACE", NEWLINE}:
            return False
        return self.begins_line and self.token.kind not in CLOSERS

    @property
    def in_list(self) -> bool:
        """Whether the innermost open bracket is one in which line ends mean nothing."""
        return self.opener is not None and self.opener.kind != "LBRACE"

    @property
    def begins_line(self) -> bool:
        return begins_line(self.source.text, self.token.start)

    @property
    def is_outdented(self) -> bool:
        """Whether the token begins no further right than the line that opened the body around it."""
        if self.opener is None:
            return False
        return column(self.source.text, self.token.start) <= indentation(self.source.text, self.opener.start)

    @property
    def in_declarations(self) -> bool:
        return self.accepted >= AT_TOP

    @property
    def in_statements(self) -> bool:
        return self.accepted >= IN_BODY


def begins_line(text: str, offset: int) -> bool:
    """Whether only blanks stand before ``offset`` on its line."""
    while offset > 0 and text[offset - 1] in " \t\r":
        offset -= 1
    return offset == 0 or text[offset - 1] == "\n"


def column(text: str, offset: int) -> int:
    return offset - text.rfind("\n", 0, offset) - 1


def indentation(text: str, offset: int) -> int:
    """Blanks before the line on which ``offset`` is."""
    start = text.rfind("\n", 0, offset) + 1
    end = start
    while end < offset and text[end] in " \t\r":
        end += 1
    return end - start
