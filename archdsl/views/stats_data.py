"""Networks as data, whole: JSON has their totals and nests their rows, CSV has a line for each row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from archdsl.views.analyses import Analyses
from archdsl.views.columns import COLUMNS, DEFAULT_COLUMNS, FIELD_NUMBERS, row_data, row_plain, shows_fields
from archdsl.views.field_figures import misaligned_data, seen_fields
from archdsl.views.forms.csv_form import csv_table
from archdsl.views.forms.json_form import json_text
from archdsl.views.totals import memory_data, network_figures
from archdsl.views.tree import TreeRow


def networks_json(
    networks: Iterable[tuple[str, Analyses]], columns: Sequence[str] = DEFAULT_COLUMNS, depth: int | None = None
) -> str:
    """A list with one object for each network, which goes by the spec that is named beside it.

    docs/analysis.md has the keys.
    """
    return json_text([{"spec": spec, **_network_data(stats, columns, depth)} for spec, stats in networks])


def _network_data(stats: Analyses, columns: Sequence[str], depth: int | None) -> dict[str, Any]:
    """Totals and rows, with memory and fields where a column shows them."""
    found: dict[str, Any] = {"network": stats.name, "settings": dict(stats.graph.settings)}
    found |= {figure.key: figure.data for figure in network_figures(stats, with_training=True)}
    if "memory" in columns:
        found["memory"] = memory_data(stats)
    if shows_fields(columns):
        found["misaligned"] = misaligned_data(stats)
        found["unknown_fields"] = [stats.graph.nodes[i].path for i in stats.receptive_fields.unknown]
    return {**found, "rows": _nested_rows(stats, columns, depth)}


def _nested_rows(stats: Analyses, columns: Sequence[str], depth: int | None) -> list[dict[str, Any]]:
    """The rows below the network's; built along the walk, so that deep networks need no deep stack."""
    found: dict[int, list[dict[str, Any]]] = {0: []}
    for level, row in stats.rows(depth):
        if level == 0:
            continue
        found[level] = []
        found[level - 1].append({**_row(stats, columns, row), "rows": found[level]})
    return found[0]


def _row(stats: Analyses, columns: Sequence[str], row: TreeRow) -> dict[str, Any]:
    found = row_data(stats, row)
    if "memory" in columns:
        found["memory"] = stats.kept(row)
    if shows_fields(columns):
        found["receptive_field"] = seen_fields(stats, stats.ends(row)).as_objects()
    return found


def networks_csv(
    networks: Iterable[tuple[str, Analyses]], columns: Sequence[str] = DEFAULT_COLUMNS, depth: int | None = None
) -> str:
    """One line for each row of each network, which goes by the spec that is named beside it; level 0 is the network.

    docs/analysis.md has the columns.
    """
    lines = [
        {"spec": spec, **_line(stats, columns, level, row)}
        for spec, stats in networks
        for level, row in stats.rows(depth)
    ]
    titles = list(dict.fromkeys(title for line in lines for title in line))
    return csv_table(titles, ([line.get(title, "") for title in titles] for line in lines))


def _line(stats: Analyses, columns: Sequence[str], level: int, row: TreeRow) -> dict[str, str]:
    found = {"level": str(level), "path": row.path, **row_plain(stats, row)}
    for name in columns:
        if name == "memory":
            found[name] = COLUMNS[name].figure(stats, [row]).plain
        elif name in FIELD_NUMBERS:
            found |= FIELD_NUMBERS[name].plain_by_input(name, seen_fields(stats, stats.ends(row)))
    return found
