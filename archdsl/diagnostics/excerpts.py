"""Source excerpts for diagnostics: which lines to show, and how marks and labels stand below them.

The layout follows rustc's: the mark that ends last has its text behind it, the others hang theirs below.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from archdsl.base.source import Source
from archdsl.diagnostics.model import Diagnostic, Label

Style = Literal["plain", "severity", "bold", "gutter", "secondary", "help"]
StyledLine = list[tuple[str, Style]]

TAB_WIDTH = 4
ELLIPSIS = "..."
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Mark(NamedTuple):
    """A marked range of one line, in code points from 0, and the text that belongs to it."""

    start: int
    end: int
    primary: bool
    text: str

    @property
    def style(self) -> Style:
        return "severity" if self.primary else "secondary"


LineMarks = dict[int, list[Mark]]


def excerpts(diagnostic: Diagnostic, width: int) -> tuple[int, list[StyledLine]]:
    """The digits of the largest line number shown, and the excerpts' rows: one excerpt for each source.

    Source lines longer than ``width`` columns are cut around their marks.
    """
    blocks = _marks_by_source(diagnostic)
    digits = max((len(str(line)) for _, lines in blocks for line in lines), default=1)
    rows: list[StyledLine] = []
    for index, (source, lines) in enumerate(blocks):
        rows.append(_header(source, lines, " " * digits + ("--> " if index == 0 else "::: ")))
        rows.append(_gutter("", digits))
        rows.extend(_excerpt(source, lines, digits, width))
        if index < len(blocks) - 1:
            rows.append(_gutter("", digits))
    return digits, rows


def visible(text: str) -> str:
    """``text`` with nothing left in it that could steer a terminal or hide what stands there."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible_character, text))


