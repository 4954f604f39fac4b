"""Which value of a parameter makes a network that meets a budget."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any

from archdsl.analysis.symbolic import Number, exact, shown
from archdsl.compiler import InputSize, Spec
from archdsl.diagnostics import ArchError
from archdsl.limits import DEFAULT_LIMITS, Limits
from archdsl.units import bytes_of, count_of
from archdsl.user_ops import OpSource
from archdsl.variables import Counts, MemoryUse, OpenNetwork, Request, Variable, named

MAX_EACH = 256
"""A range of so many values is tried value by value; a longer one, or none, is searched by halving."""
MAX_REFUSED = 100
"""Values in a row that a network may refuse before the search turns around."""
NEIGHBOURS = 16
"""Values above the one found that are tried as well: counts that are rounded do not always grow."""
GREATEST = 2**24
"""Steps from the first value beyond which nothing is searched."""
REAL_STEP = Fraction(1, 100)
"""Distance of the values that are tried of a parameter that is no whole number."""


@dataclass(frozen=True, slots=True)
class Budget:
    """At most ``limit`` of a metric (``parameters``, ``macs``, ``memory`` in bytes)."""

    metric: str
    limit: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value of the open parameter and what the network counts with it."""

    value: int | float
    counts: Counts


@dataclass(frozen=True, slots=True)
class Refusal:
    """A value that the network refuses, and the first diagnostic why."""

    value: int | float
    reason: str


@dataclass(frozen=True, slots=True)
class Solution:
    """The value found.

    ``found`` is the greatest value within all budgets, or with ``nearest`` the one that is closest to them. ``above``
    is the next greater value that the network takes, with its counts; None where there is none near. ``refused`` are
    values that were passed over. ``every_value`` says that each value of the range was tried; otherwise the search
    went by halving and looked at the neighbours of what it found, which is sure where the counts grow with the value.
    """

    network: str
    variable: str
    budgets: tuple[Budget, ...]
    nearest: bool
    found: Candidate
    above: Candidate | None
    refused: tuple[Refusal, ...]
    every_value: bool
    tried: int

    @property
    def value(self) -> int | float:
        """The value found."""
        return self.found.value

    def as_json(self) -> dict[str, Any]:
        """The fields by name; ``left`` is what each budget leaves, negative where it is exceeded."""
        limits = {budget.metric: budget.limit for budget in self.budgets}
        return {
            **asdict(self),
            "budgets": limits,
            "left": {metric: limit - self.found.counts[metric] for metric, limit in limits.items()},
        }


def solve(
    spec: Spec,
    variable: str,
    /,
    *,
    params: int | str | None = None,
    macs: int | str | None = None,
    memory: int | str | None = None,
    use: MemoryUse = MemoryUse(),  # noqa: B008 it is frozen
    between: tuple[Number, Number] | None = None,
    step: Number | None = None,
    nearest: bool = False,
    network: str | None = None,
    input: InputSize | None = None,
    limits: Limits = DEFAULT_LIMITS,
    set_texts: Mapping[str, str] | None = None,
    ops: Iterable[OpSource] = (),
    **parameters: object,
) -> Solution:
    """The greatest value of ``variable`` whose network is within the budgets; never imports torch.

    ``variable`` is a numeric parameter of the network or a size of its input, as for ``formulas``. The budgets
    ``params``, ``macs`` and ``memory`` are numbers or texts such as ``"25M"`` and ``"24GiB"``; ``use`` says what for
    the memory is (batch, type of numbers, inference or training with which optimiser). ``between`` and ``step`` are
    the values to try, both ends included; without them these are whole numbers from 1, or hundredths. ``nearest``
    takes the value whose counts are closest to the budgets, below or above. Values that the network refuses are
    passed over. The other arguments are those of ``load``.

    Raises ArchError: what ``load`` raises, E409 for what is no variable, E801 for amounts and uses that are none,
    E802 where no value meets the budgets, or where none could miss them.
    """
    request = Request(spec, network, input, limits, dict(set_texts or {}), tuple(ops), parameters)
    opened = OpenNetwork(request, [variable], use if memory is not None else None)
    budgets = _budgets(opened, {"parameters": params, "macs": macs, "memory": memory})
    values = _values(opened, between, step)
    return _Search(opened, budgets, values, nearest).solution()


def _budgets(opened: OpenNetwork, given: Mapping[str, int | str | None]) -> tuple[Budget, ...]:
    found = []
    for metric, amount in given.items():
        if isinstance(amount, str):
            found.append(Budget(metric, bytes_of(amount) if metric == "memory" else count_of(amount)))
        elif amount is not None:
            found.append(Budget(metric, amount))
    if not found:
        raise opened.fault("E802", "there is no budget to meet", "give one: `params`, `macs`, `memory`")
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Values:
    """The values that may be tried: ``first`` and so on up to index ``top``; ``start`` is the declared one's index."""

    first: Fraction
    step: Fraction
    top: int
    start: int
    is_range: bool

    def __getitem__(self, index: int) -> Fraction:
        return self.first + index * self.step


