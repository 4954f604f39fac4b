"""Text to tokens: the grammar's terminals, with line ends where they end a statement and `x` where it repeats."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

from archdsl.base.source import Source, Span
from archdsl.language.parser.grammar_tables import load_tables
from archdsl.language.parser.kinds import CLOSERS, END, FAULTS, LABELS, NEWLINE, OPENERS, STATEMENT_ENDS, UNKNOWN
from archdsl.language.parser.lalr_tables import Terminal

_COLON = re.compile(r"[ \t]*:")

_CONTINUES = re.compile(r"->|[+*}#]|else\b|\Z")
"""What the next line begins with where it continues the statement or ends the body or the text."""


class Token(NamedTuple):
    """A terminal's name and the place of its text."""

    kind: str
    start: int
    end: int

    def span(self, source: Source) -> Span:
        return Span(source, self.start, self.end)


class Lexicon(NamedTuple):
    pattern: re.Pattern[str]
    """Skips blanks and comments, then matches one token in a group of its name."""
    keywords: dict[str, str]
    """Terminal names of words; among them ``x``, which is no keyword."""
    spellings: dict[str, str]
    """How terminals of a fixed text are written."""


@cache
def lexicon() -> Lexicon:
    """The grammar's terminals as one expression that matches everywhere."""
    tables = load_tables()
    tokens = _groups((t.name, t.pattern) for t in tables.terminals if not t.spelling.isidentifier())
    faults = _groups(FAULTS.items())
    skipped = "|".join(t.pattern for t in tables.ignored)
    pattern = rf"(?:{skipped})*+(?:{tokens}|(?P<END>\Z)|{faults})"
    spellings = {t.name: t.spelling for t in tables.terminals if t.spelling}
    keywords = {text: name for name, text in spellings.items() if text.isidentifier()}
    return Lexicon(re.compile(pattern), keywords, spellings)


def _groups(terminals: Iterable[tuple[str, str] | Terminal]) -> str:
    return "|".join(f"(?P<{name}>{pattern})" for name, pattern, *_ in terminals)


class Tokenizer:
    """The tokens of ``text[start:end]``, ending in ``$END``.

    ``before`` is the token before the one given last, ``brackets`` are those open at that, ``meaning`` is its kind
    as far as what follows depends on it. Whoever skips tokens or takes one for another corrects the last two.
    """

    def __init__(self, text: str, start: int = 0, end: int | None = None) -> None:
        self.text = text
        self.start = start
        self.end = len(text) if end is None else end
        self.brackets: list[Token] = []
        self.meaning = ""
        self.before: Token | None = None
        self._last: Token | None = None

    def __iter__(self) -> Iterator[Token]:
        pattern, keywords, _ = lexicon()
        text = self.text
        in_header = False
        for match in pattern.finditer(text, self.start, self.end):
            kind = match.lastgroup or ""
            start, end = match.span(kind)
            previous = self.meaning
            if kind == "NAME":
                kind = keywords.get(text[start:end], "NAME")
                if kind == "FOR":
                    in_header = True
                elif kind != "NAME" and self._is_name(kind, previous, end):
                    kind = "NAME"
            elif kind == NEWLINE:
                if self._continues(previous, end):
                    continue
            elif kind in OPENERS:
                self.brackets.append(Token(kind, start, end))
            elif kind in CLOSERS:
                self.close(kind)
            elif kind == "END":
                kind = END
            if kind != UNKNOWN:
                self.meaning = kind
            if in_header and kind == "IN":
                in_header, self.meaning = False, "FOR"
            self.before, self._last = self._last, Token(kind, start, end)
            yield self._last
            if kind == END:
                return

    @property
    def read_to(self) -> int:
        """Where the token before the one given last ends, but for a line's end."""
        if self.before is None:
            return self.start
        return self.before.start if self.before.kind == NEWLINE else self.before.end

    def _is_name(self, kind: str, previous: str, end: int) -> bool:
        """Whether a keyword, or an `x`, is a name where it stands."""
        if kind == "TIMES":
            return previous not in STATEMENT_ENDS
        return kind in LABELS and (previous == "AT" or _COLON.match(self.text, end, self.end) is not None)

    def _continues(self, previous: str, next_line: int) -> bool:
        """Whether the line end before ``next_line`` ends no statement."""
        return (
            previous not in STATEMENT_ENDS
            or bool(self.brackets and self.brackets[-1].kind != "LBRACE")
            or _CONTINUES.match(self.text, next_line, self.end) is not None
        )

    def close(self, closer: str) -> None:
        """Takes the bracket off that ``closer`` closes, if it closes one."""
        if self.brackets and self.brackets[-1].kind == CLOSERS[closer]:
            self.brackets.pop()


def is_keyword(kind: str) -> bool:
    return kind != "TIMES" and kind in lexicon().keywords.values()
