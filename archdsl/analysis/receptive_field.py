"""Receptive fields: which pixels of its input an element of a network can depend on.

The theoretical receptive field, as Araujo, Norris and Sim 2019, "Computing Receptive Fields of Convolutional Neural
Networks" (Distill), define it: its size, how far it moves from one element to the next (stride, their "effective
stride"), and where it is centred. At the merge of branches it is what all of them see together (their section on
arbitrary computation graphs). Weights do not count: how much a pixel matters is another question (Luo et al. 2016,
arXiv:1701.04128).

A field is given for each axis of the image, from its first pixel to its last: a dilated or strided convolution may
leave pixels between them out. Padding moves a field's centre and not its size, which may be larger than the image;
``AxisField.seen`` is what lies within, to the pixel. All channels are taken together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from typing import Final, Literal

from archdsl.analysis.axis_places import Places, input_places, merged, step
from archdsl.base.source import Span
from archdsl.graph.model import Graph, Node, refused
from archdsl.ops.contract.base import OpError, Types
from archdsl.ops.facts.lines import SAME_LINE, Line
from archdsl.ops.facts.reading import SAME, AxisRule, PerAxis, in_place

Hulls = tuple[tuple[int, int], ...]
"""First and last pixel seen from each place along an axis; the first behind the last where none is."""


@dataclass(frozen=True, slots=True)
class AxisField:
    """The fields of a node's elements along one axis of an input: height, width or length. All in pixels.

    ``pixels`` is the size of the input along that axis. ``line`` describes the fields as if there were no edge; it is
    None where the image as a whole decides: behind a global pool, a linear layer on a flattened image or attention
    among all tokens, at the gate of squeeze and excitation, behind a resize by no ratio of small numbers, and at a
    merge of branches of different strides. ``hulls`` are the fields within the image.
    """

    pixels: int
    line: Line | None
    hulls: Hulls = field(repr=False)
    anchor: Fraction | None
    """The pixel on which the first place lies: the centres of all windows on the way to it, added up.

    That of its field, ``offset``, unless what the branches of a merge see reaches further to one side. Behind a merge
    of branches with different anchors it is that offset. None without a ``line``.
    """

    @property
    def places(self) -> int:
        """How many places the node has along this axis; 1 where it is the same everywhere."""
        return len(self.hulls)

    @property
    def size(self) -> int:
        """Pixels from the first to the last: of the largest field, where places differ.

        Edges do not count, so that it may exceed the image; without a ``line`` it is what is seen of the image.
        """
        return self.line.size if self.line else max([last - first + 1 for first, last in self.hulls])

    @property
    def stride(self) -> Fraction | None:
        """How far the field moves from one place to the next; below 1 behind upsampling. None without a ``line``."""
        return self.line.stride if self.line else None

    @property
    def offset(self) -> Fraction | None:
        """The centre of the first place's field, where pixel 0 is centred at 0; None without a ``line``.

        Behind upsampling and in windows, where the fields of neighbours come in turns, that of the straight line
        through the mean of the centres. The centre of place ``i`` is ``offset + i stride``.
        """
        return self.line.offset if self.line else None

    @property
    def is_whole(self) -> bool:
        """Whether each element sees from the first pixel to the last."""
        return all(hull == (0, self.pixels - 1) for hull in self.hulls)

    @property
    def is_clipped(self) -> bool:
        """Whether some field reaches beyond the image."""
        if self.line is None:
            return False
        bounds = [self.line.at(place) for place in range(self.places)]
        return any(first < 0 or last >= self.pixels for first, last in bounds)

    def seen(self, place: int) -> tuple[int, int] | None:
        """First and last pixel of the image that the elements at a place depend on; None where it is none.

        Exact at the edges as well. Raises IndexError where there is no such place.
        """
        first, last = self.hulls[place]
        return (first, last) if first <= last else None


@dataclass(frozen=True, slots=True)
class Field:
    """What a node sees of one input.

    ``input`` is the id of the input's node; ``axes`` are height and width, or the length. ``layout`` says which place
    each element of the node's tensor has along them.
    """

    input: int
    axes: tuple[AxisField, ...]
    layout: Places = field(repr=False)

    @property
    def is_bound(self) -> bool:
        """Whether this is an upper bound.

        So it is where an op regroups places in an order that the analysis does not follow, and is taken to read all.
        """
        return self.layout.is_bound

    def seen(self, *index: int) -> tuple[tuple[int, int], ...] | None:
        """First and last pixel along each axis that one element of the node's tensor depends on; None where it is none.

        ``index`` counts as the tensor's sizes do, without the batch. Exact at the edges as well. Raises IndexError
        where there is no such element.
        """
        places = self.layout.at(index)
        if places is None:
            return None
        found = [axis.seen(place) for axis, place in zip(self.axes, places, strict=True)]
        known = tuple([each for each in found if each is not None])
        return known if len(known) == len(found) else None


@dataclass(frozen=True, slots=True)
class Branch:
    """One operand of a merge: the id of its node, and the stride and the anchor of its places along an axis."""

    node: int
    stride: Fraction
    anchor: Fraction


@dataclass(frozen=True, slots=True)
class Misaligned:
    """A merge whose branches are centred on different pixels, so that it joins what lies beside one another.

    ``axis`` counts the axes of the input; branches that see the image as a whole are left out. ``path`` and ``span``
    are the merge's.
    """

    node: int
    path: str
    span: Span | None
    input: int
    axis: int
    branches: tuple[Branch, ...]


@dataclass(frozen=True, slots=True)
class ReceptiveFields:
    """A network's receptive fields.

    ``nodes`` holds for each node its field of each input that it depends on; a branch of a merge is the field of the
    operand's node. None where an op does not say what it reads, or an op before it; ``unknown`` are the ids of those
    ops' nodes. ``misaligned`` are in order of nodes.
    """

    nodes: tuple[tuple[Field, ...] | None, ...] = field(repr=False)
    misaligned: tuple[Misaligned, ...]
    unknown: tuple[int, ...]

    def of(self, node: int, input: int | None = None) -> Field | None:
        """The field of a node, by id, of the given input or the first that it depends on; None for none known."""
        return next((field for field in self.nodes[node] or () if input in (None, field.input)), None)


def receptive_fields(graph: Graph, *, statistics: bool = True) -> ReceptiveFields:
    """The receptive fields of all nodes in evaluation mode, in time linear in the nodes.

    Norms that compute their mean and variance from the image make each element depend on all of it (``gn``,
    ``instance_norm``, ``bn`` without running statistics); with ``statistics`` false these are taken for constants, as
    figures of papers do. Inputs without places (features, axes without names) are seen by no field.
    """
    passes = [_Pass(graph, node, statistics) for node in graph.inputs if input_places(node.type)]
    for each in passes:
        each.run()
    unknown = sorted({node for each in passes for node in each.unknown})
    misaligned = [found for each in passes for found in each.misaligned]
    return ReceptiveFields(
        nodes=tuple([_together([each.states[node.id] for each in passes]) for node in graph.nodes]),
        misaligned=tuple(sorted(misaligned, key=lambda found: (found.node, found.input, found.axis))),
        unknown=tuple(unknown),
    )


_UNKNOWN: Final = "unknown"
"""Stands for the field of a node, and for what its op does, where nobody knows it."""

_State = Field | Literal["unknown"] | None
"""What a node sees of one input; None where it sees nothing of it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Merge:
    """What an op makes of the places of its operands: new places, and the rules of each operand by its index."""

    places: Places
    rules: Mapping[int, tuple[AxisRule, ...]]


