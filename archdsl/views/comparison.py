"""Networks side by side: their totals and their sections, and by how much each differs from the first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from archdsl.views.analyses import Analyses
from archdsl.views.columns import COMPARED_COLUMNS, FigureColumn, chosen_columns
from archdsl.views.figures import Figure, difference, difference_text, summed
from archdsl.views.forms.tables import Table, TableColumn
from archdsl.views.forms.text_form import text_table
from archdsl.views.totals import totals
from archdsl.views.tree import TreeRow

OUTSIDE = "outside sections"
"""What is left of a network beside its outermost sections."""


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One figure of every network; None where a network has no such part or figure.

    ``part`` is a section's name, ``outside sections``, or nothing for the network as a whole.
    """

    part: str
    title: str
    figures: tuple[Figure[Any] | None, ...]

    @property
    def name(self) -> str:
        """What stands at the start of its line: ``MACs``, ``stem: MACs``."""
        return f"{self.part}: {self.title}" if self.part else self.title

    @property
    def numbers(self) -> tuple[int | None, ...]:
        """What the figures come to; None for what is no amount or not known."""
        return tuple([figure.number if figure else None for figure in self.figures])

    @property
    def differences(self) -> tuple[float | None, ...]:
        """By what fraction of the first network's number each is more, 0.5 for half as much again; the first's is 0.

        None where there is nothing to compare.
        """
        first, *_ = self.numbers
        return tuple([difference(first, number) for number in self.numbers])

    @property
    def texts(self) -> list[str]:
        """The figures as a table shows them: sections briefly, totals in full."""
        return [self._text(figure) if figure else "" for figure in self.figures]

    def _text(self, figure: Figure[Any]) -> str:
        return (figure.cell or ("0" if figure.number == 0 else "")) if self.part else figure.full

    @property
    def cells(self) -> list[str]:
        """Its line: name, the first network's text, and those of the others, each with its difference beside it."""
        numbers, texts = self.numbers, self.texts
        found = [self.name, texts[0]]
        for number, text in zip(numbers[1:], texts[1:], strict=True):
            found += [text, difference_text(numbers[0], number)]
        return found


@dataclass(frozen=True, repr=False)
class Comparison:
    """Networks side by side, under their ``titles``; the first is what the others are compared with.

    ``columns`` are compared of the outermost sections, which are left out ``with_sections`` false. Raises ArchError
    E804 for a column that there is not.
    """

    titles: tuple[str, ...]
    networks: tuple[Analyses, ...]
    columns: tuple[str, ...] = COMPARED_COLUMNS
    with_sections: bool = True

    def __post_init__(self) -> None:
        chosen_columns(self.columns)

    @property
    def rows(self) -> tuple[ComparedRow, ...]:
        """Totals, then the sections in the order of the networks, then what is outside them."""
        found = list(_rows([_compared_totals(stats, self.columns) for stats in self.networks]))
        if self.with_sections:
            chosen = chosen_columns(self.columns)
            rows = _rows([_section_figures(stats, chosen) for stats in self.networks])
            found += sorted(rows, key=lambda row: row.part == OUTSIDE)
        return tuple(found)

    def to_dicts(self) -> list[dict[str, Any]]:
        """A flat list of all figures of all networks; ``difference`` is the fraction by which one exceeds the first."""
        return [
            {
                "part": row.part,
                "figure": figure.key,
                "unit": figure.unit.name,
                "network": title,
                "text": text,
                "number": figure.number,
                "difference": change,
            }
            for row in self.rows
            for title, figure, text, change in zip(self.titles, row.figures, row.texts, row.differences, strict=True)
            if figure is not None
        ]

    def table(self) -> Table:
        """A column for each network, and beside those after the first how they differ from it."""
        columns = [TableColumn(""), TableColumn(self.titles[0], right=True)]
        for title in self.titles[1:]:
            columns += [TableColumn(title, right=True), TableColumn("", right=True, follows=True)]
        return Table(columns, [row.cells for row in self.rows])

    def __repr__(self) -> str:
        return f"<Comparison of {', '.join(self.titles)}; print() shows the table>"

    def __str__(self) -> str:
        return text_table(self.table())

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from archdsl.views.forms.html_form import html_table

        return html_table(self.table())


def compared(
    specs: Sequence[str | None],
    networks: Sequence[Analyses],
    columns: Sequence[str] = COMPARED_COLUMNS,
    titles: Sequence[str] | None = None,
    *,
    with_sections: bool = True,
) -> Comparison:
    """Networks under their titles; else under their names, or the specs, as given, where names are not enough."""
    names = [stats.name for stats in networks]
    if len(set(names)) < len(names):
        names = [name if spec is None else spec for spec, name in zip(specs, names, strict=True)]
    return Comparison(tuple(titles or names), tuple(networks), tuple(columns), with_sections)


_Figures = Mapping[tuple[str, str], Figure[Any]]
"""A network's figures by part and title."""


def _rows(networks: Sequence[_Figures]) -> Iterator[ComparedRow]:
    for part, title in dict.fromkeys(place for figures in networks for place in figures):
        yield ComparedRow(part, title, tuple([figures.get((part, title)) for figures in networks]))


def _compared_totals(stats: Analyses, columns: Sequence[str]) -> _Figures:
    found: dict[tuple[str, str], Figure[Any]] = {}
    for title, same in groupby(totals(stats, columns), key=lambda figure: figure.title):
        first, *others = same
        found["", title] = (
            first._replace(value="; ".join([each.full for each in (first, *others)])) if others else first
        )
    return found


def _section_figures(stats: Analyses, columns: Iterable[FigureColumn[Any]]) -> _Figures:
    """What the columns show of each outermost section, and of what stands outside them."""
    sections = _sections(stats.root)
    found = {(name, column.title): column.figure(stats, rows) for name, rows in sections.items() for column in columns}
    inside = [row for rows in sections.values() for row in rows]
    outside = {(OUTSIDE, figure.title): figure for figure in _outside(stats, inside, columns)} if inside else {}
    return found | outside if any(figure.number for figure in outside.values()) else found


def _outside(stats: Analyses, inside: Sequence[TreeRow], columns: Iterable[FigureColumn[Any]]) -> Iterator[Figure[Any]]:
    for column in columns:
        if column.unit.is_amount:
            whole, parts = column.figure(stats, [stats.root]), column.figure(stats, inside)
            rest = summed([whole.number, None if parts.number is None else -parts.number])
            yield whole._replace(value=rest)


def _sections(root: TreeRow) -> dict[str, list[TreeRow]]:
    """The outermost sections by name."""
    found: dict[str, list[TreeRow]] = {}
    pending = [root]
    while pending:
        row = pending.pop()
        if row.is_section:
            found.setdefault(row.name, []).append(row)
        else:
            pending.extend(reversed(row.children))
    return found
