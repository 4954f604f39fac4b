"""How the closed formula of a count is found: exact interpolation, checked at points that it was not made from.

A count of a network is a polynomial of its numbers wherever the network's form stays the same and no size is rounded.
Where sizes are rounded (a stride that does not divide the image, channels made a multiple of 8) it is one in steps:
of 32 pixels, of a whole multiplier. So along each variable the smallest step is sought in which the counts are a
polynomial; then the polynomial of all variables is interpolated on a grid of such steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations, pairwise, product
from math import lcm
from random import Random

from archdsl.analysis.symbolic.extents import Extent
from archdsl.analysis.symbolic.formulas import Domain, Formula, shown
from archdsl.analysis.symbolic.polynomials import Polynomial, coefficients, interpolated

Point = Mapping[str, Fraction]
Count = Callable[[Point], int | None]
"""The count at a point; None where the network refuses these values."""

MAX_DEGREE = 6
"""In one variable. Attention has 4 in the image's side: tokens squared."""
CONFIRMATIONS = 2
"""Further points in a row that must agree before a degree is believed ..."""
FAR_WHOLE = (12, 25, 60, 200)
"""... and at about how many steps from the start it is checked next, for whole numbers ..."""
FAR_REAL = (6, 9, 14, 24)
"""... and for others: a network 200 times as deep takes its time, and nobody asks for it."""
GREATEST_WHOLE = 2**16
"""A formula is compared with the network up to about this value of a whole number ..."""
GREATEST_REAL = 2**8
"""... and of another; no further, as long as the network takes it."""
JOINT_CHECKS = 16
"""Random points at which all variables are varied together."""
NARROWED = 12
"""How often the ranges are narrowed where variables that hold alone do not hold together."""
ROUNDS = 3


class NoFormulaError(Exception):
    """No formula was found; the message says why."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A variable: its value in the network at hand, the steps to try, smallest first, and its least value.

    ``special`` are values at which the network may take another form: widths that occur in it, numbers that its spec
    writes. Above ``greatest`` no formula is compared.
    """

    name: str
    base: Fraction
    steps: tuple[Fraction, ...]
    least: Fraction
    far: tuple[int, ...] = FAR_WHOLE
    special: tuple[Fraction, ...] = ()
    greatest: int = GREATEST_WHOLE


@dataclass(frozen=True, slots=True)
class _Line:
    """What the counts are along one variable: a polynomial of ``degree`` in steps, upwards or (-1) downwards.

    ``reach`` is how many steps away it was checked; where it is ``bounded`` it ends there. In the ``finest`` step, of
    which the network takes every value, single values may be exceptions.
    """

    axis: Axis
    step: Fraction
    direction: int
    degree: int
    reach: int
    exceptions: frozenset[Fraction] = frozenset()
    bounded: bool = False
    finest: bool = False

    def value(self, steps: int) -> Fraction:
        return self.axis.base + self.direction * steps * self.step

    def joined(self, other: _Line | None) -> _Line:
        """A line that does for both: their common multiple of a step, the higher degree."""
        if other is None:
            return self
        a, b = self.step, other.step
        step = Fraction(lcm(a.numerator * b.denominator, b.numerator * a.denominator), a.denominator * b.denominator)
        exceptions = self.exceptions | other.exceptions
        reach = min(int(each.reach * each.step / step) for each in (self, other))
        degree, bounded = max(self.degree, other.degree), self.bounded or other.bounded
        return replace(self, step=step, degree=degree, reach=reach, exceptions=exceptions, bounded=bounded)


def fit(metric: str, count: Count, axes: Sequence[Axis]) -> Formula:
    """The closed formula of a count near the base point. Raises NoFormulaError."""
    return _Fit(metric, count, axes).formula()


