"""What ``archdsl stats`` prints: one network as a tree, several side by side, and both as data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from archdsl.analysis.cost import Cost, cost
from archdsl.analysis.table import Folding, Row, table
from archdsl.graph import Graph

from .tables import Cells, Column, csv_table, markdown_table, shown_table

DEFAULT_DEPTH = 2
"""Levels that the tree shows unless ``--depth`` says otherwise; data is whole."""

MAX_SIBLINGS = 100
"""Rows of one parent that the tree shows unless ``--depth`` is given; the rest is summed up in one."""


@dataclass(frozen=True, slots=True)
class Report:
    """A network with its totals and rows."""

    spec: str
    graph: Graph
    cost: Cost
    root: Row

    @classmethod
    def of(cls, spec: str, graph: Graph) -> Report:
        """The report on the graph of ``spec``."""
        total = cost(graph)
        return cls(spec, graph, total, table(graph, total))

    @property
    def inputs(self) -> str:
        """Sizes of the inputs, without the batch."""
        return ", ".join(str(node.type) for node in self.graph.nodes if not node.inputs and node.op.kind == "input")

    @property
    def outputs(self) -> str:
        """Sizes of the outputs, named where they are several."""
        nodes, outputs = self.graph.nodes, self.graph.outputs
        if len(outputs) == 1:
            return str(nodes[outputs[0].node].type)
        return ", ".join(f"{output.name}: {nodes[output.node].type}" for output in outputs)

    def totals(self) -> list[tuple[str, str]]:
        """The network's totals, written out; MACs and FLOPs both by name."""
        return [
            ("input", self.inputs),
            ("output", self.outputs),
            ("parameters", f"{self.cost.parameters:,}"),
            ("buffers", f"{self.cost.buffers:,}"),
            ("MACs", f"{self.cost.macs:,}"),
            ("FLOPs (2 x MACs)", f"{self.cost.flops:,}"),
            ("depth", f"{self.cost.depth:,}"),
        ]


# ---- data ----------------------------------------------------------------------------------------


def as_json(reports: Iterable[Report], depth: int | None = None) -> str:
    """A list with one object for each spec; rows nest as the network does."""
    return json.dumps([_json_report(report, depth) for report in reports], indent=2, ensure_ascii=False) + "\n"


def _json_report(report: Report, depth: int | None) -> dict[str, Any]:
    nodes, total = report.graph.nodes, report.cost
    return {
        "spec": report.spec,
        "network": report.graph.name,
        "settings": dict(report.graph.settings),
        "inputs": {node.path: node.type.sizes for node in nodes if node.op.kind == "input"},
        "outputs": {output.name: nodes[output.node].type.sizes for output in report.graph.outputs},
        "parameters": total.parameters,
        "buffers": total.buffers,
        "macs": total.macs,
        "flops": total.flops,
        "depth": total.depth,
        "rows": _json_rows(report.root, depth),
    }


def _json_rows(root: Row, depth: int | None) -> list[dict[str, Any]]:
    """The rows below ``root``; built along the walk, so that deep networks need no deep stack."""
    found: dict[int, list[dict[str, Any]]] = {0: []}
    for level, row in root.walk(depth):
        if level == 0:
            continue
        found[level] = []
        found[level - 1].append(
            {
                "name": row.name,
                "kind": row.kind,
                "path": row.path,
                "output": row.output.sizes,
                "parameters": row.parameters,
                "buffers": row.buffers,
                "macs": row.macs,
                "flops": row.flops,
                "rows": found[level],
            }
        )
    return found[0]


def as_csv(reports: Iterable[Report], depth: int | None = None) -> str:
    """One line for each row of each network; level 0 is the network itself."""
    titles = ("spec", "level", "path", "name", "kind", "output", "parameters", "buffers", "macs", "flops")
    rows = [
        [report.spec, str(level), row.path, row.name, row.kind, str(row.output)]
        + [str(number) for number in (row.parameters, row.buffers, row.macs, row.flops)]
        for report in reports
        for level, row in report.root.walk(depth)
    ]
    return csv_table([Column(title) for title in titles], rows)


# ---- tables --------------------------------------------------------------------------------------

