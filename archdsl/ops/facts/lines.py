"""Fields of the positions along an endless axis, exactly: where each begins and ends, however windows are composed."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import gcd, lcm
from typing import NamedTuple

LONGEST_PERIOD = 1024
"""Positions after which the fields of a line repeat, at most: longer ones come of factors that are no ratio."""

NOTHING = (1 << 62, -(1 << 62))
"""First and last of an empty field, such that it changes no other that it is joined with."""


class Line(NamedTuple):
    """Where on an endless axis the fields of an endless row of positions begin and end.

    Those of the positions 0, 1, ... up to the period are listed, both ends included, or NOTHING; the field of position
    ``i + period`` lies ``advance`` elements behind that of ``i``.
    """

    first: tuple[int, ...]
    last: tuple[int, ...]
    advance: int

    @property
    def size(self) -> int:
        """Elements from the beginning to the end of the largest field."""
        return max([last - first + 1 for first, last in zip(self.first, self.last, strict=True)])

    @property
    def stride(self) -> Fraction:
        """How far the field moves from one position to the next, on average."""
        return Fraction(self.advance, len(self.first))

    @property
    def offset(self) -> Fraction:
        """The centre of position 0's field, on the straight line through the mean of the centres."""
        fields = enumerate(zip(self.first, self.last, strict=True))
        places = [(i, first + last) for i, (first, last) in fields if first <= last]
        doubled = sum(ends for _, ends in places) - 2 * self.stride * sum(i for i, _ in places)
        return Fraction(doubled, 2 * len(places))

    def at(self, position: int) -> tuple[int, int]:
        """Where the field of a position begins and ends, or NOTHING."""
        periods, phase = divmod(position, len(self.first))
        return _moved((self.first[phase], self.last[phase]), periods * self.advance)

    def bounds(self, first: int, last: int) -> tuple[int, int]:
        """Where the fields of the positions from ``first`` to ``last`` begin and end together, or NOTHING."""
        period = len(self.first)
        # fields a period later lie further on, so that one period at either end decides
        begins = range(first, min(last, first + period - 1) + 1)
        ends = range(max(first, last - period + 1), last + 1)
        if not begins:
            return NOTHING
        return min([self.at(i)[0] for i in begins]), max([self.at(i)[1] for i in ends])

    def below(self, outer: Line) -> Line | None:
        """The fields of ``outer``'s positions, which read positions of this line.

        None where they hardly repeat, or hold nothing at all.
        """
        if len(self.first) == len(outer.first) == 1:
            (first,), (last,), advance = self
            begin, end = outer.first[0] * advance, outer.last[0] * advance
            return Line((first + begin,), (last + end,), advance * outer.advance)
        inner_period, outer_period = len(self.first), len(outer.first)
        repeats = inner_period // gcd(inner_period, outer.advance)
        if repeats * outer_period > LONGEST_PERIOD:
            return None
        bounds = [self.bounds(*outer.at(i)) for i in range(repeats * outer_period)]
        if all(field == NOTHING for field in bounds):
            return None
        return shortest_line(bounds, repeats * outer.advance // inner_period * self.advance)

    def joined(self, other: Line) -> Line | None:
        """The smallest fields that hold those of both; None where they move at different strides."""
        if self == other:
            return self
        if len(self.first) == len(other.first) == 1 and self.advance == other.advance:
            first, last = min(self.first[0], other.first[0]), max(self.last[0], other.last[0])
            return Line((first,), (last,), self.advance)
        if self.stride != other.stride:
            return None
        period = lcm(len(self.first), len(other.first))
        if period > LONGEST_PERIOD:
            return None
        pairs = [(self.at(i), other.at(i)) for i in range(period)]
        bounds = [(min(one[0], two[0]), max(one[1], two[1])) for one, two in pairs]
        return shortest_line(bounds, period // len(self.first) * self.advance)


SAME_LINE = Line((0,), (0,), 1)


def _moved(field: tuple[int, int], step: int) -> tuple[int, int]:
    return field if field == NOTHING else (field[0] + step, field[1] + step)


def shortest_line(bounds: Sequence[tuple[int, int]], advance: int) -> Line:
    """The line of these fields, with the shortest period that it has."""
    length = len(bounds)
    for period in range(1, length + 1):
        if length % period or advance * period % length:
            continue
        step = advance * period // length
        moved = [_moved(field, step) for field in bounds[: length - period]]
        if moved == list(bounds[period:]):
            first, last = zip(*bounds[:period], strict=True)
            return Line(first, last, step)
    raise AssertionError("a line repeats after its own period")
