"""A network's rows as a person reads them: a tree with folded repeats, shares, and the heaviest marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from archdsl.views.analyses import Analyses
from archdsl.views.columns import DEFAULT_COLUMNS, FigureColumn, chosen_columns
from archdsl.views.figures import share_text
from archdsl.views.forms.tables import Table, TableColumn
from archdsl.views.tree import Folding, TreeRow

DEFAULT_DEPTH = 2
"""Levels that the tree shows unless asked for more; data is whole."""

MAX_SIBLINGS = 100
"""Rows of one parent that the tree shows unless a depth is given; the rest is summed up in one."""

MARKED = 3
"""Lines with the largest shares, at most, which a `*` marks."""


@dataclass(frozen=True, slots=True)
class TreeLine:
    """A line of the tree: one row, or several equal ones in one; ``is_lowest`` if no shown line is a part of it."""

    level: int
    name: str
    rows: Sequence[TreeRow]
    is_lowest: bool
    is_sum: bool = False
    """Whether it stands for lines that are not shown."""


def tree_lines(stats: Analyses, depth: int | None = None) -> list[TreeLine]:
    """The lines, equal neighbours in one, ``depth`` levels (2) below the network."""
    folding = Folding(stats.root)
    deepest = DEFAULT_DEPTH if depth is None else depth
    found: list[TreeLine] = []
    pending = [_line(0, [[stats.root]], 1, deepest)]
    while pending:
        line, runs = pending.pop()
        found.append(line)
        if line.level < deepest and not line.is_sum:
            lines = [_line(line.level + 1, run, len(run), deepest) for run in _runs(folding, runs)]
            pending.extend(reversed(_elided(lines) if depth is None else lines))
    return found


_Occurrences = list[list[TreeRow]]
"""Equal neighbours, each with all rows that stand at its place: their parents may be equal neighbours, too."""


def _runs(folding: Folding, parents: _Occurrences) -> Iterator[_Occurrences]:
    """The children of equal rows: those of the first, folded, each beside its counterparts in the others."""
    everywhere = [row for position in parents for row in position]
    start = 0
    for run in folding.runs(everywhere[0].children):
        yield [[row.children[start + i] for row in everywhere] for i in range(len(run))]
        start += len(run)


def _line(level: int, run: _Occurrences, length: int, deepest: int) -> tuple[TreeLine, _Occurrences]:
    first, last = run[0][0], run[-1][0]
    name = first.name
    if length > 1:
        name += f"-{last.name}" if last.name.isdigit() else f" - {last.name}"
    rows = [row for position in run for row in position]
    return TreeLine(level, name, rows, level >= deepest or not first.children), run


def _elided(lines: list[tuple[TreeLine, _Occurrences]]) -> list[tuple[TreeLine, _Occurrences]]:
    """The lines, with one that sums up the middle where they are too many."""
    if len(lines) <= MAX_SIBLINGS:
        return lines
    half = MAX_SIBLINGS // 2
    middle = lines[half:-half]
    rows = [row for line, _ in middle for row in line.rows]
    summed = TreeLine(lines[0][0].level, f"... {len(middle):,} more", rows, is_lowest=False, is_sum=True)
    return [*lines[:half], (summed, []), *lines[-half:]]


def tree_table(stats: Analyses, columns: Sequence[str] = DEFAULT_COLUMNS, depth: int | None = None) -> Table:
    """The tree with the columns of these names. Raises ArchError E804 for one that there is not."""
    chosen, lines = chosen_columns(columns), tree_lines(stats, depth)
    headings = [TableColumn("layer")]
    cells = [["  " * line.level + line.name for line in lines]]
    for column in chosen:
        headings.append(TableColumn(column.title, column.is_right))
        cells.append([_cell(column, stats, line) for line in lines])
        if column.has_share:
            headings.append(TableColumn("share", right=True, follows=True))
            cells.append(_shares(column, stats, lines))
    return Table(headings, [list(row) for row in zip(*cells, strict=True)])


def _cell(column: FigureColumn[Any], stats: Analyses, line: TreeLine) -> str:
    if line.is_sum and not column.unit.is_amount:
        return ""
    text = column.cell(stats, line.rows)
    if column.name == "kind" and not line.is_sum and "-" in line.name and len(line.rows) > 1:
        same = sum(row.path.rpartition(".")[0] == line.rows[0].path.rpartition(".")[0] for row in line.rows)
        return f"{text} x {same}" if same > 1 else text
    return text


def _shares(column: FigureColumn[Any], stats: Analyses, lines: Sequence[TreeLine]) -> list[str]:
    """``12.3%`` of the network's; ``12.3%*`` at the largest of the lowest lines."""
    amounts = [column.value(stats, line.rows) for line in lines]
    least = _least_marked([amount for amount, line in zip(amounts, lines, strict=True) if amount and line.is_lowest])
    texts = []
    for amount, line in zip(amounts, lines, strict=True):
        is_marked = line.is_lowest and amount is not None and amount >= least
        texts.append(share_text(amount, amounts[0]) + ("*" if is_marked else " ") if amount else "")
    return texts


def _least_marked(amounts: Sequence[int]) -> float:
    """The amount from which on lines are marked: ``MARKED`` of them, fewer where more are equal."""
    ranked = sorted(amounts, reverse=True)
    if len(ranked) <= MARKED:
        return inf
    least, next_ = ranked[MARKED - 1 : MARKED + 1]
    return least if least > next_ else least + 1