def _values(opened: OpenNetwork, between: tuple[Number, Number] | None, step: Number | None) -> _Values:
    """What may be tried. Raises ArchError E409 where that is nothing."""
    (variable,) = opened.variables
    given = [exact(number) for number in (*(between or ()), *(() if step is None else (step,)))]
    if any(number.denominator > 1 for number in given) and variable.is_whole:
        if variable.axes:
            raise opened.fault("E409", f"`{variable.name}` is a number of elements and takes whole numbers only")
        variable = replace(variable, is_whole=False)
        opened.variables = (variable,)
    distance = exact(step) if step is not None else Fraction(1) if variable.is_whole else REAL_STEP
    if distance <= 0:
        raise opened.fault("E409", f"values cannot be {shown(distance)} apart", "a step is greater than 0")
    if between is None:
        first = Fraction(0) if variable.value == 0 else distance
        return _Values(first, distance, GREATEST, _index(variable, first, distance, GREATEST), False)
    first, last = map(exact, between)
    if last < first:
        message = f"there is no value of `{variable.name}` from {shown(first)} to {shown(last)}"
        raise opened.fault("E409", message, "the smaller end comes first")
    top = int((last - first) // distance)
    return _Values(first, distance, top, _index(variable, first, distance, top), True)


def _index(variable: Variable, first: Fraction, step: Fraction, top: int) -> int:
    """The index nearest to the declared value."""
    return 0 if variable.value is None else min(max(round((variable.value - first) / step), 0), top)


class _Search:
    """One search; indices stand for values."""

    def __init__(self, opened: OpenNetwork, budgets: tuple[Budget, ...], values: _Values, nearest: bool) -> None:
        self.opened = opened
        self.variable = opened.variables[0]
        self.name = self.variable.name
        self.budgets = budgets
        self.values = values
        self.nearest = nearest
        self.counts: dict[int, Counts] = {}
        self.refused: dict[int, ArchError] = {}

    def solution(self) -> Solution:
        """The solution. Raises ArchError E802."""
        each = self.values.is_range and self.values.top < MAX_EACH
        best = self._by_trying_each() if each else self._by_halving()
        if best is None or not each:
            self._check_it_matters()
        if self.nearest:
            best = min(self.counts, key=lambda index: (self._distance(index), index), default=None)
        if best is None:
            raise self._impossible()
        above = next(self._accepted(range(best + 1, self.values.top + 1)), None)
        refused = tuple(Refusal(self._given(i), _reason(error)) for i, error in sorted(self.refused.items()))
        tried = len(self.counts) + len(self.refused)
        next_one = None if above is None else self._candidate(above)
        name = self.opened.name
        return Solution(
            name, self.name, self.budgets, self.nearest, self._candidate(best), next_one, refused, each, tried
        )

    # ---- single values -----------------------------------------------------------------------------

    def _given(self, index: int) -> int | float:
        return self.variable.given(self.values[index])

    def _candidate(self, index: int) -> Candidate:
        return Candidate(self._given(index), self.counts[index])

    def _takes(self, index: int) -> bool:
        """Whether the network takes the value; its counts are kept then, else the reason."""
        if index not in self.counts and index not in self.refused:
            found = self.opened.counts({self.name: self.values[index]})
            if isinstance(found, ArchError):
                self.refused[index] = found
            else:
                self.counts[index] = found
        return index in self.counts

    def _is_too_large(self, index: int) -> bool:
        """Whether the compiler's limits refuse the value: greater ones will not do either."""
        return index in self.refused and any(d.code.startswith("E5") for d in self.refused[index].diagnostics)

    def _accepted(self, indices: Iterable[int]) -> Iterator[int]:
        """Those of the indices that the network takes, until it has refused too many in a row."""
        refused = 0
        for index in indices:
            if self._takes(index):
                refused = 0
                yield index
            elif self._is_too_large(index) or (refused := refused + 1) > MAX_REFUSED:
                return

    def _is_within(self, index: int) -> bool:
        return all(self.counts[index][budget.metric] <= budget.limit for budget in self.budgets)

    def _distance(self, index: int) -> Fraction:
        """How far the counts are from the budgets: the largest relative difference."""
        return max(
            Fraction(abs(self.counts[index][budget.metric] - budget.limit), max(budget.limit, 1))
            for budget in self.budgets
        )

    # ---- searching ---------------------------------------------------------------------------------

    def _by_trying_each(self) -> int | None:
        accepted = [index for index in range(self.values.top + 1) if self._takes(index)]
        return max(filter(self._is_within, accepted), default=None)

    def _by_halving(self) -> int | None:
        low = self._some_within()
        if low is None:
            return None
        low, high = self._doubled(low)
        while True:
            low = self._halved(low, high)
            near = range(low + 1, min(low + NEIGHBOURS, self.values.top) + 1)
            better = [index for index in near if self._takes(index) and self._is_within(index)]
            if not better:
                return low
            low, high = max(better), max(better) + 1

    def _some_within(self) -> int | None:
        """An index within the budgets: the declared value's, else the least, else one on the way to the greatest."""
        start, top = self.values.start, self.values.top
        probes: Sequence[Iterable[int]] = (range(start, top + 1), range(start - 1, -1, -1), range(top + 1))
        for indices in probes:
            index = next(self._accepted(indices), None)
            if index is not None and self._is_within(index):
                return index
        halves = (start >> power for power in range(1, start.bit_length()))
        below = next((index for index in halves if self._takes(index) and self._is_within(index)), None)
        return self._within_above(start) if below is None else below

    def _within_above(self, start: int) -> int | None:
        """An index above within the budgets, as of groups: sought as long as the counts come closer to them."""
        before: Fraction | None = None
        for index in _doublings(start, self.values.top):
            accepted = next(self._accepted(range(index, self.values.top + 1)), None)
            if accepted is None or self._is_within(accepted):
                return accepted
            distance = self._distance(accepted)
            if before is not None and distance > before:
                return None
            before = distance
        return None

    def _doubled(self, low: int) -> tuple[int, int]:
        """The last index within the budgets and the first beyond them, in steps that double."""
        top = self.values.top
        for index in _doublings(low, top):
            accepted = next(self._accepted(range(index, top + 1)), None)
            if accepted is None or not self._is_within(accepted):
                return low, index
            low = accepted
        return low, top + 1

    def _halved(self, low: int, high: int) -> int:
        """The last index within the budgets between one that is and one that is not."""
        while high - low > 1:
            middle = (low + high) // 2
            upwards, downwards = range(middle, high), range(middle - 1, low, -1)
            found = next(self._accepted(upwards), None)
            if found is not None and self._is_within(found):
                low = found
                continue
            high = middle
            if found is None:
                found = next(self._accepted(downwards), None)
                if found is None:
                    return low
                if self._is_within(found):
                    return self._halved(found, found + 1)
                high = found
        return low

    # ---- why there is none -------------------------------------------------------------------------

    def _check_it_matters(self) -> None:
        """Raises ArchError E802 where the value makes no difference, or no value is too large."""
        metrics = [budget.metric for budget in self.budgets]
        if not self.counts:
            index, error = next(iter(self.refused.items()))
            message = f"the network takes no value of `{self.name}` that was tried"
            raise self.opened.fault("E802", message, f"{self.name} = {self._given(index)}: {_reason(error)}")
        if len(self.counts) > 1 and len({tuple(c[m] for m in metrics) for c in self.counts.values()}) == 1:
            fixed = next(iter(self.counts.values()))
            text = " and ".join(f"{fixed[metric]:,} {named(metric)}" for metric in metrics)
            message = f"`{self.name}` does not change what the budget is for: it is always {text}"
            raise self.opened.fault("E802", message, "leave another number open")
        greatest = max(self.counts)
        if not self.values.is_range and greatest >= GREATEST // 2 and self._is_within(greatest):
            message = f"no value of `{self.name}` is too large: even {self._given(greatest):,} is within the budget"
            raise self.opened.fault("E802", message, "say which values may be")

    def _impossible(self) -> ArchError:
        metric = next((b.metric for b in self.budgets if self._least(b.metric)[0] > b.limit), None)
        budgets = " and ".join(f"{budget.limit:,} {named(budget.metric)}" for budget in self.budgets)
        message = f"no value of `{self.name}` makes a network of at most {budgets}"
        if metric is None:
            return self.opened.fault("E802", message, "each budget alone can be met, but not all of them at once")
        count, index = self._least(metric)
        smallest = f"the smallest that was found has {count:,} {named(metric)}, with {self.name} = {self._given(index)}"
        return self.opened.fault("E802", message, smallest)

    def _least(self, metric: str) -> tuple[int, int]:
        return min((counts[metric], index) for index, counts in self.counts.items())


def _doublings(low: int, top: int) -> Iterator[int]:
    """Indices above ``low`` at distances 1, 2, 4, ... up to ``top``."""
    distance = 1
    while low + distance < top:
        yield low + distance
        distance *= 2
    if low < top:
        yield top


def _reason(error: ArchError) -> str:
    first = error.diagnostics[0]
    return f"{first.code}: {first.message}"
