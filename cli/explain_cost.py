"""``archdsl stats --explain-cost``: how each kind of op is counted, and what it adds up to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .output import Form, drawn, say

if TYPE_CHECKING:
    from archdsl.views.forms.tables import Table
    from archdsl.views.stats import Stats


def show_explained_costs(analysed: Sequence[tuple[str, Stats]], form: Form) -> None:
    """Prints each kind of op with its formula and what it comes to, in evaluation and in a training step."""
    if form is Form.JSON:
        from archdsl.views.forms.json_form import json_text

        say(json_text([_data(spec, stats) for spec, stats in analysed]))
    elif form is Form.CSV:
        say(_csv(analysed))
    else:
        say("\n".join(_text(spec, stats, form) for spec, stats in analysed))


def _data(spec: str, stats: Stats) -> dict[str, Any]:
    from archdsl.views.cost_formulas import explained

    totals = {"macs": stats.macs, "flops": stats.flops, "training_macs": stats.training_macs}
    return {"spec": spec, "network": stats.name, **totals, "ops": [row._asdict() for row in explained(stats)]}


def _csv(analysed: Sequence[tuple[str, Stats]]) -> str:
    from archdsl.views.cost_formulas import ExplainedCost, explained
    from archdsl.views.forms.csv_form import csv_table

    rows = [[spec, *map(str, row)] for spec, stats in analysed for row in explained(stats)]
    return csv_table(["spec", *ExplainedCost._fields], rows)


def _text(spec: str, stats: Stats, form: Form) -> str:
    table = _table(stats)
    totals = [
        ("network", spec),
        ("MACs", f"{stats.macs:,} forward, {stats.training_macs:,} for a training step"),
        ("FLOPs (2 x MACs)", f"{stats.flops:,} forward, {2 * stats.training_macs:,} for a training step"),
    ]
    if "auxiliary uses" in table.titles:
        totals.append(("auxiliary uses", "in training steps only; MACs of the table are without them"))
    return drawn(form, table, totals)


def _table(stats: Stats) -> Table:
    """A line for each kind of op; with a column for uses in auxiliary branches where there are some."""
    from archdsl.views.cost_formulas import explained
    from archdsl.views.forms.tables import Table, TableColumn

    found = explained(stats)
    has_auxiliary = any(row.auxiliary_uses for row in found)
    auxiliary = [TableColumn("auxiliary uses", right=True)] if has_auxiliary else []
    formula = TableColumn("formula of one use", is_formula=True)
    columns = [TableColumn("op"), TableColumn("uses", right=True), *auxiliary, TableColumn("MACs", right=True), formula]
    rows = []
    for row in found:
        uses = [f"{row.uses:,}", *([f"{row.auxiliary_uses:,}"] if has_auxiliary else [])]
        rows.append([row.op, *uses, f"{row.macs:,}", row.formula])
    return Table(columns, rows)
