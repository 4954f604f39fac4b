"""Which input elements each output element of an op is computed from, as data: the step of the receptive field.

An op says it with ``Op.reads``, one rule for each axis of the tensor; ``archdsl.analysis.receptive_field`` follows
the rules through a network. Channels are taken together: where an op moves channels, all are taken to be read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import floor, gcd
from struct import pack, unpack
from typing import Literal, TypeVar

from typing_extensions import override

from archdsl.ops.facts.lines import LONGEST_PERIOD, NOTHING, SAME_LINE, Line, shortest_line

Border = Literal["constant", "reflect", "replicate", "circular"]
"""What stands beyond the edge of an axis: numbers that depend on no input, or elements of the axis again."""

_LARGEST_DENOMINATOR = 64
_ROUNDING = 1e-9
"""Weights that would be 0 but for rounding belong to places this near to a position."""

Real = TypeVar("Real", float, Fraction)


class AxisRule(ABC):
    """Which positions along one axis of the input an output's position is computed from."""

    __slots__ = ()

    @abstractmethod
    def positions(self, position: int, size: int) -> Iterable[int]:
        """The positions on an axis of ``size`` elements; none where only a border is read."""

    @abstractmethod
    def line(self, size: int) -> Line | None:
        """The same on an endless axis; None where the axis as a whole decides."""


@dataclass(frozen=True, slots=True)
class Same(AxisRule):
    """The position itself."""

    @override
    def positions(self, position: int, size: int) -> Iterable[int]:
        return (position,)

    @override
    def line(self, size: int) -> Line | None:
        return SAME_LINE


@dataclass(frozen=True, slots=True)
class All(AxisRule):
    """All positions."""

    @override
    def positions(self, position: int, size: int) -> Iterable[int]:
        return range(size)

    @override
    def line(self, size: int) -> Line | None:
        return None


@dataclass(frozen=True, slots=True)
class Some(All):
    """Some positions, which ones the rule does not say: for channels, which are taken together."""


SAME, ALL, SOME = Same(), All(), Some()


@dataclass(frozen=True, slots=True)
class Window(AxisRule):
    """``kernel`` positions, ``dilation`` apart, of a window that moves by ``stride`` from ``before`` before the axis.

    A negative ``before`` begins within the axis.
    """

    kernel: int
    stride: int = 1
    before: int = 0
    dilation: int = 1
    border: Border = "constant"

    @override
    def positions(self, position: int, size: int) -> Iterable[int]:
        start = position * self.stride - self.before
        stop = start + self.dilation * (self.kernel - 1) + 1
        taps = range(start, stop, self.dilation)
        if start >= 0 and stop <= size:
            return taps
        if self.border == "constant":
            return [tap for tap in taps if 0 <= tap < size]
        return [_within(tap, size, self.border) for tap in taps]

    @override
    def line(self, size: int) -> Line | None:
        return Line((-self.before,), (self.dilation * (self.kernel - 1) - self.before,), self.stride)


def _within(position: int, size: int, border: Border) -> int:
    """The element that a border repeats at a position beyond the axis."""
    if border == "circular":
        return position % size
    if border == "replicate":
        return min(max(position, 0), size - 1)
    reflected = -position if position < 0 else position
    return 2 * (size - 1) - reflected if reflected >= size else reflected