TREE_COLUMNS = (
    Column("layer"),
    Column("kind"),
    Column("output", right=True),
    Column("parameters", right=True),
    Column("share", right=True),
    Column("MACs", right=True),
    Column("share", right=True),
)


def as_tables(reports: Sequence[Report], depth: int | None = None, *, markdown: bool = False) -> str:
    """The tree of one network with its totals, or several networks compared."""
    if len(reports) > 1:
        return _drawn(*comparison(reports), markdown)
    report = reports[0]
    totals = report.totals()
    tree = _drawn(TREE_COLUMNS, list(tree_rows(report, depth)), markdown)
    if markdown:
        return f"{tree}\n{''.join(f'- {name}: {value}' + chr(10) for name, value in totals)}"
    width = max(len(name) for name, _ in totals)
    return tree + "\n" + "".join(f"{name:<{width}}  {value}\n" for name, value in totals)


def _drawn(columns: Sequence[Column], rows: Cells, markdown: bool) -> str:
    return markdown_table(columns, rows) if markdown else shown_table(columns, rows)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the tree: one row, or several in one; ``times`` is how often what is below it is there."""

    level: int
    name: str
    kind: str
    output: str
    parameters: int
    macs: int
    times: int = 1
    below: Sequence[Row] = ()

    def cells(self, total: Cost) -> list[str]:
        parameters = [f"{self.parameters:,}", share(self.parameters, total.parameters)]
        macs = [f"{self.macs:,}", share(self.macs, total.macs)]
        numbers = (parameters if self.parameters else ["", ""]) + (macs if self.macs else ["", ""])
        return ["  " * self.level + self.name, self.kind, self.output, *numbers]


def tree_rows(report: Report, depth: int | None = None) -> Iterator[list[str]]:
    """The cells of the tree: equal neighbours in one row, ``depth`` levels (2) below the network."""
    folding = Folding(report.root)
    deepest = DEFAULT_DEPTH if depth is None else depth
    pending = [_run_line(0, [report.root], 1)]
    while pending:
        line = pending.pop()
        yield line.cells(report.cost)
        if line.level < deepest:
            lines = [_run_line(line.level + 1, run, line.times) for run in folding.runs(line.below)]
            pending.extend(reversed(_elided(lines) if depth is None else lines))


def _run_line(level: int, run: Sequence[Row], times: int) -> _Line:
    """Equal neighbours, whose parent is there several times, in one line."""
    first, last, times = run[0], run[-1], times * len(run)
    name, kind = first.name, first.kind
    if len(run) > 1:
        name += f"-{last.name}" if last.name.isdigit() else f" - {last.name}"
        kind += f" x {len(run)}"
    return _Line(
        level, name, kind, str(first.output), times * first.parameters, times * first.macs, times, first.children
    )


def _elided(lines: list[_Line]) -> list[_Line]:
    """The lines, with one that sums up the middle where they are too many."""
    if len(lines) <= MAX_SIBLINGS:
        return lines
    half = MAX_SIBLINGS // 2
    head, middle, tail = lines[:half], lines[half:-half], lines[-half:]
    parameters, macs = sum(line.parameters for line in middle), sum(line.macs for line in middle)
    return [*head, _Line(head[0].level, f"... {len(middle):,} more", "", "", parameters, macs), *tail]


def share(part: int, total: int) -> str:
    """``12.3%``."""
    return f"{100 * part / total:.1f}%" if total else ""


def comparison(reports: Sequence[Report]) -> tuple[list[Column], list[list[str]]]:
    """Totals, then the sections' parameters and MACs: a column for each network."""
    columns = [Column(""), *(Column(title, right=True) for title in _titles(reports))]
    totals = [report.totals() for report in reports]
    rows = [[name, *(total[i][1] for total in totals)] for i, (name, _) in enumerate(totals[0])]
    sections = [_sections(report.root) for report in reports]
    for name in dict.fromkeys(name for found in sections for name in found):
        numbers = [found.get(name) for found in sections]
        rows.append([f"{name}: parameters", *(f"{n[0]:,}" if n else "" for n in numbers)])
        rows.append([f"{name}: MACs", *(f"{n[1]:,}" if n else "" for n in numbers)])
    return columns, rows


def _titles(reports: Sequence[Report]) -> list[str]:
    """The networks' names, or the specs as given where names are not enough."""
    names = [report.graph.name for report in reports]
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
