"""A table before it is drawn: what its forms, text, Markdown, CSV and HTML, have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A heading and the side on which its cells align.

    For tables that are made to fit: ``follows`` keeps it beside the column before it, as a share beside its number;
    ``is_formula`` breaks its cells before operators.
    """

    title: str
    right: bool = False
    follows: bool = False
    is_formula: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Headings, and a text for each of them in every row."""

    columns: Sequence[TableColumn]
    rows: Sequence[Sequence[str]]

    @property
    def titles(self) -> list[str]:
        """The texts of the headings."""
        return [column.title for column in self.columns]


Totals = Sequence[tuple[str, str]]
"""Names and values that stand below a table, a line each."""
