"""How far a formula holds along one variable: found by halving, and compared at values all over the range.

A change of form that stays (a threshold, a ``max``) shows at any value beyond it, so it is found to the value. One that
ends again may lie between the values that are compared; those that the spec writes as numbers are among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from random import Random

Agrees = Callable[[Fraction], bool | None]
"""Whether the formula gives the network's count for this value; None where the network refuses it."""


@dataclass(slots=True)
class Extent:
    """The values that lie whole steps from ``known``, for which the formula holds; none is below ``least``."""

    known: Fraction
    step: Fraction
    least: Fraction
    agrees: Agrees
    exceptions: set[Fraction] = field(default_factory=set)

    def first(self) -> Fraction:
        """The least value from which on the formula holds."""
        lowest = self.known - (self.known - self.least) // self.step * self.step
        return lowest if self.agrees(lowest) else self._edge(self.known, lowest)

    def reached(self, last: Fraction, greatest: int) -> Fraction:
        """How far above ``last`` it holds: compared at powers of two, up to ``greatest``."""
        power = 1
        while power <= greatest:
            value = self.known + (power - self.known) // self.step * self.step
            power *= 2
            if value <= last:
                continue
            fits = self.agrees(value)
            if fits is None:
                break
            if not fits and not self._is_alone(value):
                return self._edge(last, value)
            if fits:
                last = value
            else:
                self.exceptions.add(value)
        return last

    def narrowed(self, first: Fraction, last: Fraction, values: Iterable[Fraction]) -> tuple[Fraction, Fraction]:
        """The part of the range around ``known`` in which the formula holds at all these values but lone ones."""
        for value in sorted(set(values), key=lambda value: (abs(value - self.known), value)):
            if not first <= value <= last or self.agrees(value) is not False:
                continue
            if self._is_alone(value):
                self.exceptions.add(value)
            elif value > self.known:
                last = self._edge(self.known, value)
            else:
                first = self._edge(self.known, value)
        return first, last

    def samples(self, first: Fraction, last: Fraction, random: Random) -> Iterator[Fraction]:
        """Random values, one from each doubling of the distance from ``known``, below and above."""
        for end, step in ((first, -self.step), (last, self.step)):
            most, distance = (end - self.known) // step, 1
            while distance <= most:
                yield self.known + step * random.randint(distance, min(2 * distance, int(most)))
                distance *= 2

    def nearest(self, numbers: Iterable[Fraction]) -> Iterator[Fraction]:
        """For each number the least value that is not below it, and the next: what ``<`` and ``<=`` tell apart."""
        for number in numbers:
            value = self.known - (self.known - number) // self.step * self.step
            yield value
            yield value + self.step

    def _is_alone(self, value: Fraction) -> bool:
        """Whether the formula holds on both sides of a value at which it does not."""
        around = [self.agrees(near) for near in (value - self.step, value + self.step) if near >= self.least]
        return True in around and False not in around

    def _edge(self, right: Fraction, wrong: Fraction) -> Fraction:
        """The last value that holds on the way from one that does to one that does not."""
        step = self.step if wrong > right else -self.step
        holds, fails = 0, int((wrong - right) / step)
        while fails - holds > 1:
            middle = (holds + fails) // 2
            value = right + middle * step
            if self.agrees(value) or value in self.exceptions:
                holds = middle
            else:
                fails = middle
        return right + holds * step
