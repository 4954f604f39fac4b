"""Tables as text: aligned, Markdown, CSV, HTML."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class Column:
    """A heading and the side on which its cells align.

    For tables that are made to fit: ``follows`` keeps it beside the column before it, as a share beside its number;
    ``is_formula`` breaks its cells before operators.
    """

    title: str
    right: bool = False
    follows: bool = False
    is_formula: bool = False


Cells = Sequence[Sequence[str]]


def text_table(columns: Sequence[Column], rows: Cells) -> str:
    """Columns two spaces apart, a rule below the headings."""
    widths = [max(map(len, cells)) for cells in zip([column.title for column in columns], *rows, strict=True)]
    lines = [[column.title for column in columns], ["-" * width for width in widths], *rows]
    return "".join(f"{line}\n" for line in aligned(columns, lines, widths))


def aligned(columns: Sequence[Column], rows: Cells, widths: Sequence[int]) -> list[str]:
    """A line for each row, its cells two spaces apart."""
    found = []
    for row in rows:
        cells = zip(row, columns, widths, strict=True)
        texts = [cell.rjust(width) if column.right else cell.ljust(width) for cell, column, width in cells]
        found.append("  ".join(texts).rstrip())
    return found


def markdown_table(columns: Sequence[Column], rows: Cells) -> str:
    """A table as GitHub's Markdown has it; leading spaces, which show the tree, are kept."""
    rules = ["---:" if column.right else "---" for column in columns]
    titles = [_markdown_cell(column.title) for column in columns]
    lines = [titles, rules, *([_markdown_cell(cell) for cell in row] for row in rows)]
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


def html_table(columns: Sequence[Column], rows: Cells) -> str:
    """A table for notebooks; leading spaces, which show the tree, are kept."""
    head = "".join(f"<th style='text-align: {_side(column)}'>{escape(column.title)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(map(_html_cell, row, columns))}</tr>\n" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table>\n"


def _html_cell(text: str, column: Column) -> str:
    indent = len(text) - len(text.lstrip(" "))
    return f"<td style='text-align: {_side(column)}'>{'&nbsp;' * indent}{escape(text[indent:])}</td>"


def _side(column: Column) -> str:
    return "right" if column.right else "left"