_Outcome = _Merge | Literal["unknown"] | None


def _together(states: Iterable[_State]) -> tuple[Field, ...] | None:
    found = [state for state in states if state is not None]
    fields = [state for state in found if isinstance(state, Field)]
    return tuple(fields) if len(fields) == len(found) else None


class _Pass:
    """What all nodes see of one input. Equal ops on equal places, and equal fields, are worked out once."""

    def __init__(self, graph: Graph, source: Node, statistics: bool) -> None:
        self._graph = graph
        self._source = source
        self._statistics = statistics
        self._places: dict[Places, Places] = {}
        self._merges: dict[tuple[object, ...], _Outcome] = {}
        self._axes = _Axes()
        self.states: list[_State] = []
        self.unknown: list[int] = []
        self.misaligned: list[Misaligned] = []

    def run(self) -> None:
        for node in self._graph.nodes:
            self.states.append(self._start() if node is self._source else self._state(node))

    def _start(self) -> Field:
        places = input_places(self._source.type)
        assert places is not None
        # axes of one size share their fields, so that what follows is worked out once for both
        fields = {n: AxisField(n, SAME_LINE, tuple([(i, i) for i in range(n)]), Fraction(0)) for n in places.sizes}
        return Field(self._source.id, tuple([fields[size] for size in places.sizes]), self._kept(places))

    def _state(self, node: Node) -> _State:
        states = {index: self.states[i] for index, i in enumerate(node.inputs)}
        if _UNKNOWN in states.values():
            return _UNKNOWN
        operands = {index: state for index, state in states.items() if isinstance(state, Field)}
        merge = self._merge(node, operands) if operands else None
        if merge == _UNKNOWN:
            self.unknown.append(node.id)
        return self._joined(node, merge, operands) if isinstance(merge, _Merge) else merge

    def _merge(self, node: Node, operands: Mapping[int, Field]) -> _Outcome:
        types = tuple([self._graph.nodes[i].type for i in node.inputs])
        key = (id(node.op), types, *[(index, id(field.layout)) for index, field in operands.items()])
        if key not in self._merges:
            places = {index: field.layout for index, field in operands.items()}
            self._merges[key] = self._new_merge(node, types, places)
        return self._merges[key]

    def _new_merge(self, node: Node, types: Types, operands: Mapping[int, Places]) -> _Outcome:
        try:
            reads = node.op.reads(types, node.type)
        except OpError as error:
            raise refused(error, node) from error
        if reads is None:
            return _UNKNOWN
        if isinstance(reads, PerAxis) and reads.statistics and not self._statistics:
            reads = in_place(len(node.type.sizes))
        steps = {index: step(reads, index, places, types[index], node.type) for index, places in operands.items()}
        found = {index: each for index, each in steps.items() if each is not None}
        if not found:
            return None
        places, rules = merged(found)
        return _Merge(self._kept(places), rules)

    def _joined(self, node: Node, merge: _Merge, operands: Mapping[int, Field]) -> Field:
        read = {index: field for index, field in operands.items() if index in merge.rules}
        axes = []
        for axis, places in enumerate(merge.places.sizes):
            branches = [(merge.rules[index][axis], field.axes[axis]) for index, field in read.items()]
            axes.append(self._axes.joined(branches, places))
            if len(branches) > 1:
                self._compare(node, axis, [node.inputs[index] for index in read], branches)
        first = next(iter(read.values()))
        if merge.places is first.layout and all(map(_is, axes, first.axes)):
            return first
        return Field(self._source.id, tuple(axes), merge.places)

    def _compare(self, node: Node, axis: int, operands: Sequence[int], branches: Sequence[_Branch]) -> None:
        """Notes a merge whose branches lie apart."""
        if all(branch == branches[0] for branch in branches):
            return
        ways = [self._axes.way(rule, field) for rule, field in branches]
        if len({(way[0].advance, len(way[0].first), way[1]) for way in ways if way is not None}) <= 1:
            return
        found = {node: Branch(node, way[0].stride, way[1]) for node, way in zip(operands, ways, strict=True) if way}
        if len({(branch.stride, branch.anchor) for branch in found.values()}) > 1:
            place = (node.id, node.path, node.span, self._source.id, axis)
            self.misaligned.append(Misaligned(*place, tuple(found.values())))

    def _kept(self, places: Places) -> Places:
        """The same places as one object, so that they are compared by identity."""
        return self._places.setdefault(places, places)