def _visible_character(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F or 0x80 <= code < 0xA0 or 0xD800 <= code < 0xE000 or character in _BIDI_CONTROLS:
        return "\ufffd"
    return character


def _marks_by_source(diagnostic: Diagnostic) -> list[tuple[Source, LineMarks]]:
    primary = diagnostic.primary
    labels = ([primary] if primary else []) + list(diagnostic.labels)
    found: dict[int, tuple[Source, LineMarks]] = {}
    for label in labels:
        source = label.span.source
        _, lines = found.setdefault(id(source), (source, defaultdict(list)))
        for number, mark in _line_marks(label, label is primary):
            lines[number].append(mark)
    return list(found.values())


def _line_marks(label: Label, primary: bool) -> Iterator[tuple[int, Mark]]:
    """The label's mark; for a span of several lines one on its first line and one on its last."""
    source, start, end = label.span
    while end > start + 1 and source.text[end - 1].isspace():
        end -= 1
    first_line, first_column = source.position(start)
    last_line, last_column = source.position(max(start, end - 1))
    text = visible(label.text)
    if first_line == last_line:
        yield first_line, Mark(first_column - 1, last_column, primary, text)
        return
    yield first_line, Mark(first_column - 1, max(first_column, len(source.line(first_line))), primary, "")
    last = source.line(last_line)
    yield last_line, Mark(len(last) - len(last.lstrip()), last_column, primary, text)


def _header(source: Source, lines: LineMarks, arrow: str) -> StyledLine:
    number, marks = next(iter(lines.items()))
    return [(arrow, "gutter"), (f"{visible(source.name)}:{number}:{marks[0].start + 1}", "plain")]


def _gutter(number: str, digits: int) -> StyledLine:
    return [(f"{number:>{digits}} |", "gutter")]


def _excerpt(source: Source, lines: LineMarks, digits: int, width: int) -> Iterator[StyledLine]:
    previous = 0
    for number in sorted(lines):
        if previous and number > previous + 1:
            yield from _between(source, previous, number, digits, width)
        text, marks = _laid_out(source.line(number), lines[number], width)
        yield _source_row(text, number, digits)
        for row in _mark_rows(marks):
            yield [*_gutter("", digits), (" ", "plain"), *row]
        previous = number


def _between(source: Source, previous: int, number: int, digits: int, width: int) -> Iterator[StyledLine]:
    """What stands for unmarked lines: the line itself where it is one, dots where they are more."""
    if number == previous + 2:
        yield _source_row(_laid_out(source.line(previous + 1), [], width)[0], previous + 1, digits)
    else:
        yield [(ELLIPSIS, "gutter")]


def _source_row(text: str, number: int, digits: int) -> StyledLine:
    return [*_gutter(str(number), digits), (f" {text}" if text else "", "plain")]


def _laid_out(line: str, marks: Sequence[Mark], width: int) -> tuple[str, list[Mark]]:
    """The line as it is printed, and its marks in columns of what is printed."""
    start, end = _window(line, marks, width)
    before = ELLIPSIS if start > 0 else ""
    after = ELLIPSIS if end < len(line) else ""
    text, columns = _expanded(line[start:end])
    moved = []
    for mark in marks:
        first = columns[min(max(mark.start - start, 0), len(columns) - 1)]
        last = _column_at(columns, mark.end - start)
        moved.append(mark._replace(start=first + len(before), end=max(last, first + 1) + len(before)))
    return before + text + after, moved


def _column_at(columns: list[int], index: int) -> int:
    """The column of a code point, also of those behind the line's end."""
    beyond = index - (len(columns) - 1)
    return columns[-1] + (1 if beyond > 0 else 0) if beyond >= 0 else columns[max(index, 0)]


def _window(line: str, marks: Sequence[Mark], width: int) -> tuple[int, int]:
    """The range of code points to print so that about ``width`` columns hold the marks, the primary one first."""
    if len(line) <= width:
        return 0, len(line)
    room = width - 2 * len(ELLIPSIS)
    first = min((mark.start for mark in marks), default=0)
    last = max((mark.end for mark in marks), default=0)
    if last - first > room:
        first = min((mark.start for mark in marks if mark.primary), default=first)
        last = first + room // 2
    start = max(0, min(first - (room - (last - first)) // 2, len(line) - room))
    return start, min(len(line), start + room)


def _expanded(line: str) -> tuple[str, list[int]]:
    """The line with tabs expanded, and the column of each code point and of the end."""
    if line.isascii() and line.isprintable():
        return line, list(range(len(line) + 1))
    pieces: list[str] = []
    columns = [0]
    for character in line:
        if character == "\t":
            pieces.append(" " * (TAB_WIDTH - columns[-1] % TAB_WIDTH))
            columns.append(columns[-1] + len(pieces[-1]))
        else:
            pieces.append(_visible_character(character))
            columns.append(columns[-1] + _width(pieces[-1]))
    return "".join(pieces), columns


def _width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _mark_rows(marks: Iterable[Mark]) -> Iterator[StyledLine]:
    """The row of marks with the text of the last one, then the other texts, hung below their marks."""
    by_end = sorted(marks, key=lambda mark: (mark.end, mark.start))
    inline = by_end[-1]
    canvas = _Canvas()
    # narrow marks are drawn over wide ones, so that both show; the primary one over its equals
    for mark in sorted(by_end, key=lambda mark: (mark.start - mark.end, mark.primary)):
        canvas.put(mark.start, ("^" if mark.primary else "-") * (mark.end - mark.start), mark.style)
    canvas.put(inline.end + 1, inline.text, inline.style)
    yield canvas.row()
    hung = sorted((mark for mark in by_end[:-1] if mark.text), key=lambda mark: mark.start)
    if hung:
        yield _hanging(hung).row()
    while hung:
        last = hung.pop()
        canvas = _hanging(hung)
        canvas.put(last.start, last.text, last.style)
        yield canvas.row()


def _hanging(marks: list[Mark]) -> _Canvas:
    canvas = _Canvas()
    for mark in marks:
        canvas.put(mark.start, "|", mark.style)
    return canvas


class _Canvas:
    """One row, written to by column."""

    def __init__(self) -> None:
        self._cells: list[tuple[str, Style]] = []

    def put(self, column: int, text: str, style: Style) -> None:
        blank: tuple[str, Style] = (" ", "plain")
        self._cells.extend([blank] * (column + len(text) - len(self._cells) if text else 0))
        self._cells[column : column + len(text)] = [(character, style) for character in text]

    def row(self) -> StyledLine:
        runs: StyledLine = []
        for character, style in self._cells:
            if runs and runs[-1][1] == style:
                runs[-1] = (runs[-1][0] + character, style)
            else:
                runs.append((character, style))
        return runs
