"""Tables and totals as aligned text."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import TextWrapper

from archdsl.views.forms.tables import Table, TableColumn, Totals


def text_table(table: Table) -> str:
    """Columns two spaces apart, a rule below the headings."""
    widths = [max(map(len, cells)) for cells in zip(table.titles, *table.rows, strict=True)]
    lines = [table.titles, ["-" * width for width in widths], *table.rows]
    return "".join(f"{line}\n" for line in aligned(table.columns, lines, widths))


def aligned(columns: Sequence[TableColumn], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> list[str]:
    """A line for each row, its cells two spaces apart."""
    found = []
    for row in rows:
        cells = zip(row, columns, widths, strict=True)
        texts = [cell.rjust(width) if column.right else cell.ljust(width) for cell, column, width in cells]
        found.append("  ".join(texts).rstrip())
    return found


def totals_text(totals: Totals, available: int | None = None) -> str:
    """Name and value, a line each, the values aligned; in lines of ``available`` characters if that is given."""
    width = max(len(name) for name, _ in totals)
    text = "".join(f"{name:<{width}}  {value}\n" for name, value in totals)
    if available is None:
        return text
    wrapper = TextWrapper(available, subsequent_indent=" " * (width + 2), break_on_hyphens=False)
    return "".join(f"{line if len(line) <= available else wrapper.fill(line)}\n" for line in text.splitlines())
