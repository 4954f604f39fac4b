"""What ``archdsl stats`` prints: one network as a tree, several side by side, and both as data."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from archdsl.boundary.units import format_bytes
from archdsl.views.columns import COLUMNS, DEFAULT_COLUMNS, ReportColumn, axes_text, fraction_text, total_of
from archdsl.views.report import memory_amounts, report_table, totals, totals_markdown
from archdsl.views.stats import Stats
from archdsl.views.text_tables import Cells, Column, csv_table, markdown_table
from archdsl.views.tree import Row

from .output import shown_table, shown_totals

if TYPE_CHECKING:
    from archdsl.analysis.receptive_field import AxisField, Misaligned

COMPARED_COLUMNS = ("params", "macs")
"""What a comparison shows of sections unless asked for more."""

FIELD_COLUMNS = frozenset({"rf", "stride", "offset"})


@dataclass(frozen=True, slots=True)
class Report:
    """A network's figures, and the spec as it was named; ``columns`` are those to be shown."""

    spec: str
    stats: Stats
    columns: Sequence[str] = DEFAULT_COLUMNS

    @property
    def shows_memory(self) -> bool:
        return "memory" in self.columns

    @property
    def shows_fields(self) -> bool:
        return bool(FIELD_COLUMNS.intersection(self.columns))


# ---- data ----------------------------------------------------------------------------------------


def as_json(reports: Iterable[Report], depth: int | None = None) -> str:
    """A list with one object for each spec; rows nest as the network does. docs/analysis.md describes it."""
    return json.dumps([_json_report(report, depth) for report in reports], indent=2, ensure_ascii=False) + "\n"


def _json_report(report: Report, depth: int | None) -> dict[str, Any]:
    stats = report.stats
    nodes = stats.graph.nodes
    found = {
        "spec": report.spec,
        "network": stats.name,
        "settings": dict(stats.graph.settings),
        "inputs": {node.path: node.type.sizes for node in stats.graph.inputs},
        "outputs": {output.name: nodes[output.node].type.sizes for output in stats.graph.outputs},
        "parameters": stats.parameters,
        "buffers": stats.buffers,
        "macs": stats.macs,
        "flops": stats.flops,
        "training_macs": stats.training_macs,
        "depth": stats.depth,
    }
    if report.shows_memory:
        found["memory"] = _json_memory(stats)
    if report.shows_fields:
        fields = stats.receptive_fields
        found["misaligned"] = [_json_misaligned(stats, each) for each in fields.misaligned]
        found["unknown_fields"] = [nodes[i].path for i in fields.unknown]
    return {**found, "rows": _json_rows(report, depth)}


def _json_misaligned(stats: Stats, found: Misaligned) -> dict[str, Any]:
    nodes = stats.graph.nodes
    branches = {nodes[branch.node].path: float(branch.anchor) for branch in found.branches}
    return {"path": found.path, "input": nodes[found.input].path, "axis": found.axis, "branches": branches}


def _json_memory(stats: Stats) -> dict[str, Any]:
    memory = stats.memory
    names = (
        "batch", "dtype", "device", "optimizer", "parameters", "buffers", "gradients", "optimizer_state", "activations",
        "concatenations", "training", "inference_peak", "inference",
    )  # fmt: skip
    unknown = [stats.graph.nodes[i].path for i in memory.unknown]
    peak = stats.graph.nodes[memory.peak_node].path if memory.peak_node is not None else None
    return {**{name: getattr(memory, name) for name in names}, "inference_peak_at": peak, "unknown": unknown}


def _json_rows(report: Report, depth: int | None) -> list[dict[str, Any]]:
    """The rows below the network's; built along the walk, so that deep networks need no deep stack."""
    found: dict[int, list[dict[str, Any]]] = {0: []}
    for level, row in report.stats.rows(depth):
        if level == 0:
            continue
        found[level] = []
        found[level - 1].append({**_json_row(report, row), "rows": found[level]})
    return found[0]


