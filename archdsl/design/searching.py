"""The search for the greatest value within budgets, among values of which each costs an elaboration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import islice, pairwise
from typing import Protocol

from archdsl.diagnostics.problems import ArchError

MAX_EACH = 256
"""A range of so many values is tried value by value; a longer one, or none, is searched by halving ..."""
MAX_UNEVEN = 1024
"""... unless the counts rise and fall, or no value was found: then a range of so many is tried whole as well."""
MAX_REFUSED = 100
"""Values in a row that a network may refuse before the search turns around."""
NEIGHBOURS = 16
"""Values above the one found that are tried as well: counts that are rounded do not always grow."""
MAX_FAILED = 4
"""Places in a row, each further away, around which no value is found before the search ends."""


class Counted(Protocol):
    """What a network counts: a number for each metric, ``nodes`` among them."""

    def __getitem__(self, metric: str) -> int: ...


class Search:
    """One search; the indices 0 to ``top`` stand for the values, ``start`` for the declared one.

    ``limits`` are the most of each metric, ``nodes`` how many nodes the compiler allows. ``counts`` and ``refused``
    fill with what was tried.
    """

    def __init__(
        self,
        measure: Callable[[int], Counted | ArchError],
        limits: Sequence[tuple[str, int]],
        *,
        nodes: int,
        top: int,
        start: int,
        is_range: bool,
    ) -> None:
        self.measure = measure
        self.limits = limits
        self.nodes = nodes
        self.top = top
        self.start = start
        self.is_range = is_range
        self.counts: dict[int, Counted] = {}
        self.refused: dict[int, ArchError] = {}

    @property
    def tried(self) -> int:
        return len(self.counts) + len(self.refused)

    @property
    def is_whole(self) -> bool:
        """Whether each value of a range was tried."""
        return self.is_range and self.tried == self.top + 1

    def greatest(self) -> int | None:
        """The greatest index within all limits, None where none was found."""
        if self.is_range and self.top < MAX_EACH:
            return self._by_trying_each()
        best = self._by_halving()
        if best is not None and (best == self.top or self.is_even()):
            return best
        return self._by_trying_each() if self.is_range and self.top < MAX_UNEVEN else self._around()

    def above(self, index: int) -> int | None:
        """The next greater index that the network takes, None where there is none near."""
        return next(self._accepted(range(index + 1, self.top + 1)), None)

    def closest(self) -> int | None:
        """The index whose counts are closest to the limits, of those that were tried."""
        return min(self.counts, key=lambda index: (self._distance(index), index), default=None)

    def is_even(self) -> bool:
        """Whether each count only grows with the value, or only falls, as far as was tried."""
        columns = [[self.counts[index][metric] for index in sorted(self.counts)] for metric, _ in self.limits]
        return all(_rises(column) or _rises([-count for count in column]) for column in columns)

    def only_grows(self) -> bool:
        """Whether a count was beyond its limit from the least value on, and only grew: greater ones will not do."""
        indices = sorted(self.counts)
        for metric, most in self.limits:
            column = [self.counts[index][metric] for index in indices]
            if len(column) > 1 and most < column[0] < column[-1] and _rises(column):
                return True
        return False

    def is_within(self, index: int) -> bool:
        """Whether the counts of an index that was taken are within the limits."""
        return all(self.counts[index][metric] <= most for metric, most in self.limits)

    def too_large(self, above: int) -> int | None:
        """The least index above that was tried and passed a limit of the compiler."""
        return min((index for index in self.refused if index > above and self._is_too_large(index)), default=None)

    # ---- single values -----------------------------------------------------------------------------

    def takes(self, index: int) -> bool:
        """Whether the network takes the value; its counts are kept then, else the reason."""
        if index not in self.counts and index not in self.refused:
            found = self.measure(index)
            if isinstance(found, ArchError):
                self.refused[index] = found
            else:
                self.counts[index] = found
        return index in self.counts

    def _is_too_large(self, index: int) -> bool:
        """Whether the compiler's limits refuse the value: greater ones will not do either."""
        return index in self.refused and any(d.code.startswith("E5") for d in self.refused[index].diagnostics)

    def _accepted(self, indices: Iterable[int]) -> Iterator[int]:
        """Those of the indices that the network takes, until one is too large or too many in a row are refused."""
        refused = 0
        for index in indices:
            if self.takes(index):
                refused = 0
                yield index
            elif self._is_too_large(index) or (refused := refused + 1) > MAX_REFUSED:
                return

    def _within(self, indices: Iterable[int]) -> list[int]:
        return [index for index in indices if self.is_within(index)]

    def _distance(self, index: int) -> Fraction:
        """How far the counts are from the limits: the largest relative difference."""
        return max(Fraction(abs(self.counts[index][metric] - most), max(most, 1)) for metric, most in self.limits)

    # ---- value by value ----------------------------------------------------------------------------

    def _by_trying_each(self) -> int | None:
        accepted = [index for index in range(self.top + 1) if self.takes(index)]
        return max(self._within(accepted), default=None)

    # ---- by halving --------------------------------------------------------------------------------

    def _by_halving(self) -> int | None:
        low = self._some_within()
        if low is None:
            return None
        low, high = self._doubled(low)
        while True:
            low = self._halved(low, high)
            better = self._within(self._accepted(range(low + 1, min(low + NEIGHBOURS, self.top) + 1)))
            if not better:
                return low
            low, high = max(better), max(better) + 1
            if not self.is_even():
                return low

    def _some_within(self) -> int | None:
        """An index within the limits: the declared value's, else the least, else one on the way to it."""
        probes: Sequence[Iterable[int]] = (
            range(self.start, self.top + 1),
            range(self.start - 1, -1, -1),
            range(self.top + 1),
        )
        for indices in probes:
            index = next(self._accepted(indices), None)
            if index is not None and self.is_within(index):
                return index
        halves = (self.start >> power for power in range(1, self.start.bit_length()))
        return next((index for index in halves if self.takes(index) and self.is_within(index)), None)

    def _doubled(self, low: int) -> tuple[int, int]:
        """The last index within the limits and the first beyond them, in steps that double."""
        for index in _doublings(low, 1 + low // 8, self.top):
            accepted = next(self._accepted(range(index, self.top + 1)), None)
            if accepted is None or not self.is_within(accepted):
                return low, index
            low = accepted
        return low, self.top + 1

    def _halved(self, low: int, high: int) -> int:
        """The last index within the limits between one that is and one that is not."""
        turn = 0
        while high - low > 1:
            turn += 1
            middle = self._guess(low, high) if turn % 3 else (low + high) // 2
            found = next(self._accepted(range(middle, high)), None)
            if found is not None and self.is_within(found):
                low = found
                continue
            high = middle
            if found is None and not self._is_too_large(middle):
                found = next(self._accepted(range(middle - 1, low, -1)), None)
                if found is None:
                    beyond = self.too_large(low)
                    if beyond is None or beyond >= high:
                        return low
                    high = beyond
                elif self.is_within(found):
                    return found
                else:
                    high = found
        return low

    def _guess(self, low: int, high: int) -> int:
        """Where a straight line through two known counts meets a limit: near the end, most counts are nearly so."""
        other = high if high in self.counts else max((index for index in self.counts if index < low), default=low)
        ends = []
        for metric, most in (*self.limits, ("nodes", self.nodes)):
            rise = self.counts[other][metric] - self.counts[low][metric]
            if other != low and rise * (other - low) > 0:
                ends.append(low + (most - self.counts[low][metric]) * (other - low) // rise)
        return min(max(min(ends), low + 1), high - 1) if ends else (low + high) // 2

    # ---- where counts rise and fall ----------------------------------------------------------------

    def _around(self) -> int | None:
        """The greatest index found by looking at some neighbours at each place, at distances that double."""
        best = max(self._within(self.counts), default=None)
        failed = 0
        for place in sorted({0, *_doublings(0, NEIGHBOURS, self.top), self.start}):
            if best is not None and place <= best:
                continue
            found = self._near(place)
            failed = 0 if found is not None else failed + 1
            best = max((index for index in (best, found) if index is not None), default=None)
            if failed == MAX_FAILED or self.only_grows() or self.too_large(place) is not None:
                break
        return None if best is None else self._halved_around(best)

    def _halved_around(self, best: int) -> int:
        high = min(2 * best + NEIGHBOURS, self.top + 1)
        while high - best > 1:
            middle = (best + high) // 2
            found = self._near(middle)
            best, high = (found, max(high, found + 1)) if found is not None else (best, middle)
        while (found := self._near(best + 1)) is not None:
            best = found
        return best

    def _near(self, place: int) -> int | None:
        """The greatest index within the limits of the first that the network takes from a place on."""
        near = islice(self._accepted(range(place, self.top + 1)), NEIGHBOURS)
        return max(self._within(near), default=None)


def _rises(numbers: Sequence[int]) -> bool:
    return all(b >= a for a, b in pairwise(numbers))


def _doublings(low: int, distance: int, top: int) -> Iterator[int]:
    """Indices above ``low`` at a distance, twice and four times it and so on, up to ``top``."""
    while low + distance < top:
        yield low + distance
        distance *= 2
    if low < top:
        yield top
