"""Tables: aligned text, rich on a terminal, Markdown, CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from .output import coloured, on_terminal


@dataclass(frozen=True, slots=True)
class Column:
    """A heading and the side on which its cells align."""

    title: str
    right: bool = False


Cells = Sequence[Sequence[str]]


def shown_table(columns: Sequence[Column], rows: Cells) -> str:
    """The table for stdout: drawn by rich where a person looks at it, aligned text otherwise."""
    return _rich_table(columns, rows) if on_terminal() else text_table(columns, rows)


def text_table(columns: Sequence[Column], rows: Cells) -> str:
    """Columns two spaces apart, a rule below the headings."""
    widths = [max(map(len, cells)) for cells in zip([column.title for column in columns], *rows, strict=True)]
    lines = [[column.title for column in columns], ["-" * width for width in widths], *rows]
    return "".join("  ".join(_aligned(line, columns, widths)).rstrip() + "\n" for line in lines)


def _aligned(line: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> list[str]:
    cells = zip(line, columns, widths, strict=True)
    return [cell.rjust(width) if column.right else cell.ljust(width) for cell, column, width in cells]


def _rich_table(columns: Sequence[Column], rows: Cells) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column.title, justify="right" if column.right else "left", no_wrap=index == 0)
    for row in rows:
        table.add_row(*map(Text, row))
    stream = io.StringIO()
    Console(file=stream, force_terminal=True, no_color=not coloured(), highlight=False).print(table)
    return stream.getvalue()


def markdown_table(columns: Sequence[Column], rows: Cells) -> str:
    """A table as GitHub's Markdown has it; leading spaces, which show the tree, are kept."""
    rules = ["---:" if column.right else "---" for column in columns]
    lines = [[column.title for column in columns], rules, *([_markdown_cell(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _markdown_cell(text: str) -> str:
    indent = len(text) - len(text.lstrip(" "))
    return "&nbsp;" * indent + text[indent:].replace("|", "\\|")


def csv_table(columns: Sequence[Column], rows: Cells) -> str:
    """RFC 4180, with plain line ends."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([column.title for column in columns])
    writer.writerows(rows)
    return stream.getvalue()
