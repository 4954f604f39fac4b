"""What ``archdsl stats`` prints: one network as a tree, several side by side, and both as data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archdsl.analysis.columns import COLUMNS, DEFAULT_COLUMNS
from archdsl.analysis.report import report_table, totals, totals_text
from archdsl.analysis.stats import Stats
from archdsl.analysis.table import Row

from .tables import Cells, Column, csv_table, markdown_table, shown_table

if TYPE_CHECKING:
    from archdsl.analysis.receptive_field import AxisField

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
        found["misaligned"] = [
            {"path": m.path, "axis": m.axis, "branches": {nodes[b.node].path: float(b.anchor) for b in m.branches}}
            for m in stats.receptive_fields.misaligned
        ]
    return {**found, "rows": _json_rows(report, depth)}


def _json_memory(stats: Stats) -> dict[str, Any]:
    memory = stats.memory
    names = (
        "batch", "dtype", "device", "optimizer", "parameters", "buffers", "gradients", "optimizer_state", "activations",
        "concatenations", "training", "inference_peak", "inference",
    )  # fmt: skip
    peak = stats.graph.nodes[memory.peak_node].path if memory.peak_node is not None else None
    return {**{name: getattr(memory, name) for name in names}, "inference_peak_at": peak}


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
        field = report.stats.receptive_fields.of(row.node) if row.node >= 0 else None
        found["receptive_field"] = [_json_axis(axis) for axis in field.axes] if field is not None else None
    return found


def _json_axis(axis: AxisField) -> dict[str, Any]:
    stride, offset = axis.stride, axis.offset
    return {
        "size": axis.size,
        "stride": None if stride is None else float(stride),
        "offset": None if offset is None else float(offset),
        "whole": axis.is_whole,
    }


def as_csv(reports: Sequence[Report], depth: int | None = None) -> str:
    """One line for each row of each network; level 0 is the network itself."""
    titles = ["spec", "level", "path", "name", "kind", "output", "parameters", "buffers", "macs", "flops"]
    more = [name for name in reports[0].columns if name == "memory" or name in FIELD_COLUMNS] if reports else []
    rows = [
        [report.spec, str(level), row.path, row.name, row.kind, str(row.output)]
        + [str(number) for number in (row.parameters, row.buffers, row.macs, row.flops)]
        + [_csv_cell(report, name, row) for name in more]
        for report in reports
        for level, row in report.stats.rows(depth)
    ]
    return csv_table([Column(title) for title in [*titles, *more]], rows)


def _csv_cell(report: Report, name: str, row: Row) -> str:
    if name == "memory":
        kept = report.stats.kept(row)
        return "" if kept is None else str(kept)
    return COLUMNS[name].cell(report.stats, [row])


# ---- tables --------------------------------------------------------------------------------------


def as_tables(reports: Sequence[Report], depth: int | None = None, *, markdown: bool = False) -> str:
    """The tree of one network with its totals, or several networks compared."""
    if len(reports) > 1:
        return _drawn(*comparison(reports), markdown)
    report = reports[0]
    found = totals(report.stats, report.columns)
    tree = _drawn(*report_table(report.stats, report.columns, depth), markdown)
    if markdown:
        return f"{tree}\n{''.join(f'- {name.strip()}: {value}' + chr(10) for name, value in found)}"
    return tree + "\n" + totals_text(found)


def _drawn(columns: Sequence[Column], rows: Cells, markdown: bool) -> str:
    return markdown_table(columns, rows) if markdown else shown_table(columns, rows)


def explained_cost(report: Report, *, markdown: bool = False) -> str:
    """Each kind of op with its formula, and the sums, forward and for a training step."""
    from archdsl.analysis.cost_formulas import explained

    stats = report.stats
    columns = [Column("op"), Column("uses", right=True), Column("MACs", right=True), Column("formula of one use")]
    rows = [[kind, f"{uses:,}", f"{macs:,}", text] for kind, text, uses, macs in explained(stats)]
    found = [
        ("network", report.spec),
        ("MACs", f"{stats.macs:,} forward, {stats.training_macs:,} for a training step"),
        ("FLOPs (2 x MACs)", f"{stats.flops:,} forward, {2 * stats.training_macs:,} for a training step"),
    ]
    return _drawn(columns, rows, markdown) + "\n" + totals_text(found)


def comparison(reports: Sequence[Report]) -> tuple[list[Column], list[list[str]]]:
    """Totals, then the sections' parameters and MACs: a column for each network, and how it differs from the first."""
    titles = _titles(reports)
    columns = [Column(""), Column(titles[0], right=True)]
    for title in titles[1:]:
        columns += [Column(title, right=True), Column("", right=True)]
    rows = [_compared(name, values) for name, values in _totals(reports)]
    sections = [_sections(report.stats.root) for report in reports]
    for name in dict.fromkeys(name for found in sections for name in found):
        numbers = [found.get(name) for found in sections]
        rows.append(_compared(f"{name}: parameters", [n and n[0] for n in numbers]))
        rows.append(_compared(f"{name}: MACs", [n and n[1] for n in numbers]))
    return columns, rows


def _totals(reports: Sequence[Report]) -> list[tuple[str, list[Any]]]:
    """Each total's name with its values, numbers as numbers."""
    numbers: dict[str, list[Any]] = {
        "parameters": [report.stats.parameters for report in reports],
        "buffers": [report.stats.buffers for report in reports],
        "MACs": [report.stats.macs for report in reports],
        "FLOPs (2 x MACs)": [report.stats.flops for report in reports],
        "depth": [report.stats.depth for report in reports],
    }
    texts = [dict(totals(report.stats, report.columns)) for report in reports]
    names = dict.fromkeys(name for found in texts for name in found)
    return [(name, numbers.get(name) or [found.get(name, "") for found in texts]) for name in names]


def _compared(name: str, values: Sequence[Any]) -> list[str]:
    """The cells of a line; after the first network's each has its difference beside it."""
    cells = [name, _text(values[0])]
    for value in values[1:]:
        cells += [_text(value), _difference(values[0], value)]
    return cells


def _text(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else value or ""


def _difference(first: Any, value: Any) -> str:
    """``+12.3%``; ``x 14.2`` where percent are too many."""
    if not isinstance(first, int) or not isinstance(value, int) or not first or first == value:
        return ""
    change = 100 * (value - first) / first
    return f"x {value / first:.1f}" if change >= 1000 else f"{change:+.1f}%"


def _titles(reports: Sequence[Report]) -> list[str]:
    """The networks' names, or the specs as given where names are not enough."""
    names = [report.stats.name for report in reports]
    return names if len(set(names)) == len(names) else [report.spec for report in reports]


def _sections(root: Row) -> dict[str, tuple[int, int]]:
    """Parameters and MACs of the outermost sections by name, and of what stands outside them."""
    found: dict[str, tuple[int, int]] = {}
    pending = [root]
    while pending:
        row = pending.pop()
        if row.is_section:
            before = found.get(row.name, (0, 0))
            found[row.name] = (before[0] + row.parameters, before[1] + row.macs)
        else:
            pending.extend(reversed(row.children))
    rest = (root.parameters - sum(p for p, _ in found.values()), root.macs - sum(m for _, m in found.values()))
    return {**found, "outside sections": rest} if any(rest) and found else found