@dataclass(frozen=True, slots=True)
class TransposedWindow(AxisRule):
    """The positions whose window, as ``Window`` moves it along the output, covers the output's position."""

    kernel: int
    stride: int = 1
    before: int = 0
    dilation: int = 1

    @override
    def positions(self, position: int, size: int) -> Iterable[int]:
        return [place for place in self._places(position) if 0 <= place < size]

    def _places(self, position: int) -> list[int]:
        taps = [position + self.before - tap * self.dilation for tap in range(self.kernel)]
        return [tap // self.stride for tap in taps if tap % self.stride == 0]

    @override
    def line(self, size: int) -> Line | None:
        places = [self._places(i) for i in range(self.stride)]
        return shortest_line([(min(found), max(found)) if found else NOTHING for found in places], 1)


@dataclass(frozen=True, slots=True)
class Bins(AxisRule):
    """The ``position``-th of ``bins`` parts that cover the axis, as torch's adaptive pools divide it."""

    bins: int

    @override
    def positions(self, position: int, size: int) -> Iterable[int]:
        return range(position * size // self.bins, -(-(position + 1) * size // self.bins))

    @override
    def line(self, size: int) -> Line | None:
        if self.bins == 1:
            return None
        period = self.bins // gcd(self.bins, size)
        parts = [self.positions(i, size) for i in range(period)]
        return shortest_line([(min(part), max(part)) for part in parts], size * period // self.bins)


@dataclass(frozen=True, slots=True)
class Tiles(AxisRule):
    """The tile that holds the position; tiles of ``size`` positions lie side by side from ``shift`` on."""

    tile: int
    shift: int = 0

    @override
    def positions(self, position: int, size: int) -> Iterable[int]:
        start = self._start(position)
        return range(max(start, 0), min(start + self.tile, size))

    def _start(self, position: int) -> int:
        return (position - self.shift) // self.tile * self.tile + self.shift

    @override
    def line(self, size: int) -> Line | None:
        starts = [self._start(i) for i in range(self.tile)]
        return shortest_line([(start, start + self.tile - 1) for start in starts], self.tile)


@dataclass(frozen=True, slots=True)
class Lattice(AxisRule):
    """All positions that differ from the position by a multiple of ``step``, in the same run of ``count`` steps."""

    count: int
    step: int

    @override
    def positions(self, position: int, size: int) -> Iterable[int]:
        run = self.count * self.step
        start = position // run * run + position % self.step
        return range(start, start + run, self.step)

    @override
    def line(self, size: int) -> Line | None:
        run = self.count * self.step
        if run >= size:
            return None
        starts = [i % self.step for i in range(run)]
        return shortest_line([(start, start + run - self.step) for start in starts], run)


@dataclass(frozen=True, slots=True)
class FoldedLattice(AxisRule):
    """As ``Lattice``, where each lattice has become a single position."""

    count: int
    step: int

    @override
    def positions(self, position: int, size: int) -> Iterable[int]:
        run = self.count * self.step
        start = position // self.step * run + position % self.step
        return range(start, start + run, self.step)

    @override
    def line(self, size: int) -> Line | None:
        run = self.count * self.step
        if run >= size:
            return None
        starts = range(self.step)
        return shortest_line([(start, start + run - self.step) for start in starts], run)


@dataclass(frozen=True, slots=True)
class Resampled(AxisRule):
    """The positions that torch interpolates between, with the weights of ``mode`` that are not 0.

    ``factor`` is what the axis is enlarged by, None where the sizes alone say it.
    """

    factor: float | None
    output_size: int
    mode: Literal["nearest", "nearest-exact", "bilinear", "bicubic"]
    align_corners: bool

    @override
    def positions(self, position: int, size: int) -> Iterable[int]:
        if self.mode.startswith("nearest"):
            # torch computes these in single precision, and rounding decides at which side of an edge a place lies
            place = _single(self._place(position, _single(self._step(size))))
        else:
            place = self._place(position, self._step(size))
        if self.mode == "bilinear":
            place = max(place, 0.0)
        return {min(max(tap, 0), size - 1) for tap in self._taps(place)}

    def _step(self, size: int) -> float:
        """How far neighbouring places lie apart, as torch computes it."""
        if self.align_corners and not self._is_short_cut(size):
            return (size - 1) / (self.output_size - 1) if self.output_size > 1 else 0.0
        if self.factor is None or self._is_short_cut(size):
            return size / self.output_size
        return 1 / self.factor

    def _is_short_cut(self, size: int) -> bool:
        """Whether torch goes by the sizes and not by the factor."""
        copies = self.output_size == size and self.mode in ("nearest", "bilinear")
        return copies or (self.output_size == 2 * size and self.mode == "nearest")

    def _place(self, position: int, step: Real) -> Real:
        """Where on the axis an output's position lies."""
        if self.align_corners or self.mode == "nearest":
            return position * step
        middle = (2 * position + 1) * step / 2
        return middle if self.mode == "nearest-exact" else middle - Fraction(1, 2)

    def _taps(self, place: float | Fraction) -> Iterable[int]:
        if self.mode.startswith("nearest"):
            return (floor(place),)
        nearest = round(place)
        if nearest - _ROUNDING < place < nearest + _ROUNDING:
            return (nearest,)
        below = floor(place)
        return range(below, below + 2) if self.mode == "bilinear" else range(below - 1, below + 3)

    @override
    def line(self, size: int) -> Line | None:
        step = self._exact_step(size)
        if step is None or step.denominator > LONGEST_PERIOD:
            return None
        taps = [self._taps(self._place(position, step)) for position in range(step.denominator)]
        return shortest_line([(min(tap), max(tap)) for tap in taps], step.numerator)

    def _exact_step(self, size: int) -> Fraction | None:
        """The distance as a ratio; None for a factor that is none of small numbers."""
        if self._is_short_cut(size):
            return Fraction(size, self.output_size)
        if self.align_corners:
            return Fraction(size - 1, self.output_size - 1) if min(size, self.output_size) > 1 else None
        if self.factor is None:
            return Fraction(size, self.output_size)
        ratio = Fraction(self.factor).limit_denominator(_LARGEST_DENOMINATOR)
        return 1 / ratio if float(ratio) == self.factor else None


def _single(number: float) -> float:
    """The number in single precision."""
    rounded: float = unpack("f", pack("f", number))[0]
    return rounded


@dataclass(frozen=True, slots=True)
class PerAxis:
    """Each axis of the output is read from the same axis of each input; a size of 1 stands for the output's.

    ``statistics``: for its statistics alone, so that it is read at its own place where those are held fixed.
    """

    rules: tuple[AxisRule, ...]
    statistics: bool = False


@dataclass(frozen=True, slots=True)
class Rearranged:
    """The elements, viewed in the sizes ``split``, with these axes in the order ``axes``, in the output's sizes."""

    split: tuple[int, ...]
    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Picked:
    """One position of an axis, which the output lacks."""

    axis: int
    position: int


@dataclass(frozen=True, slots=True)
class Prepended:
    """``count`` positions of an axis that depend on no input, before those of the input."""

    axis: int
    count: int


@dataclass(frozen=True, slots=True)
class PerOperand:
    """Each input is read by a rule of its own; None for one of which no element is read."""

    operands: tuple[PerAxis | None, ...]


Reads = PerAxis | Rearranged | Picked | Prepended | PerOperand


def in_place(rank: int) -> PerAxis:
    """Each element is computed from the one at its place."""
    return along(rank, {})


def along(rank: int, rules: Mapping[int, AxisRule], *, statistics: bool = False) -> PerAxis:
    """These rules for these axes; on the others each element is computed from the one at its place."""
    return PerAxis(tuple([rules.get(axis, SAME) for axis in range(rank)]), statistics)


@cache
def rearranged(split: tuple[int, ...], axes: tuple[int, ...] | None = None) -> Rearranged:
    """The elements in order, in other sizes, unless ``axes`` give another order."""
    return Rearranged(split, axes if axes is not None else tuple(range(len(split))))
