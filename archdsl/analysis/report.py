"""A network's figures as a person reads them: a tree with folded repeats, shares, the heaviest marked, totals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from archdsl.analysis.columns import DEFAULT_COLUMNS, ReportColumn, chosen_columns, total_of
from archdsl.analysis.stats import Stats
from archdsl.analysis.table import Folding, Row
from archdsl.analysis.text_tables import Column, html_table, text_table
from archdsl.units import format_bytes

DEFAULT_DEPTH = 2
"""Levels that the tree shows unless asked for more; data is whole."""

MAX_SIBLINGS = 100
"""Rows of one parent that the tree shows unless a depth is given; the rest is summed up in one."""

MARKED = 3
"""Lines with the largest shares, which a `*` marks."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the tree: one row, or several equal ones in one; ``is_lowest`` if no shown line is a part of it."""

    level: int
    name: str
    rows: Sequence[Row]
    is_lowest: bool
    is_sum: bool = False
    """Whether it stands for lines that are not shown."""


def tree(stats: Stats, depth: int | None = None) -> list[Line]:
    """The lines, equal neighbours in one, ``depth`` levels (2) below the network."""
    folding = Folding(stats.root)
    deepest = DEFAULT_DEPTH if depth is None else depth
    found: list[Line] = []
    pending = [_line(0, [[stats.root]], 1, deepest)]
    while pending:
        line, runs = pending.pop()
        found.append(line)
        if line.level < deepest and not line.is_sum:
            lines = [_line(line.level + 1, run, len(run), deepest) for run in _runs(folding, runs)]
            pending.extend(reversed(_elided(lines) if depth is None else lines))
    return found


_Occurrences = list[list[Row]]
"""Equal neighbours, each with all rows that stand at its place: their parents may be equal neighbours, too."""


def _runs(folding: Folding, parents: _Occurrences) -> Iterator[_Occurrences]:
    """The children of equal rows: those of the first, folded, each beside its counterparts in the others."""
    everywhere = [row for position in parents for row in position]
    start = 0
    for run in folding.runs(everywhere[0].children):
        yield [[row.children[start + i] for row in everywhere] for i in range(len(run))]
        start += len(run)


def _line(level: int, run: _Occurrences, length: int, deepest: int) -> tuple[Line, _Occurrences]:
    first, last = run[0][0], run[-1][0]
    name = first.name
    if length > 1:
        name += f"-{last.name}" if last.name.isdigit() else f" - {last.name}"
    rows = [row for position in run for row in position]
    return Line(level, name, rows, level >= deepest or not first.children), run


def _elided(lines: list[tuple[Line, _Occurrences]]) -> list[tuple[Line, _Occurrences]]:
    """The lines, with one that sums up the middle where they are too many."""
    if len(lines) <= MAX_SIBLINGS:
        return lines
    half = MAX_SIBLINGS // 2
    middle = lines[half:-half]
    rows = [row for line, _ in middle for row in line.rows]
    summed = Line(lines[0][0].level, f"... {len(middle):,} more", rows, is_lowest=False, is_sum=True)
    return [*lines[:half], (summed, []), *lines[-half:]]


def report_table(
    stats: Stats, columns: Sequence[str] = DEFAULT_COLUMNS, depth: int | None = None
) -> tuple[list[Column], list[list[str]]]:
    """Headings and cells of the tree. Raises ArchError E804 for a column that there is not."""
    chosen, lines = chosen_columns(columns), tree(stats, depth)
    headings = [Column("layer")]
    cells = [["  " * line.level + line.name for line in lines]]
    for column in chosen:
        headings.append(Column(column.title, column.right))
        cells.append([_cell(column, stats, line) for line in lines])
        if column.amount is not None and column.name in _WITH_SHARE:
            headings.append(Column("share", right=True))
            cells.append(_shares(column, stats, lines))
    return headings, [list(row) for row in zip(*cells, strict=True)]


_WITH_SHARE = frozenset({"params", "macs", "memory"})


def _cell(column: ReportColumn, stats: Stats, line: Line) -> str:
    if line.is_sum and column.amount is None:
        return ""
    text = column.cell(stats, line.rows)
    if column.name == "kind" and not line.is_sum and "-" in line.name and len(line.rows) > 1:
        same = sum(row.path.rpartition(".")[0] == line.rows[0].path.rpartition(".")[0] for row in line.rows)
        return f"{text} x {same}" if same > 1 else text
    return text