def _json_row(report: Report, row: Row) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": row.name,
        "kind": row.kind,
        "path": row.path,
        "output": row.output.sizes,
        "parameters": row.parameters,
        "buffers": row.buffers,
        "macs": row.macs,
        "flops": row.flops,
    }
    if report.shows_memory:
        found["memory"] = report.stats.kept(row)
    if report.shows_fields:
        found["receptive_field"] = _json_fields(report.stats, row)
    return found


def _json_fields(stats: Stats, row: Row) -> list[dict[str, Any]] | None:
    """An object for each input and axis; None where nothing is known."""
    fields = stats.receptive_fields.nodes[row.node] if row.node >= 0 else None
    if fields is None:
        return None
    return [_json_axis(stats.graph.nodes[field.input].path, axis) for field in fields for axis in field.axes]


def _json_axis(source: str, axis: AxisField) -> dict[str, Any]:
    stride, offset = axis.stride, axis.offset
    return {
        "input": source,
        "size": axis.size,
        "stride": None if stride is None else float(stride),
        "offset": None if offset is None else float(offset),
        "whole": axis.is_whole,
    }


def as_csv(reports: Sequence[Report], depth: int | None = None) -> str:
    """One line for each row of each network; level 0 is the network itself. docs/analysis.md has the columns."""
    titles = ["spec", "level", "path", "name", "kind", "output", "parameters", "buffers", "macs", "flops"]
    lines = [_csv_line(report, level, row) for report in reports for level, row in report.stats.rows(depth)]
    titles += dict.fromkeys(title for line in lines for title in line if title not in titles)
    return csv_table([Column(title) for title in titles], [[line.get(title, "") for title in titles] for line in lines])


def _csv_line(report: Report, level: int, row: Row) -> dict[str, str]:
    stats = report.stats
    found = {"spec": report.spec, "level": str(level), "path": row.path, "name": row.name, "kind": row.kind}
    found["output"] = COLUMNS["shape"].cell(stats, [row])
    for name in ("parameters", "buffers", "macs", "flops"):
        found[name] = str(getattr(row, name))
    for name in report.columns:
        if name == "memory":
            kept = stats.kept(row)
            found[name] = "" if kept is None else str(kept)
        elif name in FIELD_COLUMNS:
            found |= _csv_fields(stats, name, row)
    return found


_CSV_FIELDS: dict[str, Callable[[AxisField], str]] = {
    "rf": lambda axis: str(axis.size),
    "stride": lambda axis: fraction_text(axis.stride),
    "offset": lambda axis: fraction_text(axis.offset),
}


def _csv_fields(stats: Stats, name: str, row: Row) -> dict[str, str]:
    """The field of each input, as ``rf``, or ``rf:left`` and ``rf:right`` where there are several."""
    ends, found = stats.ends(row), dict[str, str]()
    for source in stats.seen_inputs:
        field = stats.receptive_fields.of(ends[0], source.id) if len(ends) == 1 else None
        title = f"{name}:{source.path}" if len(stats.seen_inputs) > 1 else name
        found[title] = axes_text(field, _CSV_FIELDS[name]) if field is not None else ""
    return found


# ---- tables --------------------------------------------------------------------------------------


def as_tables(reports: Sequence[Report], depth: int | None = None, *, markdown: bool = False) -> str:
    """The tree of one network with its totals, or several networks compared, without their sections at depth 0."""
    if len(reports) > 1:
        return _drawn(*comparison(reports, with_sections=depth != 0), markdown)
    report = reports[0]
    found = totals(report.stats, report.columns)
    tree = _drawn(*report_table(report.stats, report.columns, depth), markdown)
    return f"{tree}\n{totals_markdown(found) if markdown else shown_totals(found)}"


def _drawn(columns: Sequence[Column], rows: Cells, markdown: bool) -> str:
    return markdown_table(columns, rows) if markdown else shown_table(columns, rows)


class _Value(NamedTuple):
    """What a cell shows, and the number by which it is compared."""

    text: str
    number: int | None = None


_NOTHING = _Value("")
_OUTSIDE = "outside sections"