_Branch = tuple[AxisRule, AxisField]
_Way = tuple[Line, Fraction]
"""A line and its anchor."""


def _is(one: object, other: object) -> bool:
    return one is other


class _Axes:
    """Fields along one axis, made from those before; equal ones are one object."""

    def __init__(self) -> None:
        self._joined: dict[tuple[object, ...], AxisField] = {}
        self._ways: dict[tuple[AxisRule, int], _Way | None] = {}
        self._gathered: dict[tuple[object, ...], Hulls] = {}
        self._hulls: dict[Hulls, Hulls] = {}

    def joined(self, branches: Sequence[_Branch], places: int) -> AxisField:
        """What ``places`` places see that read these fields by these rules, together."""
        first = branches[0][1]
        if all(rule is SAME and field is first for rule, field in branches):
            return first
        key = (places, *[(rule, id(field)) for rule, field in branches])
        found = self._joined.get(key)
        if found is None:
            way = reduce(_join, [self.way(rule, field) for rule, field in branches])
            hulls = [self._gather(rule, field, places) for rule, field in branches]
            hull = hulls[0] if len(hulls) == 1 else self._union(hulls)
            line, anchor = way or (None, None)
            found = self._joined[key] = AxisField(first.pixels, line, hull, anchor)
        return found

    def way(self, rule: AxisRule, field: AxisField) -> _Way | None:
        """The line of places that read this field by this rule, and their anchor."""
        if field.line is None or field.anchor is None:
            return None
        if rule is SAME:
            return field.line, field.anchor
        key = (rule, field.places)
        if key not in self._ways:
            line = rule.line(field.places)
            self._ways[key] = (line, line.offset) if line is not None else None
        outer = self._ways[key]
        line = field.line.below(outer[0]) if outer is not None else None
        if outer is None or line is None:
            return None
        return line, field.anchor + field.line.stride * outer[1] if outer[1] else field.anchor

    def _gather(self, rule: AxisRule, field: AxisField, places: int) -> Hulls:
        if rule is SAME:
            return field.hulls
        key = (rule, id(field.hulls), places)
        found = self._gathered.get(key)
        if found is None:
            read = [rule.positions(place, field.places) for place in range(places)]
            found = self._gathered[key] = self._kept(tuple([_hull(positions, field) for positions in read]))
        return found

    def _union(self, hulls: Sequence[Hulls]) -> Hulls:
        if all(each is hulls[0] for each in hulls):
            return hulls[0]
        key = tuple(map(id, hulls))
        found = self._gathered.get(key)
        if found is None:
            columns = zip(*hulls, strict=True)
            union = tuple([(min([one for one, _ in column]), max([one for _, one in column])) for column in columns])
            found = self._gathered[key] = self._kept(union)
        return found

    def _kept(self, hulls: Hulls) -> Hulls:
        return self._hulls.setdefault(hulls, hulls)


def _join(one: _Way | None, other: _Way | None) -> _Way | None:
    line = one[0].joined(other[0]) if one is not None and other is not None else None
    if line is None or one is None or other is None:
        return None
    return line, one[1] if one[1] == other[1] else line.offset


def _hull(positions: Iterable[int], field: AxisField) -> tuple[int, int]:
    """From the first to the last pixel that some of these places see."""
    seen = [field.hulls[position] for position in positions]
    if not seen:
        return field.pixels, -1
    return min([first for first, _ in seen]), max([last for _, last in seen])
