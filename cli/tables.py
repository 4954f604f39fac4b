"""Tables for stdout: rich on a terminal, plain elsewhere."""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence

from archdsl.analysis.text_tables import Cells as Cells
from archdsl.analysis.text_tables import Column as Column
from archdsl.analysis.text_tables import csv_table as csv_table
from archdsl.analysis.text_tables import markdown_table as markdown_table
from archdsl.analysis.text_tables import text_table as text_table

from .output import coloured, on_terminal

_SHORTEST_NAME = 12
"""Characters of a name that are shown however narrow the terminal is."""
_ENDLESS = 10_000
"""Characters of a line: the table is fitted before rich sees it, as rich would cut numbers."""


def shown_table(columns: Sequence[Column], rows: Cells) -> str:
    """The table for stdout: drawn by rich where a person looks at it, aligned text otherwise."""
    return _rich_table(columns, rows) if on_terminal() else text_table(columns, rows)


def _rich_table(columns: Sequence[Column], rows: Cells) -> str:
    """As ``text_table``, with rich's rule and headings, and as wide as the terminal allows."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column.title, justify="right" if column.right else "left", no_wrap=True)
    for row in _fitted(columns, rows, shutil.get_terminal_size().columns):
        table.add_row(*map(Text, row))
    stream = io.StringIO()
    Console(file=stream, force_terminal=True, no_color=not coloured(), highlight=False, width=_ENDLESS).print(table)
    return "".join(line.rstrip() + "\n" for line in stream.getvalue().splitlines())


def _fitted(columns: Sequence[Column], rows: Cells, available: int) -> Cells:
    """The rows in so many characters: large numbers are rounded, never cut; then the longest names are cut."""
    if _width(columns, rows) <= available:
        return rows
    right = [column.right for column in columns]
    rows = [[_rounded(cell) if number else cell for cell, number in zip(row, right, strict=True)] for row in rows]
    for index, column in enumerate(columns):
        excess = _width(columns, rows) - available
        if excess > 0 and not column.right:
            longest = max(max(len(row[index]) for row in rows) - excess, _SHORTEST_NAME)
            rows = [[*row[:index], _cut(row[index], longest), *row[index + 1 :]] for row in rows]
    return rows


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _width(columns: Sequence[Column], rows: Cells) -> int:
    """Characters that a line takes when nothing is shortened."""
    widths = [max(map(len, cells)) for cells in zip([column.title for column in columns], *rows, strict=True)]
    return sum(widths) + 2 * (len(widths) - 1)


def _rounded(cell: str) -> str:
    """``4,089,184,256`` as ``4.089G``; anything shorter than a million as it is."""
    digits = cell.replace(",", "")
    if not digits.isdigit() or int(digits) < 10**6:
        return cell
    scale, unit = next((10**power, unit) for power, unit in ((12, "T"), (9, "G"), (6, "M")) if int(digits) >= 10**power)
    return f"{int(digits) / scale:.3f}{unit}"
