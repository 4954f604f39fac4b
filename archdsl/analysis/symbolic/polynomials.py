"""Polynomials of several variables with rational coefficients: what exact counts of a network are in its numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import prod

Exponents = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Term:
    """``coefficient`` times the ``powers``: pairs of a variable and its exponent, which is at least 1."""

    coefficient: Fraction
    powers: tuple[tuple[str, int], ...] = ()

    def at(self, point: Mapping[str, Fraction]) -> Fraction:
        return self.coefficient * prod((point[name] ** exponent for name, exponent in self.powers), start=Fraction(1))

    @property
    def magnitude(self) -> str:
        """The term without its sign, as the language and Python write it: ``3 * size ** 2 / 16``."""
        factors = [name if exponent == 1 else f"{name} ** {exponent}" for name, exponent in self.powers]
        numerator, denominator = abs(self.coefficient).as_integer_ratio()
        if numerator != 1 or not factors:
            factors.insert(0, f"{numerator:_}")
        return " * ".join(factors) + (f" / {denominator:_}" if denominator != 1 else "")


@dataclass(frozen=True, slots=True)
class Polynomial:
    """A sum of terms of different powers, none of them zero; the lower degrees come first."""

    terms: tuple[Term, ...]

    def at(self, point: Mapping[str, Fraction]) -> Fraction:
        """Its value, exactly. Raises KeyError where the point lacks a variable."""
        return sum((term.at(point) for term in self.terms), start=Fraction(0))

    def __str__(self) -> str:
        if not self.terms:
            return "0"
        first, *rest = self.terms
        text = ("-" if first.coefficient < 0 else "") + first.magnitude
        return text + "".join(f" {'-' if term.coefficient < 0 else '+'} {term.magnitude}" for term in rest)


def interpolated(
    names: Sequence[str],
    nodes: Sequence[Sequence[Fraction]],
    value: Callable[[tuple[Fraction, ...]], Fraction],
) -> Polynomial:
    """The polynomial that has ``value`` at every point of the grid of ``nodes``.

    Each variable has its own distinct nodes; the degree in it is below their number. It is the only such polynomial.
    """
    table = {point: value(point) for point in product(*nodes)}
    for axis, xs in enumerate(nodes):
        table = _transformed(table, axis, xs)
    return _polynomial(names, table)


def _transformed(
    table: Mapping[tuple[Fraction, ...], Fraction], axis: int, xs: Sequence[Fraction]
) -> dict[tuple[Fraction, ...], Fraction]:
    """The table with the values along one axis replaced by coefficients, which stand where the exponent says."""
    lines = {(*key[:axis], *key[axis + 1 :]) for key in table}
    found = {}
    for line in lines:
        ys = [table[(*line[:axis], x, *line[axis:])] for x in xs]
        for exponent, coefficient in enumerate(coefficients(xs, ys)):
            found[(*line[:axis], Fraction(exponent), *line[axis:])] = coefficient
    return found


def coefficients(xs: Sequence[Fraction], ys: Iterable[Fraction]) -> list[Fraction]:
    """The coefficients, lowest first, of the polynomial through the points, by Newton's divided differences."""
    divided = list(ys)
    for order in range(1, len(xs)):
        for i in range(len(xs) - 1, order - 1, -1):
            divided[i] = (divided[i] - divided[i - 1]) / (xs[i] - xs[i - order])
    found: list[Fraction] = []
    for x, leading in zip(reversed(xs), reversed(divided), strict=True):
        # Horner: what is found so far, times (variable - x), plus the next divided difference
        shifted = [Fraction(0), *found]
        for i, coefficient in enumerate(found):
            shifted[i] -= x * coefficient
        shifted[0] += leading
        found = shifted
    return found[: len(xs)]


def _polynomial(names: Sequence[str], table: Mapping[tuple[Fraction, ...], Fraction]) -> Polynomial:
    kept = {tuple(map(int, exponents)): value for exponents, value in table.items() if value}
    ordered = sorted(kept, key=lambda exponents: (sum(exponents), [-exponent for exponent in exponents]))
    return Polynomial(tuple(Term(kept[exponents], _powers(names, exponents)) for exponents in ordered))


def _powers(names: Sequence[str], exponents: Exponents) -> tuple[tuple[str, int], ...]:
    return tuple((name, exponent) for name, exponent in zip(names, exponents, strict=True) if exponent)