class _Fit:
    """One search: the count, and where it was compared with the polynomial found."""

    def __init__(self, metric: str, count: Count, axes: Sequence[Axis]) -> None:
        self.metric = metric
        self.count = count
        self.axes = axes
        self.names = [axis.name for axis in axes]
        self.base = {axis.name: axis.base for axis in axes}
        self.random = Random(0)
        self.polynomial = Polynomial(())
        self.grid: set[tuple[Fraction, ...]] = set()
        self.agreeing: set[tuple[Fraction, ...]] = set()

    def formula(self) -> Formula:
        """The formula. Raises NoFormulaError."""
        lines: dict[str, _Line] = {}
        at: Point = self.base
        for turn in range(ROUNDS):
            lines = {axis.name: self._line(axis, at).joined(lines.get(axis.name)) for axis in self.axes}
            nodes = self._nodes(list(lines.values()), turn)
            self.polynomial = self._interpolated(nodes)
            wrong = next(self._disagreements(lines), None)
            if wrong is None:
                anchor = dict(zip(self.names, (values[0] for values in nodes), strict=True))
                return self._result(lines, anchor)
            at = wrong
        raise NoFormulaError(f"{self.polynomial} does not hold at {_point_text(at)}: {self._compared(at)}")

    # ---- along one variable ------------------------------------------------------------------------

    def _line(self, axis: Axis, at: Point) -> _Line:
        """The counts as a polynomial of the variable in the smallest step that does, the others as in ``at``.

        Where none does throughout, the smallest in which they are one up to some value, if only the start.
        """
        finest = True
        for step in axis.steps:
            line = _Line(axis, step, 1, 0, 0, finest=finest)
            found = self._checked_line(line, 1, at)
            if found is None and self._value_at(line, 1, at) is not None:
                # once more from further away: near the start there may be a value that is a case of its own
                found = self._checked_line(line, MAX_DEGREE + 4, at) if finest else None
                finest = False
            if found is not None:
                return found
        for step, direction in product(axis.steps, (1, -1)):
            found = self._checked_line(_Line(axis, step, direction, 0, 0, bounded=direction > 0), 1, at)
            if found is not None:
                return replace(found, bounded=True)
        raise NoFormulaError(
            f"they are no polynomial of `{axis.name}` of degree {MAX_DEGREE} or less from {shown(axis.base)} on, "
            f"in no step up to {shown(axis.steps[-1])}"
        )

    def _value_at(self, line: _Line, steps: int, at: Point) -> int | None:
        value = line.value(steps)
        return self.count({**at, line.axis.name: value}) if value >= line.axis.least else None

    def _checked_line(self, line: _Line, start: int, at: Point) -> _Line | None:
        """The line with its degree, if its values ``start`` steps away are a polynomial that holds further on."""
        counts: list[Fraction] = []
        for steps in range(start, start + MAX_DEGREE + 1 + CONFIRMATIONS):
            found = self._value_at(line, steps, at)
            if found is None:
                return None
            counts.append(Fraction(found))
            if len(counts) > CONFIRMATIONS and (degree := len(counts) - 1 - CONFIRMATIONS) == _degree(counts):
                xs = [Fraction(start + i) for i in range(degree + 1)]
                expected = _Univariate(coefficients(xs, counts[: degree + 1]))
                known = replace(line, degree=degree, reach=start + degree + CONFIRMATIONS)
                return (self._ended if line.bounded else self._far_checked)(known, start, expected, at)
        return None

    def _far_checked(self, line: _Line, start: int, expected: _Univariate, at: Point) -> _Line | None:
        """The line, unless the counts at its start or far away are not ``expected`` at more than lone values."""

        def agrees(steps: int) -> bool | None:
            found = self._value_at(line, steps, at)
            return None if found is None else found == expected(steps)

        reach, exceptions = line.reach, set()
        for steps in (0, *(start + far + self.random.randrange(far // 2) for far in line.axis.far)):
            fits = agrees(steps)
            if fits is False:
                # a lone value at which the network takes another form, such as a width that needs no projection
                if not line.finest or False in (agrees(steps - 1), agrees(steps + 1)):
                    return None
                exceptions.add(line.value(steps))
            elif fits:
                reach = max(reach, steps)
        return replace(line, reach=reach, exceptions=frozenset(exceptions))

    def _ended(self, line: _Line, start: int, expected: _Univariate, at: Point) -> _Line | None:
        """The line up to where the counts are another, found by halving; None unless it holds at its start."""

        def agrees(steps: int) -> bool:
            return self._value_at(line, steps, at) == expected(steps)

        if not agrees(0):
            return None
        right = line.reach
        wrong = next((start + far for far in line.axis.far if not agrees(start + far)), line.axis.far[-1])
        while wrong - right > 1:
            middle = (right + wrong) // 2
            right, wrong = (middle, wrong) if agrees(middle) else (right, middle)
        within = [self.random.randint(0, right) for _ in line.axis.far]
        return replace(line, reach=right) if all(map(agrees, within)) else None

    # ---- of all variables --------------------------------------------------------------------------

    def _nodes(self, lines: Sequence[_Line], turn: int) -> list[list[Fraction]]:
        """The grid's values for each variable.

        Their numbers of steps differ, as equal widths may be a case of their own.
        """
        nodes, start = [], 1 + turn
        for line in lines:
            nodes.append([line.value(start + i) for i in range(line.degree + 1)])
            if line.reach > start + 2 * (line.degree + 1):
                start += line.degree + 1
        return nodes

    def _interpolated(self, nodes: Sequence[Sequence[Fraction]]) -> Polynomial:
        def value(key: tuple[Fraction, ...]) -> Fraction:
            found = self.count(dict(zip(self.names, key, strict=True)))
            if found is None:
                point = _point_text(dict(zip(self.names, key, strict=True)))
                raise NoFormulaError(f"the network refuses {point}, though not each of these values alone")
            self.grid.add(key)
            return Fraction(found)

        return interpolated(self.names, nodes, value)

    def _disagreements(self, lines: Mapping[str, _Line]) -> Iterator[Point]:
        """Random points of the lattice where the network's count is another than the polynomial's."""
        asked = 0
        for _ in range(4 * JOINT_CHECKS):
            point = {name: line.value(self.random.randint(0, min(line.reach, 60))) for name, line in lines.items()}
            exceptional = any(point[name] in line.exceptions for name, line in lines.items())
            if exceptional or len(set(point.values())) < len(point):
                continue
            fits = self._agrees(point)
            if fits is False:
                yield point
            asked += fits is not None
            if asked == JOINT_CHECKS:
                return
        if asked < CONFIRMATIONS and len(lines) > 1:
            raise NoFormulaError(f"the network refuses nearly all values of {', '.join(lines)} together")

    def _agrees(self, point: Point) -> bool | None:
        """Whether the count there is the polynomial's; None where the network refuses the point."""
        if any(point[axis.name] < axis.least for axis in self.axes):
            return None
        found = self.count(point)
        if found is None:
            return None
        key = tuple(point[name] for name in self.names)
        if found == self.polynomial.at(point) and key not in self.grid:
            self.agreeing.add(key)
        return found == self.polynomial.at(point)

    # ---- where it holds ----------------------------------------------------------------------------

    def _result(self, lines: Mapping[str, _Line], anchor: Point) -> Formula:
        domains = tuple(self._domain(line, anchor) for line in lines.values())
        unequal = tuple(pair for pair in combinations(self.names, 2) if self._must_differ(lines, pair, anchor))
        wrong: Point | None = None
        for narrower in self._narrower(domains):
            formula = Formula(self.metric, self.polynomial, narrower, unequal, 0)
            wrong = self._wrong_within(formula)
            if wrong is None:
                return replace(formula, checked=len(self.agreeing))
        assert wrong is not None
        raise NoFormulaError(f"{self.polynomial} does not hold at {_point_text(wrong)}: {self._compared(wrong)}")

    def _narrower(self, domains: tuple[Domain, ...]) -> Iterator[tuple[Domain, ...]]:
        """Ranges to try: what holds for each variable alone need not hold for all of them together."""
        for _ in range(NARROWED if len(domains) > 1 else 1):
            yield domains
            yield tuple(map(self._from_base, domains))
            domains = tuple(map(self._halved, domains))

    def _halved(self, domain: Domain) -> Domain:
        """The half of the steps from the base on, if the domain has more than a few."""
        steps = _steps(domain)
        if steps < JOINT_CHECKS:
            return domain
        last = domain.first + steps // 2 * domain.step
        exceptions = tuple(value for value in domain.exceptions if value <= last)
        return replace(domain, last=last, bounded=False, exceptions=exceptions)

    def _from_base(self, domain: Domain) -> Domain:
        base = self.base[domain.variable]
        return replace(domain, first=base, exceptions=tuple(value for value in domain.exceptions if value >= base))

    def _wrong_within(self, formula: Formula) -> Point | None:
        """A point where the formula should hold and does not: among the corners, the base and random ones."""
        points = [self.base, *self._corners(formula.domains)]
        points += [{d.variable: self._any(d) for d in formula.domains} for _ in range(JOINT_CHECKS)]
        within = (point for point in points if formula.holds_at(point))
        return next((point for point in within if self._agrees(point) is False), None)

    def _any(self, domain: Domain) -> Fraction:
        """A random value: small and large ones are as likely."""
        steps = _steps(domain)
        most = min(2 ** self.random.randint(0, steps.bit_length()), steps)
        return domain.first + domain.step * self.random.randint(0, most)

    def _corners(self, domains: Sequence[Domain]) -> Iterator[Point]:
        """The least and the greatest values, in all combinations of up to three variables."""
        for ends in product(*((d.first, d.first + d.step * _steps(d)) for d in domains[:3])):
            yield {**self.base, **dict(zip(self.names, ends, strict=False))}

    def _domain(self, line: _Line, anchor: Point) -> Domain:
        name, step = line.axis.name, line.step
        known = anchor[name]

        def agrees(value: Fraction) -> bool | None:
            return self._agrees({**anchor, name: value})

        extent = Extent(known, step, line.axis.least, agrees)
        first = extent.first()
        last = max(line.value(line.reach) if line.direction > 0 else line.axis.base, known)
        last = extent.reached(last, line.axis.greatest)
        values = [*extent.samples(first, last, self.random), *extent.nearest(line.axis.special)]
        first, last = extent.narrowed(first, last, [*values, *line.exceptions, line.axis.base])
        if not first <= line.axis.base <= last:
            raise NoFormulaError(
                f"{self.polynomial} holds for {name} = {shown(known)} but not for {shown(line.axis.base)}: "
                f"{self._compared({**anchor, name: line.axis.base})}"
            )
        exceptions = tuple(sorted(value for value in extent.exceptions if first <= value <= last))
        return Domain(name, first, step, last, exceptions, agrees(last + step) is False)

    def _must_differ(self, lines: Mapping[str, _Line], pair: tuple[str, str], anchor: Point) -> bool:
        """Whether the formula fails wherever these two variables are equal."""
        first, second = (lines[name] for name in pair)
        candidates: Iterable[Fraction] = (first.value(steps) for steps in range(min(first.reach, 60)))
        shared = [v for v in candidates if v >= second.axis.least and (v - second.axis.base) % second.step == 0][:2]
        fits = [self._agrees({**anchor, pair[0]: value, pair[1]: value}) for value in shared]
        return bool(fits) and all(fit is False for fit in fits)

    def _compared(self, point: Point) -> str:
        return f"the network has {self.count(point):_}, the formula gives {shown(self.polynomial.at(point))}"


class _Univariate:
    """A polynomial of one variable by its coefficients, lowest first."""

    def __init__(self, coefficients: Sequence[Fraction]) -> None:
        self.coefficients = coefficients

    def __call__(self, x: int) -> Fraction:
        return sum((c * x**i for i, c in enumerate(self.coefficients)), start=Fraction(0))


def _degree(values: Sequence[Fraction]) -> int:
    """The degree of the polynomial through values at equal distances, by differences: -1 for zeros alone."""
    differences, degree = list(values), -1
    while any(differences):
        differences = [b - a for a, b in pairwise(differences)]
        degree += 1
    return max(degree, 0)


def _steps(domain: Domain) -> int:
    """How many steps the checked values of a domain span."""
    return int((domain.last - domain.first) / domain.step)


def _point_text(point: Point) -> str:
    return ", ".join(f"{name} = {shown(value)}" for name, value in point.items())
