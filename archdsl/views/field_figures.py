"""Receptive fields as figures: what a part sees of each input, and merges whose branches are centred apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from archdsl.views.figures import Unit

if TYPE_CHECKING:
    from archdsl.analysis.receptive_field import AxisField, Branch, Misaligned
    from archdsl.views.analyses import Analyses

Axes = tuple["AxisField", ...]


@dataclass(frozen=True, slots=True)
class SeenFields:
    """What the tensors that leave a part see of each input: for each tensor the axes by input, None where not known.

    ``inputs`` are those that fields of this network are of, by name.
    """

    ends: Sequence[Mapping[str, Axes] | None]
    inputs: Sequence[str]

    def of(self, source: str) -> Axes:
        """The axes of one input; none where it is not seen, where that is not known or where several tensors leave."""
        end = self.ends[0] if len(self.ends) == 1 else None
        return end.get(source, ()) if end else ()

    def suffix(self, source: str) -> str:
        """What tells one input's figures from another's where there are several."""
        return f":{source}" if len(self.inputs) > 1 else ""

    def as_objects(self) -> list[dict[str, Any]] | None:
        """An object for each input and axis; None where nothing is known."""
        end = self.ends[0] if self.ends else None
        return None if end is None else [_axis_data(source, axis) for source, axes in end.items() for axis in axes]


def seen_fields(stats: Analyses, ends: Sequence[int]) -> SeenFields:
    """The fields of nodes that leave a part."""
    nodes, of_nodes = stats.graph.nodes, stats.receptive_fields.nodes
    found: list[dict[str, Axes] | None] = []
    for end in ends:
        fields = of_nodes[end]
        found.append(None if fields is None else {nodes[field.input].path: field.axes for field in fields})
    return SeenFields(found, [node.path for node in stats.seen_inputs])


# ---- size, stride, offset ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FieldNumber:
    """One number of a field along an axis, in pixels: as people read it, as data, in CSV; ``key`` is its name there."""

    key: str
    shown: Callable[[AxisField], str]
    data: Callable[[AxisField], float | None]
    plain: Callable[[AxisField], str]

    @property
    def unit(self) -> Unit[SeenFields]:
        """The unit of a column that shows this number of ``SeenFields``."""
        return Unit("pixels", self._cell, self._cell)

    def _cell(self, fields: SeenFields) -> str:
        """``11``; ``;`` between the fields of several tensors where they differ."""
        texts = [self._end_text(end, fields.inputs) for end in fields.ends]
        return texts[0] if len(set(texts)) == 1 else "; ".join([text or "-" for text in texts])

    def _end_text(self, end: Mapping[str, Axes] | None, inputs: Sequence[str]) -> str:
        """``11``, ``1x7`` where axes differ, ``left: 3, right: 13`` if inputs are several, ``?`` for not known."""
        if end is None:
            return "?"
        texts = {name: _axes_text(axes, self.shown) for name, axes in end.items()}
        if len(inputs) > 1:
            return ", ".join([f"{name}: {text}" for name, text in texts.items() if text])
        return "".join(texts.values())

    def plain_by_input(self, name: str, fields: SeenFields) -> dict[str, str]:
        """In CSV, as ``rf``, or ``rf:left`` and ``rf:right`` where inputs are several; ``1x7`` where axes differ."""
        return {name + fields.suffix(source): _axes_text(fields.of(source), self.plain) for source in fields.inputs}


def fields_data(fields: SeenFields) -> dict[str, list[float | None]]:
    """A number for each axis, by key; ``stride:left`` and ``stride:right`` where inputs are several."""
    return {
        number.key + fields.suffix(source): [number.data(axis) for axis in fields.of(source)]
        for source in fields.inputs or [""]
        for number in (SIZE, STRIDE, OFFSET)
    }


def _axes_text(axes: Axes, text: Callable[[AxisField], str]) -> str:
    """One text for all axes where they agree, else one for each: ``11``, ``1x7``."""
    texts = [text(axis) for axis in axes]
    return texts[0] if len(set(texts)) == 1 else "x".join(texts)


def fraction_text(value: Fraction | None) -> str:
    """``0.5``; as a fraction where the denominator is not small."""
    return "" if value is None else str(value) if value.denominator > 8 else f"{float(value):g}"


def _fraction_data(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


def _axis_data(source: str, axis: AxisField) -> dict[str, Any]:
    numbers = {"size": SIZE.data(axis), "stride": STRIDE.data(axis), "offset": OFFSET.data(axis)}
    return {"input": source, **numbers, "whole": axis.is_whole}


SIZE = FieldNumber(
    "receptive_field",
    lambda axis: "all" if axis.is_whole and axis.stride is None else f"{axis.size:,}",
    lambda axis: axis.size,
    lambda axis: str(axis.size),
)
STRIDE = FieldNumber(
    "stride",
    lambda axis: fraction_text(axis.stride),
    lambda axis: _fraction_data(axis.stride),
    lambda axis: fraction_text(axis.stride),
)
OFFSET = FieldNumber(
    "offset",
    lambda axis: fraction_text(axis.offset),
    lambda axis: _fraction_data(axis.offset),
    lambda axis: fraction_text(axis.offset),
)


# ---- misaligned ----------------------------------------------------------------------------------


def misaligned_texts(stats: Analyses) -> list[str]:
    """One text for each merge whose branches are centred on different pixels, and the axes where they are."""
    merges: dict[tuple[int, int, tuple[Branch, ...]], list[Misaligned]] = {}
    for found in stats.receptive_fields.misaligned:
        merges.setdefault((found.node, found.input, found.branches), []).append(found)
    return [_misaligned_text(stats, found) for found in merges.values()]


def _misaligned_text(stats: Analyses, found: Sequence[Misaligned]) -> str:
    """``add1: conv1 at 0, conv2 at 0.5 (net.arch:3:5)``."""
    first = found[0]
    field = stats.receptive_fields.of(first.node, first.input)
    is_everywhere = field is not None and len(found) == len(field.axes)
    axes = "" if is_everywhere else ", axis " + " and ".join([str(each.axis) for each in found])
    source = f", of {stats.graph.nodes[first.input].path}" if len(stats.seen_inputs) > 1 else ""
    branches = ", ".join([_branch_text(stats, first, branch) for branch in first.branches])
    return f"{first.path}{axes}{source}: {branches}" + (f" ({first.span.place})" if first.span else "")


def _branch_text(stats: Analyses, found: Misaligned, branch: Branch) -> str:
    """Where a branch lies; where its field is centred as well, if a merge above made that reach further to one side."""
    text = f"{stats.graph.nodes[branch.node].path} at {fraction_text(branch.anchor)}"
    field = stats.receptive_fields.of(branch.node, found.input)
    offset = field.axes[found.axis].offset if field is not None else None
    return text if offset in (None, branch.anchor) else f"{text} (its field at {fraction_text(offset)})"


def misaligned_data(stats: Analyses) -> list[dict[str, Any]]:
    """An object for each such merge and axis, with the pixel of each branch by its path."""
    nodes = stats.graph.nodes
    return [
        {
            "path": found.path,
            "input": nodes[found.input].path,
            "axis": found.axis,
            "branches": {nodes[branch.node].path: float(branch.anchor) for branch in found.branches},
        }
        for found in stats.receptive_fields.misaligned
    ]
