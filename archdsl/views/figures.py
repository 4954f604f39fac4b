"""What a network costs, as typed figures: each with its names, its unit, its value, and how that is shown.

Tables, totals, comparisons and data draw from here; no other place writes out a count or a size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar, cast

from archdsl.boundary.units import format_bytes
from archdsl.ops.contract.shapes import TensorType

Value = TypeVar("Value")


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Unit(Generic[Value]):
    """How the values of one kind are shown: briefly in a table's cell, in full among totals, as data, in CSV.

    ``is_amount`` says that values are whole numbers, or None where that is not known, which add up and compare.
    """

    name: str
    cell: Callable[[Value], str] = str
    full: Callable[[Value], str] = str
    data: Callable[[Value], Any] = _same
    plain: Callable[[Value], str] = str
    is_amount: bool = False


def _count_cell(value: int | None) -> str:
    return f"{value:,}" if value else "" if value == 0 else "?"


def _bytes_cell(value: int | None) -> str:
    return format_bytes(value) if value else "" if value == 0 else "?"


def _count_full(value: int | None) -> str:
    return "not known" if value is None else f"{value:,}"


def _bytes_full(value: int | None) -> str:
    return "not known" if value is None else f"{format_bytes(value)} ({value:,} bytes)"


def _amount_plain(value: int | None) -> str:
    return "" if value is None else str(value)


def _shape_cell(types: Sequence[TensorType]) -> str:
    return ", ".join([str(type_) for type_ in types])


def _shape_data(types: Sequence[TensorType]) -> list[int]:
    return list(types[0].sizes) if len(types) == 1 else []


def _named_shapes(types: Mapping[str, TensorType]) -> str:
    """The one shape, or several with their names."""
    texts = {name: str(type_) for name, type_ in types.items()}
    return ", ".join([f"{name}: {text}" for name, text in texts.items()]) if len(texts) > 1 else "".join(texts.values())


def _named_sizes(types: Mapping[str, TensorType]) -> dict[str, tuple[int, ...]]:
    return {name: type_.sizes for name, type_ in types.items()}


TEXT: Unit[str] = Unit("text")
COUNT: Unit[int | None] = Unit("count", _count_cell, _count_full, plain=_amount_plain, is_amount=True)
BYTES: Unit[int | None] = Unit("bytes", _bytes_cell, _bytes_full, plain=_amount_plain, is_amount=True)
SHAPE: Unit[Sequence[TensorType]] = Unit("shape", _shape_cell, _shape_cell, _shape_data, _shape_cell)
"""Of what leaves a part: one type, or several; data has the sizes of one."""
SHAPES: Unit[Mapping[str, TensorType]] = Unit("shapes", _named_shapes, _named_shapes, _named_sizes, _named_shapes)
"""Of the network's inputs or outputs, by name."""


class Figure(NamedTuple, Generic[Value]):
    """One thing that is said of a network or of a part of it.

    ``key`` is its name in data, ``title`` what people read; ``note`` stands behind a total's value.
    """

    key: str
    title: str
    unit: Unit[Value]
    value: Value
    note: str = ""

    @property
    def number(self) -> int | None:
        """The number that is added up and compared; None where there is none or it is not known."""
        return cast("int | None", self.value) if self.unit.is_amount else None

    @property
    def cell(self) -> str:
        """How a table shows it: nothing for nothing, ``?`` for what is not known."""
        return self.unit.cell(self.value)

    @property
    def full(self) -> str:
        """The value written out."""
        return self.unit.full(self.value)

    @property
    def data(self) -> Any:
        """The value in JSON, and for Python."""
        return self.unit.data(self.value)

    @property
    def plain(self) -> str:
        """The value in CSV."""
        return self.unit.plain(self.value)

    @property
    def line(self) -> tuple[str, str]:
        """Title and value as totals have them."""
        return self.title, f"{self.full}, {self.note}" if self.note else self.full


def summed(amounts: Sequence[int | None]) -> int | None:
    """The sum; None where one of them is not known."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None


def share_text(part: int | None, whole: int | None) -> str:
    """``12.3%``."""
    return f"{100 * part / whole:.1f}%" if part is not None and whole else ""


def difference(first: int | None, other: int | None) -> float | None:
    """By what fraction of the first the other is more; None where there is nothing to compare."""
    return (other - first) / first if first and other is not None else None


def difference_text(first: int | None, other: int | None) -> str:
    """``+12.3%``; ``x 14.2`` where it is eleven times as much or more; ``-100.0%`` only where nothing is left."""
    change = difference(first, other)
    if not first or other is None or not change:
        return ""
    percent = 100 * (other - first) / first
    percent = max(percent, -99.9) if other else percent
    return f"x {other / first:.1f}" if percent >= 1000 else f"{percent:+.1f}%"