def _shares(column: ReportColumn, stats: Stats, lines: Sequence[Line]) -> list[str]:
    """``12.3%`` of the network's; ``12.3%*`` at the largest of the lowest lines."""
    assert column.amount is not None
    amounts = [total_of(column.amount, stats, line.rows) for line in lines]
    lowest = [amount for amount, line in zip(amounts, lines, strict=True) if amount and line.is_lowest]
    least = min(sorted(lowest, reverse=True)[:MARKED], default=0) if len(lowest) > MARKED else None
    texts = []
    for amount, line in zip(amounts, lines, strict=True):
        is_marked = least is not None and line.is_lowest and amount is not None and amount >= least
        texts.append(share(amount, amounts[0]) + ("*" if is_marked else " ") if amount else "")
    return texts


def share(part: int | None, total: int | None) -> str:
    """``12.3%``."""
    return f"{100 * part / total:.1f}%" if part is not None and total else ""


# ---- totals --------------------------------------------------------------------------------------


def totals(stats: Stats, columns: Sequence[str] = ()) -> list[tuple[str, str]]:
    """The network's totals, written out; MACs and FLOPs both by name, memory and fields where a column shows them."""
    lines = [
        ("input", ", ".join(str(node.type) for node in stats.graph.inputs)),
        ("output", _outputs(stats)),
        ("parameters", f"{stats.parameters:,}"),
        ("buffers", f"{stats.buffers:,}"),
        ("MACs", f"{stats.macs:,}"),
        ("FLOPs (2 x MACs)", f"{stats.flops:,}"),
        ("depth", f"{stats.depth:,}"),
    ]
    if "memory" in columns:
        lines += _memory_totals(stats)
    if {"rf", "stride", "offset"} & set(columns):
        lines += [("misaligned", text) for text in misaligned(stats)]
    return lines


def _outputs(stats: Stats) -> str:
    nodes, outputs = stats.graph.nodes, stats.graph.outputs
    if len(outputs) == 1:
        return str(nodes[outputs[0].node].type)
    return ", ".join(f"{output.name}: {nodes[output.node].type}" for output in outputs)


def _memory_totals(stats: Stats) -> list[tuple[str, str]]:
    found = stats.memory
    place = stats.graph.nodes[found.peak_node].path if found.peak_node is not None else ""
    return [
        ("memory for", f"batch {found.batch}, {found.dtype}, {found.optimizer}, {found.device}"),
        ("weights", _bytes(found.parameters + found.buffers)),
        ("gradients", _bytes(found.gradients)),
        ("optimizer", _bytes(found.optimizer_state)),
        ("kept for backward", _bytes(found.activations)),
        ("  by concatenation", _bytes(found.concatenations)),
        ("training", _bytes(found.training)),
        ("inference", f"{_bytes(found.inference)}" + (f", most at {place}" if place else "")),
    ]


def _bytes(size: int | None) -> str:
    return "not known, as an op does not say" if size is None else f"{format_bytes(size)} ({size:,} bytes)"


def misaligned(stats: Stats) -> list[str]:
    """One text for each merge whose branches are centred on different pixels."""
    texts = []
    for found in stats.receptive_fields.misaligned:
        offsets = ", ".join(
            f"{stats.graph.nodes[branch.node].path} at {float(branch.anchor):g}" for branch in found.branches
        )
        place = f" ({found.span.place})" if found.span else ""
        texts.append(f"{found.path}, axis {found.axis}: {offsets}{place}")
    return texts


# ---- whole reports -------------------------------------------------------------------------------


def text_report(stats: Stats, columns: Sequence[str] = DEFAULT_COLUMNS, depth: int | None = None) -> str:
    """The tree and the totals as aligned text."""
    return text_table(*report_table(stats, columns, depth)) + "\n" + totals_text(totals(stats, columns))


def html_report(stats: Stats, columns: Sequence[str] = DEFAULT_COLUMNS, depth: int | None = None) -> str:
    """The tree and the totals as HTML tables."""
    found = [[name, value] for name, value in totals(stats, columns)]
    return html_table(*report_table(stats, columns, depth)) + html_table([Column(""), Column("")], found)


def totals_text(lines: Sequence[tuple[str, str]]) -> str:
    """Name and value, a line each, the values aligned."""
    width = max(len(name) for name, _ in lines)
    return "".join(f"{name:<{width}}  {value}\n" for name, value in lines)
