"""Which value of a parameter makes a network that meets a budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from archdsl.analysis.symbolic.formulas import Number, exact, named, plain, shown
from archdsl.base.limits import DEFAULT_LIMITS, Limits
from archdsl.boundary.units import bytes_of, count_of
from archdsl.design.open_network import Counts, MemoryUse, OpenNetwork, Variable
from archdsl.design.searching import MAX_UNEVEN, Search
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError
from archdsl.elaborate.finding import Spec
from archdsl.elaborate.settings import InputSize
from archdsl.extensions.user_ops import OpSource
from archdsl.request import Request, asked

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
    """A value that the network refuses, the first diagnostic why, and what helps, if it says so."""

    value: int | float
    reason: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """The values that may be tried: from ``first`` in equal steps to ``last``, None where no range was given."""

    first: int | float
    step: int | float
    last: int | float | None

    def __str__(self) -> str:
        values = {1: "whole numbers", float(REAL_STEP): "hundredths"}.get(self.step)
        if values is None or (self.step == 1 and not isinstance(self.first, int)):
            values = f"steps of {self.step:_}"
        return f"{values} from {self.first:_}" + ("" if self.last is None else f" to {self.last:_}")


@dataclass(frozen=True, slots=True)
class Solution:
    """The value found.

    ``found`` is the greatest value within all budgets, or with ``nearest`` the one that is closest to them. ``above``
    is the next greater value that the network takes, with its counts; None where there is none near. ``too_large`` is a
    greater value that passed a limit of the compiler, where that and no budget ended the search. ``refused`` are
    values that were passed over, ``grid`` those that might be tried. ``every_value`` says that each of them was;
    otherwise the search went by halving and looked at the neighbours of what it found, which is sure where the counts
    grow with the value: ``is_even`` says that they did, as far as was seen. ``takes_fractions`` says that whole numbers
    were tried of a parameter that takes others too.
    """

    network: str
    variable: str
    budgets: tuple[Budget, ...]
    nearest: bool
    found: Candidate
    above: Candidate | None
    too_large: Refusal | None
    refused: tuple[Refusal, ...]
    grid: Grid
    every_value: bool
    is_even: bool
    takes_fractions: bool
    tried: int

    @property
    def value(self) -> int | float:
        """The value found."""
        return self.found.value

    def __str__(self) -> str:
        counts = self.found.counts
        memory = "" if counts.memory is None else f", {counts.memory:,} {named('memory')}"
        return f"{self.variable} = {self.value:_}: {counts.parameters:,} parameters, {counts.macs:,} MACs{memory}"

    def as_json(self) -> dict[str, Any]:
        """The fields by name; ``left`` is what each budget leaves, negative where it is exceeded."""
        limits = {budget.metric: budget.limit for budget in self.budgets}
        return {
            **asdict(self),
            "budgets": limits,
            "left": {metric: limit - self.found.counts[metric] for metric, limit in limits.items()},
        }


def solve(
    spec: Spec | Request,
    variable: str,
    /,
    *,
    params: Number | str | None = None,
    macs: Number | str | None = None,
    memory: Number | str | None = None,
    batch: int = 1,
    dtype: str = "float32",
    optimizer: str = "sgd",
    device: str = "cpu",
    inference: bool = False,
    between: tuple[Number, Number] | None = None,
    step: Number | None = None,
    nearest: bool = False,
    progress: Callable[[str], None] = lambda step: None,
    network: str | None = None,
    input: InputSize | None = None,
    limits: Limits = DEFAULT_LIMITS,
    set_texts: Mapping[str, str] | None = None,
    ops: Iterable[OpSource] = (),
    **parameters: object,
) -> Solution:
    """The greatest value of ``variable`` whose network is within the budgets; never imports torch.

    ``variable`` is a numeric parameter of the network or a size of its input, as for ``formulas``. The budgets
    ``params``, ``macs`` and ``memory`` are numbers or texts such as ``"25M"`` and ``"24GiB"``. The memory is that of
    training ``batch`` examples in ``dtype`` with ``optimizer`` on ``device``, as in ``stats``, or of ``inference``.

    ``between`` and ``step`` are the values to try, both ends included. Without them these are whole numbers from 1, or
    hundredths of a parameter whose default is none; where no whole number will do, hundredths up to 1 are tried too.
    ``nearest`` takes the value whose counts are closest to the budgets, below or above. Values that the network refuses
    are passed over. ``progress`` is called with each value before it is tried, as a text. The other arguments are those
    of ``load``.

    Raises ArchError: what ``load`` raises, E409 for what is no variable or no range, E801 for amounts and uses that are
    none, E802 where no value was found that meets the budgets, or where none could miss them.
    """
    request = asked(spec, network=network, input=input, limits=limits, set_texts=set_texts, ops=ops, **parameters)
    use = MemoryUse(batch, dtype, not inference, optimizer, device)
    opened = OpenNetwork(request, [variable], use if memory is not None else None)
    if memory is None and use != MemoryUse():
        message = "there is no budget of memory, for which `batch`, `dtype`, `optimizer`, `device` and `inference` are"
        raise opened.fault("E802", message, 'give one: `memory="24GiB"`')
    budgets = _budgets(opened, {"parameters": params, "macs": macs, "memory": memory})
    return _Question(opened, budgets, _values(opened, between, step), nearest, progress).answer()


def _budgets(opened: OpenNetwork, given: Mapping[str, Number | str | None]) -> tuple[Budget, ...]:
    found = [Budget(metric, _limit(metric, amount)) for metric, amount in given.items() if amount is not None]
    if not found:
        raise opened.fault("E802", "there is no budget to meet", "give one: `params`, `macs`, `memory`")
    return tuple(found)


def _limit(metric: str, amount: Number | str) -> int:
    """The amount as a number, parts of one dropped. Raises ArchError E801."""
    if isinstance(amount, str):
        return bytes_of(amount) if metric == "memory" else count_of(amount)
    try:
        number = exact(amount)
    except ArchError:
        number = Fraction(-1)
    if number < 0:
        hint = 'give a number of 0 or more, or a text: `25_000_000`, `"25M"`, `"24GiB"`'
        raise ArchError(Diagnostic("E801", f"`{amount!r}` is no amount of {named(metric)}", help=hint))
    return int(number)


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
    ends = _ends(opened, between)
    given = [*(ends or ()), *(() if step is None else (exact(step, "step"),))]
    has_fractions = any(number.denominator > 1 for number in given)
    if has_fractions and variable.axes:
        raise opened.fault("E409", f"`{variable.name}` is a number of elements and takes whole numbers only")
    is_whole = variable.is_whole and not has_fractions
    distance = exact(step, "step") if step is not None else Fraction(1) if is_whole else REAL_STEP
    if distance <= 0:
        raise opened.fault("E409", f"values cannot be {shown(distance)} apart", "a step is greater than 0")
    if ends is None:
        first = Fraction(0) if variable.value == 0 else distance
        return _Values(first, distance, GREATEST, _index(variable, first, distance, GREATEST), False)
    first, last = ends
    if last < first:
        message = f"there is no value of `{variable.name}` from {shown(first)} to {shown(last)}"
        raise opened.fault("E409", message, "the smaller end comes first")
    top = int((last - first) // distance)
    return _Values(first, distance, top, _index(variable, first, distance, top), True)


def _ends(opened: OpenNetwork, between: tuple[Number, Number] | None) -> tuple[Fraction, Fraction] | None:
    if between is None:
        return None
    if not isinstance(between, tuple | list) or len(between) != 2:
        raise opened.fault("E409", f"`between` takes two numbers, not {between!r}", "as in `between=(8, 512)`")
    return exact(between[0], "between"), exact(between[1], "between")


def _index(variable: Variable, first: Fraction, step: Fraction, top: int) -> int:
    """The index nearest to the declared value."""
    return 0 if variable.value is None else min(max(round((variable.value - first) / step), 0), top)


class _Question:
    """What is sought: searched by index, answered in values."""

    def __init__(
        self,
        opened: OpenNetwork,
        budgets: tuple[Budget, ...],
        values: _Values,
        nearest: bool,
        progress: Callable[[str], None],
    ) -> None:
        self.opened = opened
        self.variable = opened.variables[0]
        self.name = self.variable.name
        self.budgets = budgets
        self.values = values
        self.nearest = nearest
        self.progress = progress
        self.counts: dict[int, Counts] = {}
        self.search = Search(
            self._measured,
            [(budget.metric, budget.limit) for budget in budgets],
            nodes=opened.request.limits.nodes,
            top=values.top,
            start=values.start,
            is_range=values.is_range,
        )

    def answer(self) -> Solution:
        """The solution. Raises ArchError E802."""
        search = self.search
        best = search.greatest()
        finer = self._with_fractions() if best is None else None
        if finer is not None:
            return finer.answer()
        if best is None or not search.is_whole:
            self._check_it_matters()
        if self.nearest:
            best = search.closest()
        if best is None:
            raise self._impossible()
        is_even, above = search.is_even(), search.above(best)
        beyond = search.too_large(best) if above is None else None
        return Solution(
            network=self.opened.name,
            variable=self.name,
            budgets=self.budgets,
            nearest=self.nearest,
            found=self._candidate(best),
            above=None if above is None else self._candidate(above),
            too_large=None if beyond is None else self._refusal(beyond),
            refused=tuple(self._refusal(index) for index in sorted(search.refused)),
            grid=self._grid(),
            every_value=search.is_whole,
            is_even=is_even,
            takes_fractions=self._takes_fractions(best),
            tried=search.tried,
        )

    def _with_fractions(self) -> _Question | None:
        """The same about hundredths from 0.01 to 1, where only whole numbers from 1 were tried; None elsewhere."""
        if not self._is_about_whole_numbers or self.values.first != 1:
            return None
        values = _Values(REAL_STEP, REAL_STEP, int(1 / REAL_STEP) - 1, 0, True)
        finer = _Question(self.opened, self.budgets, values, self.nearest, self.progress)
        return finer if any(finer.search.takes(index) for index in (49, 74)) else None

    @property
    def _is_about_whole_numbers(self) -> bool:
        """Whether a parameter was tried in whole numbers because it is declared as one."""
        variable, values = self.variable, self.values
        is_declared = variable.value is not None and variable.is_whole and not variable.axes
        return is_declared and values.step == 1 and not values.is_range

    def _takes_fractions(self, best: int) -> bool:
        if not self._is_about_whole_numbers:
            return False
        found = self.opened.counts({self.name: self.values[best] + Fraction(1, 2)})
        return not isinstance(found, ArchError)

    # ---- single values -----------------------------------------------------------------------------

    def _measured(self, index: int) -> Counts | ArchError:
        self.progress(f"{self.name} = {self._given(index):_}")
        found = self.opened.counts({self.name: self.values[index]})
        if not isinstance(found, ArchError):
            self.counts[index] = found
        return found

    def _given(self, index: int) -> int | float:
        return self.variable.given(self.values[index])

    def _candidate(self, index: int) -> Candidate:
        return Candidate(self._given(index), self.counts[index])

    def _refusal(self, index: int) -> Refusal:
        error = self.search.refused[index]
        return Refusal(self._given(index), _reason(error), next(iter(error.diagnostics[0].help), ""))

    def _grid(self) -> Grid:
        last = plain(self.values[self.values.top]) if self.values.is_range else None
        return Grid(plain(self.values.first), plain(self.values.step), last)

    # ---- why there is none -------------------------------------------------------------------------

    def _check_it_matters(self) -> None:
        """Raises ArchError E802 where the value makes no difference, or no value is too large."""
        metrics = [budget.metric for budget in self.budgets]
        if not self.counts:
            index, error = next(iter(self.search.refused.items()))
            message = f"the network takes no value of `{self.name}` that was tried"
            tried = f"{self.search.tried:,} were tried: {self._grid()}"
            raise self.opened.fault("E802", message, f"{self.name} = {self._given(index)}: {_reason(error)}", tried)
        if len(self.counts) > 1 and len({tuple(c[m] for m in metrics) for c in self.counts.values()}) == 1:
            fixed = next(iter(self.counts.values()))
            text = " and ".join(f"{fixed[metric]:,} {named(metric)}" for metric in metrics)
            message = f"`{self.name}` does not change what the budget is for: it is always {text}"
            raise self.opened.fault("E802", message, "leave another number open")
        greatest = max(self.counts)
        if not self.values.is_range and greatest >= GREATEST // 2 and self.search.is_within(greatest):
            message = f"no value of `{self.name}` is too large: even {self._given(greatest):,} is within the budget"
            example = f"`--set {self.name}=1..64` or `between=(1, 64)`"
            raise self.opened.fault("E802", message, f"say which values may be: {example}")

    def _impossible(self) -> ArchError:
        metric = next((b.metric for b in self.budgets if self._least(b.metric)[0] > b.limit), None)
        budgets = " and ".join(f"{budget.limit:,} {named(budget.metric)}" for budget in self.budgets)
        tried = f"{self.search.tried:,} values were tried: {self._grid()}"
        message = f"no value of `{self.name}` was found that makes a network of at most {budgets}"
        if self.search.is_whole:
            message = f"no value of `{self.name}` makes a network of at most {budgets}"
        else:
            grew = ", and the counts grew with them" if self.search.only_grows() else ""
            example = f"`--set {self.name}=1..{MAX_UNEVEN}` or `between=(1, {MAX_UNEVEN})`"
            tried += f", not each of them{grew}; of a range such as {example} each is"
        if metric is None:
            smallest = "each budget alone can be met, but not all of them at once"
        else:
            count, index = self._least(metric)
            smallest = (
                f"the smallest that was found has {count:,} {named(metric)}, with {self.name} = {self._given(index)}"
            )
        return self.opened.fault("E802", message, smallest, tried)

    def _least(self, metric: str) -> tuple[int, int]:
        return min((counts[metric], index) for index, counts in self.counts.items())


def _reason(error: ArchError) -> str:
    first = error.diagnostics[0]
    return f"{first.code}: {first.message}"
