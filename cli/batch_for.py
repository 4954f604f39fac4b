"""``archdsl stats --batch-for``: the largest batch that fits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError

from .output import Form, drawn, say

if TYPE_CHECKING:
    from archdsl.views.stats import Stats


@dataclass(frozen=True, slots=True)
class _Found:
    """A network's largest batch; None where there is none, for the reasons in ``faults``."""

    spec: str
    stats: Stats
    batch: int | None
    faults: Sequence[Diagnostic] = ()


def show_largest_batches(analysed: Iterable[tuple[str, Stats]], budget: str, form: Form) -> None:
    """Prints the largest batch of each network whose training fits within the budget.

    Raises ArchError afterwards, with the networks of which not even one example fits.
    """
    from archdsl.boundary.units import bytes_of

    size = bytes_of(budget)
    found = [_largest(spec, stats, size) for spec, stats in analysed]
    if form is not Form.TEXT or any(one.batch for one in found):
        say(_fitting_batches(found, budget, size, form))
    named = [replace(fault, message=f"{one.spec}: {fault.message}") for one in found for fault in one.faults]
    if named:
        raise ArchError(named if len(found) > 1 else found[0].faults)


def _largest(spec: str, stats: Stats, size: int) -> _Found:
    from archdsl.analysis.memory import largest_batch

    try:
        batch = largest_batch(stats.graph, size, dtype=stats.dtype, optimizer=stats.optimizer, device=stats.device)
    except ArchError as error:
        return _Found(spec, stats, None, error.diagnostics)
    return _Found(spec, stats, batch)


def _fitting_batches(found: Sequence[_Found], budget: str, size: int, form: Form) -> str:
    if form is Form.TEXT:
        return "".join(f"{one.spec}: batch {one.batch:,} fits in {budget}\n" for one in found if one.batch)
    rows = [_data(one, size) for one in found]
    if form is Form.JSON:
        from archdsl.views.forms.json_form import json_text

        return json_text(rows)
    titles, cells = list(rows[0]), [["" if value is None else str(value) for value in row.values()] for row in rows]
    if form is Form.CSV:
        from archdsl.views.forms.csv_form import csv_table

        return csv_table(titles, cells)
    from archdsl.views.forms.tables import Table, TableColumn

    return drawn(form, Table([TableColumn(title, right=title in ("batch", "bytes")) for title in titles], cells))


def _data(one: _Found, size: int) -> dict[str, Any]:
    settings = {"dtype": one.stats.dtype, "optimizer": one.stats.optimizer, "device": one.stats.device}
    return {"spec": one.spec, "network": one.stats.name, "bytes": size, **settings, "batch": one.batch}
