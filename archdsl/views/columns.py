"""The columns of figures that can be chosen: what each says of a row, or of several equal rows in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Generic

from archdsl.base.wording import did_you_mean
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError
from archdsl.ops.contract.shapes import TensorType
from archdsl.views.analyses import Analyses
from archdsl.views.field_figures import OFFSET, SIZE, STRIDE, FieldNumber, SeenFields, seen_fields
from archdsl.views.figures import BYTES, COUNT, SHAPE, TEXT, Figure, Unit, Value, summed
from archdsl.views.tree import TreeRow

Rows = Sequence[TreeRow]


@dataclass(frozen=True, slots=True)
class FigureColumn(Generic[Value]):
    """``name`` is how it is chosen, ``key`` its name in data; ``value`` is what its unit shows of rows in one line.

    Beside a column that ``has_share`` stand the shares of the network's amount.
    """

    name: str
    key: str
    title: str
    says: str
    unit: Unit[Value]
    value: Callable[[Analyses, Rows], Value]
    has_share: bool = False

    @property
    def is_right(self) -> bool:
        """Whether its cells align on the right, as all but texts do."""
        return self.unit is not TEXT

    def figure(self, stats: Analyses, rows: Rows) -> Figure[Value]:
        """What it says of rows."""
        return Figure(self.key, self.title, self.unit, self.value(stats, rows))

    def cell(self, stats: Analyses, rows: Rows) -> str:
        """What a table shows of rows in one line."""
        return self.unit.cell(self.value(stats, rows))


def _amount(
    name: str,
    key: str,
    title: str,
    says: str,
    amount: Callable[[Analyses, TreeRow], int | None],
    unit: Unit[int | None] = COUNT,
    has_share: bool = False,
) -> FigureColumn[int | None]:
    """A column of what adds up, by the amount of one row."""

    def value(stats: Analyses, rows: Rows) -> int | None:
        return amount(stats, rows[0]) if len(rows) == 1 else summed([amount(stats, row) for row in rows])

    return FigureColumn(name, key, title, says, unit, value, has_share)


def _parameters(_: Analyses, row: TreeRow) -> int:
    return row.parameters


def _buffers(_: Analyses, row: TreeRow) -> int:
    return row.buffers


def _macs(_: Analyses, row: TreeRow) -> int:
    return row.macs


def _flops(_: Analyses, row: TreeRow) -> int:
    return row.flops


def _shape(stats: Analyses, rows: Rows) -> Sequence[TensorType]:
    """Of all that leaves the first row."""
    ends = stats.ends(rows[0])
    return [stats.graph.nodes[node].type for node in ends] if len(ends) > 1 else [rows[0].output]


def _fields(stats: Analyses, rows: Rows) -> SeenFields:
    """Of what leaves the last row."""
    return seen_fields(stats, stats.ends(rows[-1]))


COLUMNS: dict[str, FigureColumn[Any]] = {
    column.name: column
    for column in (
        FigureColumn("kind", "kind", "kind", "the op, block or kind of section", TEXT, lambda _, rows: rows[0].kind),
        FigureColumn("shape", "output", "output", "sizes of the output, without the batch", SHAPE, _shape),
        _amount("params", "parameters", "parameters", "trainable elements", _parameters, has_share=True),
        _amount("buffers", "buffers", "buffers", "elements of the rest of the state_dict", _buffers),
        _amount("macs", "macs", "MACs", "multiply-accumulates for one example", _macs, has_share=True),
        _amount("flops", "flops", "FLOPs", "2 x MACs", _flops),
        _amount("memory", "memory", "kept", "bytes kept for the backward pass", Analyses.kept, BYTES, has_share=True),
        FigureColumn("rf", SIZE.key, "field", "size of the receptive field in pixels", SIZE.unit, _fields),
        FigureColumn("stride", STRIDE.key, "stride", "pixels from one place's field to the next", STRIDE.unit, _fields),
        FigureColumn("offset", OFFSET.key, "offset", "centre of the first place's field", OFFSET.unit, _fields),
        FigureColumn("path", "path", "path", "where it stands in the state_dict", TEXT, lambda _, rows: rows[0].path),
    )
}  # fmt: skip
"""What ``--columns`` may name, in the order in which help lists them."""

FIELD_NUMBERS: dict[str, FieldNumber] = {"rf": SIZE, "stride": STRIDE, "offset": OFFSET}
"""What the columns of receptive fields show of them."""

DEFAULT_COLUMNS = ("kind", "shape", "params", "macs")
"""What a tree shows unless asked for other columns."""

COMPARED_COLUMNS = ("params", "macs")
"""What a comparison shows of sections unless asked for others."""

_ROW_DATA = [COLUMNS[name] for name in ("kind", "path", "shape", "params", "buffers", "macs", "flops")]


def row_data(stats: Analyses, row: TreeRow) -> dict[str, Any]:
    """What data says of every row, by key."""
    rows = [row]
    found = {column.key: column.unit.data(column.value(stats, rows)) for column in _ROW_DATA}
    return {"name": row.name, **found}


def row_plain(stats: Analyses, row: TreeRow) -> dict[str, str]:
    """The same in CSV."""
    rows = [row]
    found = {column.key: column.unit.plain(column.value(stats, rows)) for column in _ROW_DATA}
    return {"name": row.name, **found}


def shows_fields(names: Iterable[str]) -> bool:
    """Whether one of these columns shows receptive fields."""
    return any(name in FIELD_NUMBERS for name in names)


def column_names(names: str | Sequence[str]) -> list[str]:
    """Names of columns, which a text has between commas."""
    return [name.strip() for name in names.split(",") if name.strip()] if isinstance(names, str) else list(names)


def chosen_columns(names: Sequence[str]) -> list[FigureColumn[Any]]:
    """The columns of these names. Raises ArchError E804 for one that there is not."""
    unknown = [name for name in names if name not in COLUMNS]
    if unknown or not names:
        what = f"there is no column `{unknown[0]}`" if unknown else "no column is named"
        near = _meant(unknown[0]) if unknown else None
        raise ArchError(Diagnostic("E804", what, help=(did_you_mean(near), f"the columns are {', '.join(COLUMNS)}")))
    return [COLUMNS[name] for name in dict.fromkeys(names)]


def _meant(name: str) -> str | None:
    """The column whose name or title is nearest."""
    named = {column.title.lower(): column.name for column in COLUMNS.values()} | {name: name for name in COLUMNS}
    return next((named[near] for near in get_close_matches(name.lower(), named, 1)), None)