def comparison(reports: Sequence[Report], *, with_sections: bool = True) -> tuple[list[Column], list[list[str]]]:
    """Totals, then the columns of the sections: a column for each network, and how it differs from the first."""
    titles = _titles(reports)
    columns = [Column(""), Column(titles[0], right=True)]
    for title in titles[1:]:
        columns += [Column(title, right=True), Column("", right=True, follows=True)]
    compared = [_total_values(report) for report in reports]
    sections = [_section_values(report) for report in reports] if with_sections else []
    rows = [_compared(name, [found.get(name, _NOTHING) for found in compared]) for name in _names(compared)]
    in_order = sorted(_names(sections), key=lambda name: name.startswith(_OUTSIDE))
    rows += [_compared(name, [found.get(name, _NOTHING) for found in sections]) for name in in_order]
    return columns, rows


def _names(found: Iterable[Iterable[str]]) -> Iterable[str]:
    return dict.fromkeys(name for names in found for name in names)


def _total_values(report: Report) -> dict[str, _Value]:
    """The network's totals, with the numbers behind them."""
    stats = report.stats
    numbers: dict[str, int | None] = {
        "parameters": stats.parameters,
        "buffers": stats.buffers,
        "MACs": stats.macs,
        "FLOPs (2 x MACs)": stats.flops,
        "depth": stats.depth,
    }
    if report.shows_memory:
        numbers |= memory_amounts(stats)
    texts: dict[str, list[str]] = {}
    for name, text in totals(stats, report.columns):
        texts.setdefault(name, []).append(text.partition(", most at ")[0])
    return {name: _Value("; ".join(lines), numbers.get(name)) for name, lines in texts.items()}


def _section_values(report: Report) -> dict[str, _Value]:
    """What the columns show of each outermost section, and of what stands outside them."""
    root, sections = report.stats.root, _sections(report.stats.root)
    found: dict[str, _Value] = {}
    for name, rows in sections.items():
        for title, column in _compared_columns(report):
            amount = total_of(column.amount, report.stats, rows) if column.amount is not None else None
            found[f"{name}: {title}"] = _Value(column.cell(report.stats, rows) or ("0" if amount == 0 else ""), amount)
    inside = [row for rows in sections.values() for row in rows]
    outside: dict[str, _Value] = {}
    for title, column in _compared_columns(report):
        if column.amount is not None and inside:
            total, parts = column.amount(report.stats, root), total_of(column.amount, report.stats, inside)
            rest = total - parts if total is not None and parts is not None else None
            outside[f"{_OUTSIDE}: {title}"] = _rest(column, rest)
    return {**found, **outside} if any(value.number for value in outside.values()) else found


def _rest(column: ReportColumn, amount: int | None) -> _Value:
    if amount is None:
        return _Value("?")
    return _Value(format_bytes(amount) if column.name == "memory" else f"{amount:,}", amount)


def _compared_columns(report: Report) -> Iterable[tuple[str, ReportColumn]]:
    for name in report.columns:
        yield COLUMNS[name].title, COLUMNS[name]


def _compared(name: str, values: Sequence[_Value]) -> list[str]:
    """The cells of a line; after the first network's each has its difference beside it."""
    cells = [name, values[0].text]
    for value in values[1:]:
        cells += [value.text, _difference(values[0].number, value.number)]
    return cells


def _difference(first: int | None, value: int | None) -> str:
    """``+12.3%``; ``x 14.2`` where it is eleven times as much or more; ``-100.0%`` only where nothing is left."""
    if not first or value is None or first == value:
        return ""
    change = 100 * (value - first) / first
    change = max(change, -99.9) if value else change
    return f"x {value / first:.1f}" if change >= 1000 else f"{change:+.1f}%"


def _titles(reports: Sequence[Report]) -> list[str]:
    """The networks' names, or the specs as given where names are not enough."""
    names = [report.stats.name for report in reports]
    return names if len(set(names)) == len(names) else [report.spec for report in reports]


def _sections(root: Row) -> dict[str, list[Row]]:
    """The outermost sections by name."""
    found: dict[str, list[Row]] = {}
    pending = [root]
    while pending:
        row = pending.pop()
        if row.is_section:
            found.setdefault(row.name, []).append(row)
        else:
            pending.extend(reversed(row.children))
    return found
