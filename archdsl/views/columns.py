"""The columns of a report: what each shows of a row, or of several equal rows in one line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from typing import TYPE_CHECKING

from archdsl.boundary.units import format_bytes
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError
from archdsl.views.stats import Stats
from archdsl.views.tree import Row

if TYPE_CHECKING:
    from archdsl.analysis.receptive_field import AxisField, Field

Rows = Sequence[Row]


@dataclass(frozen=True, slots=True)
class ReportColumn:
    """``cell`` is the text for rows in one line; ``amount`` the number behind it, of which totals have shares."""

    name: str
    title: str
    says: str
    cell: Callable[[Stats, Rows], str]
    amount: Callable[[Stats, Row], int | None] | None = None
    right: bool = True


def _count(name: str, title: str, says: str, amount: Callable[[Stats, Row], int | None]) -> ReportColumn:
    def cell(stats: Stats, rows: Rows) -> str:
        total = total_of(amount, stats, rows)
        return "?" if total is None else f"{total:,}" if total else ""

    return ReportColumn(name, title, says, cell, amount)


def total_of(amount: Callable[[Stats, Row], int | None], stats: Stats, rows: Rows) -> int | None:
    """The sum over rows; None where one is not known."""
    found = [amount(stats, row) for row in rows]
    known = [value for value in found if value is not None]
    return sum(known) if len(known) == len(found) else None


def _kept(stats: Stats, rows: Rows) -> str:
    total = total_of(Stats.kept, stats, rows)
    return "?" if total is None else format_bytes(total) if total else ""


def _axes(part: Callable[[AxisField], str]) -> Callable[[Stats, Rows], str]:
    """A text for the fields of what leaves the last row; ``;`` between those of several outputs where they differ."""

    def cell(stats: Stats, rows: Rows) -> str:
        texts = [_fields(stats, node, part) for node in stats.ends(rows[-1])]
        return texts[0] if len(set(texts)) == 1 else "; ".join([text or "-" for text in texts])

    return cell


def _fields(stats: Stats, node: int, part: Callable[[AxisField], str]) -> str:
    """``11``, ``1x7`` where axes differ, ``left: 3, right: 13`` if inputs are several, ``?`` where it is not known."""
    fields = stats.receptive_fields.nodes[node]
    if fields is None:
        return "?"
    texts = {stats.graph.nodes[field.input].path: axes_text(field, part) for field in fields}
    if len(stats.seen_inputs) > 1:
        return ", ".join([f"{name}: {text}" for name, text in texts.items() if text])
    return "".join(texts.values())


def axes_text(field: Field, part: Callable[[AxisField], str]) -> str:
    """One text for all axes where they agree, else one for each: ``11``, ``1x7``."""
    texts = [part(axis) for axis in field.axes]
    return texts[0] if len(set(texts)) == 1 else "x".join(texts)


def _size(axis: AxisField) -> str:
    return "all" if axis.is_whole and axis.stride is None else f"{axis.size:,}"


def fraction_text(value: Fraction | None) -> str:
    return "" if value is None else str(value) if value.denominator > 8 else f"{float(value):g}"


def _stride(axis: AxisField) -> str:
    return fraction_text(axis.stride)


def _offset(axis: AxisField) -> str:
    return fraction_text(axis.offset)


def _kind(stats: Stats, rows: Rows) -> str:
    return rows[0].kind


def _shape(stats: Stats, rows: Rows) -> str:
    ends = stats.ends(rows[0])
    return ", ".join([str(stats.graph.nodes[node].type) for node in ends]) if len(ends) > 1 else str(rows[0].output)


COLUMNS: dict[str, ReportColumn] = {
    column.name: column
    for column in (
        ReportColumn("kind", "kind", "the op, block or kind of section", _kind, right=False),
        ReportColumn("shape", "output", "sizes of the output, without the batch", _shape),
        _count("params", "parameters", "trainable elements", lambda _, row: row.parameters),
        _count("buffers", "buffers", "elements of the rest of the state_dict", lambda _, row: row.buffers),
        _count("macs", "MACs", "multiply-accumulates for one example", lambda _, row: row.macs),
        _count("flops", "FLOPs", "2 x MACs", lambda _, row: row.flops),
        ReportColumn("memory", "kept", "bytes that training keeps for the backward pass", _kept, Stats.kept),
        ReportColumn("rf", "field", "size of the receptive field in pixels", _axes(_size)),
        ReportColumn("stride", "stride", "pixels from one place's field to the next", _axes(_stride)),
        ReportColumn("offset", "offset", "centre of the first place's field", _axes(_offset)),
        ReportColumn("path", "path", "where it stands in the state_dict", lambda _, rows: rows[0].path, right=False),
    )
}  # fmt: skip
"""What ``--columns`` may name, in the order in which help lists them."""

DEFAULT_COLUMNS = ("kind", "shape", "params", "macs")


def chosen_columns(names: Sequence[str]) -> list[ReportColumn]:
    """The columns of these names. Raises ArchError E804 for one that there is not."""
    unknown = [name for name in names if name not in COLUMNS]
    if unknown or not names:
        what = f"there is no column `{unknown[0]}`" if unknown else "no column is named"
        near = _meant(unknown[0]) if unknown else None
        offered = f"did you mean `{near}`?" if near else ""
        raise ArchError(Diagnostic("E804", what, help=(offered, f"the columns are {', '.join(COLUMNS)}")))
    return [COLUMNS[name] for name in dict.fromkeys(names)]


def _meant(name: str) -> str | None:
    """The column whose name or title is nearest."""
    named = {column.title.lower(): column.name for column in COLUMNS.values()} | {name: name for name in COLUMNS}
    return next((named[near] for near in get_close_matches(name.lower(), named, 1)), None)
