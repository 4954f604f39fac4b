"""A network's figures as a person reads them: a tree with folded repeats, shares, the heaviest marked, totals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from textwrap import TextWrapper
from typing import TYPE_CHECKING

from archdsl.boundary.units import format_bytes
from archdsl.views.columns import DEFAULT_COLUMNS, ReportColumn, chosen_columns, fraction_text, total_of
from archdsl.views.stats import Stats
from archdsl.views.text_tables import Column, html_table, text_table
from archdsl.views.tree import Folding, Row

if TYPE_CHECKING:
    from archdsl.analysis.receptive_field import Branch, Misaligned

DEFAULT_DEPTH = 2
"""Levels that the tree shows unless asked for more; data is whole."""

MAX_SIBLINGS = 100
"""Rows of one parent that the tree shows unless a depth is given; the rest is summed up in one."""

MARKED = 3
"""Lines with the largest shares, at most, which a `*` marks."""


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
            headings.append(Column("share", right=True, follows=True))
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
    least = _least_marked([amount for amount, line in zip(amounts, lines, strict=True) if amount and line.is_lowest])
    texts = []
    for amount, line in zip(amounts, lines, strict=True):
        is_marked = line.is_lowest and amount is not None and amount >= least
        texts.append(share(amount, amounts[0]) + ("*" if is_marked else " ") if amount else "")
    return texts


def _least_marked(amounts: Sequence[int]) -> float:
    """The amount from which on lines are marked: ``MARKED`` of them, fewer where more are equal."""
    ranked = sorted(amounts, reverse=True)
    if len(ranked) <= MARKED:
        return inf
    least, next_ = ranked[MARKED - 1 : MARKED + 1]
    return least if least > next_ else least + 1


def share(part: int | None, total: int | None) -> str:
    """``12.3%``."""
    return f"{100 * part / total:.1f}%" if part is not None and total else ""


# ---- totals --------------------------------------------------------------------------------------


def totals(stats: Stats, columns: Sequence[str] = ()) -> list[tuple[str, str]]:
    """The network's totals, written out; MACs and FLOPs both by name, memory and fields where a column shows them."""
    lines = [
        ("input", _named([(node.path, str(node.type)) for node in stats.graph.inputs])),
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
        unknown = stats.receptive_fields.unknown
        lines += [("unknown fields", _unsaid(stats, unknown, "what it reads", "reads"))] if unknown else []
        lines += [("misaligned", text) for text in misaligned(stats)]
    return lines


def _outputs(stats: Stats) -> str:
    nodes = stats.graph.nodes
    return _named([(output.name, str(nodes[output.node].type)) for output in stats.graph.outputs])


def _named(texts: Sequence[tuple[str, str]]) -> str:
    """The one text, or several with their names."""
    return texts[0][1] if len(texts) == 1 else ", ".join([f"{name}: {text}" for name, text in texts])


def _memory_totals(stats: Stats) -> list[tuple[str, str]]:
    found = stats.memory
    place = stats.graph.nodes[found.peak_node].path if found.peak_node is not None else ""
    settings = f"batch {found.batch:,}, {found.dtype}, {found.optimizer}, {found.device}"
    lines = [("memory for", settings), *[(name, _bytes(size)) for name, size in memory_amounts(stats).items()]]
    if place:
        lines[-1] = (lines[-1][0], f"{lines[-1][1]}, most at {place}")
    unknown = [("unknown memory", _unsaid(stats, found.unknown, "what it takes", "memory"))] if found.unknown else []
    return [*lines, *unknown]


def memory_amounts(stats: Stats) -> dict[str, int | None]:
    """The network's memory in bytes, by what totals call it; None where an op of the user's own does not say."""
    found = stats.memory
    return {
        "weights": found.parameters + found.buffers,
        "gradients": found.gradients,
        "optimizer": found.optimizer_state,
        "kept for backward": found.activations,
        "  by concatenation": found.concatenations,
        "training": found.training,
        "inference": found.inference,
    }


def _bytes(size: int | None) -> str:
    return "not known" if size is None else f"{format_bytes(size)} ({size:,} bytes)"


def _unsaid(stats: Stats, unknown: Sequence[int], what: str, method: str) -> str:
    """Which ops of the user's own do not say it: ``no method `reads` says what it reads: `grn` at grn1``."""
    first: dict[str, str] = {}
    for node in unknown:
        first.setdefault(stats.graph.nodes[node].op.kind, stats.graph.nodes[node].path)
    return f"no method `{method}` says {what}: " + ", ".join([f"`{kind}` at {path}" for kind, path in first.items()])


def misaligned(stats: Stats) -> list[str]:
    """One text for each merge whose branches are centred on different pixels, and the axes where they are."""
    merges: dict[tuple[int, int, tuple[Branch, ...]], list[Misaligned]] = {}
    for found in stats.receptive_fields.misaligned:
        merges.setdefault((found.node, found.input, found.branches), []).append(found)
    return [_misaligned_text(stats, found) for found in merges.values()]


def _misaligned_text(stats: Stats, found: Sequence[Misaligned]) -> str:
    """``add1: conv1 at 0, conv2 at 0.5 (net.arch:3:5)``."""
    first = found[0]
    field = stats.receptive_fields.of(first.node, first.input)
    is_everywhere = field is not None and len(found) == len(field.axes)
    axes = "" if is_everywhere else ", axis " + " and ".join([str(each.axis) for each in found])
    source = f", of {stats.graph.nodes[first.input].path}" if len(stats.seen_inputs) > 1 else ""
    branches = ", ".join([_branch_text(stats, first, branch) for branch in first.branches])
    return f"{first.path}{axes}{source}: {branches}" + (f" ({first.span.place})" if first.span else "")


def _branch_text(stats: Stats, found: Misaligned, branch: Branch) -> str:
    """Where a branch lies; where its field is centred as well, if a merge above made that reach further to one side."""
    text = f"{stats.graph.nodes[branch.node].path} at {fraction_text(branch.anchor)}"
    field = stats.receptive_fields.of(branch.node, found.input)
    offset = field.axes[found.axis].offset if field is not None else None
    return text if offset in (None, branch.anchor) else f"{text} (its field at {fraction_text(offset)})"


# ---- whole reports -------------------------------------------------------------------------------


def text_report(stats: Stats, columns: Sequence[str] = DEFAULT_COLUMNS, depth: int | None = None) -> str:
    """The tree and the totals as aligned text."""
    return text_table(*report_table(stats, columns, depth)) + "\n" + totals_text(totals(stats, columns))


def html_report(stats: Stats, columns: Sequence[str] = DEFAULT_COLUMNS, depth: int | None = None) -> str:
    """The tree and the totals as HTML tables."""
    found = [[name, value] for name, value in totals(stats, columns)]
    return html_table(*report_table(stats, columns, depth)) + html_table([Column(""), Column("")], found)


def totals_text(lines: Sequence[tuple[str, str]], available: int | None = None) -> str:
    """Name and value, a line each, the values aligned; in lines of ``available`` characters if that is given."""
    width = max(len(name) for name, _ in lines)
    text = "".join(f"{name:<{width}}  {value}\n" for name, value in lines)
    if available is None:
        return text
    wrapper = TextWrapper(available, subsequent_indent=" " * (width + 2), break_on_hyphens=False)
    return "".join(f"{line if len(line) <= available else wrapper.fill(line)}\n" for line in text.splitlines())


def totals_markdown(lines: Sequence[tuple[str, str]]) -> str:
    """Names and values as a list."""
    return "".join(f"- {name.strip()}: {value}\n" for name, value in lines)
