"""Tables that fit a terminal: numbers rounded, names shortened in the middle, columns continued below."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

from archdsl.views.forms.tables import Table, TableColumn
from archdsl.views.forms.text_form import aligned

SHORTEST_NAME = 12
"""Characters of a name that are shown however narrow the terminal is."""

_SHORTEST_INDENTED = 6
"""Of a name that is indented so far that ``SHORTEST_NAME`` characters would hold nothing else."""

_GAP = 2
_LIST_BREAK = re.compile(r"(?<=[,;]) | (?=\()")
_FORMULA_BREAK = re.compile(r" (?=[-+*/] )")
_BYTES = re.compile(r"([\d.]+ \w+) \([\d,]+ bytes\)")


def fitted_table(
    table: Table, available: int, *, rule: str = "-", ellipsis: str = "…", heading: Callable[[str], str] = str
) -> str:
    """The table in lines of ``available`` characters, or as many as its narrowest columns need.

    What is too wide is treated in this order: numbers from a million on are rounded; names lose their middle, as far as
    different ones stay different, while lists and formulas are broken; columns go on in a table below, beside the names
    of the first column. ``rule`` and ``ellipsis`` are single characters; ``heading`` draws a line of headings.
    """
    if _total(_natural_widths(table)) > available:
        table = _with_rounded_numbers(table)
    fitting = _Fitting(table, ellipsis)
    parts = [fitting.drawn(part, available, rule, heading) for part in fitting.parts(available)]
    return "\n".join(parts)


def _with_rounded_numbers(table: Table) -> Table:
    right = [column.right for column in table.columns]
    rows = [[_rounded(cell) if number else cell for cell, number in zip(row, right, strict=True)] for row in table.rows]
    return Table(table.columns, rows)


class _Fitting:
    """A table, with the least width that each of its columns can be given."""

    def __init__(self, table: Table, ellipsis: str) -> None:
        self._columns = table.columns
        self._rows = table.rows
        self._ellipsis = ellipsis
        self._titles = table.titles
        self._natural = _natural_widths(table)
        self._least: list[int] | None = None

    def parts(self, available: int) -> list[list[int]]:
        """The columns of each table, by index: all in one where they fit."""
        everything = list(range(len(self._columns)))
        if _total(self._natural) <= available:
            return [everything]
        least = self._least_widths()
        found: list[list[int]] = [[0]]
        for group in self._groups():
            if len(found[-1]) > 1 and _total([least[i] for i in [*found[-1], *group]]) > available:
                found.append([0])
            found[-1] += group
        return found

    def drawn(self, part: Sequence[int], available: int, rule: str, heading: Callable[[str], str]) -> str:
        widths = self._widths(part, available)
        columns = [self._columns[i] for i in part]
        cells = [self._column(i, width) for i, width in zip(part, widths, strict=True)]
        titles, *rows = [_lines(row) for row in zip(*cells, strict=True)]
        head = [heading(line) for line in aligned(columns, titles, widths)]
        rules = "  ".join([rule * width for width in widths])
        body = [line for row in rows for line in aligned(columns, row, widths)]
        return "".join(f"{line}\n" for line in [*head, rules, *body])

    def _groups(self) -> list[list[int]]:
        """The columns but the first, each with those that follow it."""
        found: list[list[int]] = []
        for i, column in enumerate(self._columns[1:], 1):
            if column.follows and found:
                found[-1].append(i)
            else:
                found.append([i])
        return found

    def _widths(self, part: Sequence[int], available: int) -> list[int]:
        """The widest columns are narrowed until the line fits."""
        widths = [self._natural[i] for i in part]
        if _total(widths) <= available:
            return widths
        least = [self._least_widths()[i] for i in part]
        while _total(widths) > available and widths != least:
            widest = max([i for i in range(len(part)) if widths[i] > least[i]], key=widths.__getitem__)
            widths[widest] -= 1
        return widths

    def _least_widths(self) -> list[int]:
        if self._least is None:
            of_titles = _least_distinct(self._titles, SHORTEST_NAME, self._ellipsis)
            titles = [min(len(title), of_titles) for title in self._titles]
            self._least = [max(self._least_cells(i), title) for i, title in enumerate(titles)]
        return self._least

    def _least_cells(self, i: int) -> int:
        cells, column = [row[i] for row in self._rows], self._columns[i]
        if column.right or column.is_formula:
            return max([len(piece) for cell in cells for piece in _breaks(column).split(cell)], default=0)
        return _least_distinct(cells, SHORTEST_NAME, self._ellipsis)

    def _column(self, i: int, width: int) -> list[list[str]]:
        """The lines of the heading, and of each cell, in so many characters."""
        cells, column = [row[i] for row in self._rows], self._columns[i]
        title = [_shortened(self._titles, width, self._ellipsis)[i]]
        if column.right or column.is_formula:
            return [title, *[_broken(cell, width, _breaks(column)) for cell in cells]]
        return [title, *[[cell] for cell in _shortened(cells, width, self._ellipsis)]]


def _natural_widths(table: Table) -> list[int]:
    return [max(map(len, cells)) for cells in zip(table.titles, *table.rows, strict=True)]


def _total(widths: Sequence[int]) -> int:
    """Characters that a line takes."""
    return sum(widths) + _GAP * (len(widths) - 1)


def _lines(row: Sequence[Sequence[str]]) -> list[list[str]]:
    """The lines of a row whose cells have several."""
    height = max(map(len, row))
    return [[cell[line] if line < len(cell) else "" for cell in row] for line in range(height)]


# ---- names ---------------------------------------------------------------------------------------


def _least_distinct(texts: Sequence[str], shortest: int, ellipsis: str) -> int:
    """The least width, ``shortest`` at least, in which different texts differ."""
    distinct = list(dict.fromkeys(texts))
    longest = max(map(len, distinct), default=0)
    for width in range(shortest, longest):
        found = _shortened(distinct, width, ellipsis)
        if len(set(found)) == len(distinct) and max(map(len, found)) <= width:
            return width
    return longest


def _shortened(texts: Sequence[str], width: int, ellipsis: str) -> list[str]:
    """The texts without their middles, as much of both ends as keeps different ones apart, if anything does."""
    distinct = set(texts)
    if all(len(text) <= width for text in distinct):
        return list(texts)
    kept = max(width - 1, 1)
    found: list[str] = []
    for tail in sorted(range(1, kept), key=lambda tail: abs(2 * tail - kept)) or [0]:
        cut = partial(_without_middle, width=width, from_end=tail / kept, ellipsis=ellipsis)
        if len({cut(text) for text in distinct}) == len(distinct):
            return [cut(text) for text in texts]
        found = found or [cut(text) for text in texts]
    return found


def _without_middle(text: str, width: int, from_end: float, ellipsis: str) -> str:
    """The text in so many characters, a part of them from its end; it stays indented."""
    if len(text) <= width:
        return text
    name = text.lstrip(" ")
    indent = len(text) - len(name)
    kept = max(width - indent, min(_SHORTEST_INDENTED, len(name))) - 1
    if len(name) <= kept + 1:
        return text
    tail = min(max(round(from_end * kept), 0), kept)
    return text[: indent + kept - tail] + ellipsis + (name[-tail:] if tail else "")


# ---- numbers, lists, formulas --------------------------------------------------------------------


def _breaks(column: TableColumn) -> re.Pattern[str]:
    return _FORMULA_BREAK if column.is_formula else _LIST_BREAK


def _broken(cell: str, width: int, breaks: re.Pattern[str]) -> list[str]:
    """The cell in lines of so many characters, as far as its breaks allow."""
    lines = [""]
    for piece in breaks.split(cell):
        if lines[-1] and len(lines[-1]) + 1 + len(piece) > width:
            lines.append(piece)
        else:
            lines[-1] = f"{lines[-1]} {piece}" if lines[-1] else piece
    return lines


def _rounded(cell: str) -> str:
    """``4,089,184,256`` as ``4.089G``, ``1.21 GiB (1,302,167,552 bytes)`` as ``1.21 GiB``; below a million as it is."""
    if match := _BYTES.fullmatch(cell):
        return match[1]
    digits = cell.replace(",", "")
    if not digits.isdigit() or int(digits) < 10**6:
        return cell
    scale, unit = next((10**power, unit) for power, unit in ((12, "T"), (9, "G"), (6, "M")) if int(digits) >= 10**power)
    return f"{int(digits) / scale:.3f}{unit}"
