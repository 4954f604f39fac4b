"""Closed formulas of a network's counts: the polynomial, and the values of its variables for which it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from archdsl.analysis.polynomials import Polynomial
from archdsl.diagnostics import ArchError, Diagnostic

Number = int | float | Fraction


@dataclass(frozen=True, slots=True)
class Domain:
    """The values of one variable for which a formula holds: ``first``, then every ``step``, but for ``exceptions``.

    ``last`` is the greatest value at which the formula was compared with the network's own count; where it is
    ``bounded`` the counts are others beyond.
    """

    variable: str
    first: Fraction
    step: Fraction
    last: Fraction
    exceptions: tuple[Fraction, ...] = ()
    bounded: bool = False

    def __contains__(self, value: Fraction) -> bool:
        if value < self.first or (self.bounded and value > self.last) or value in self.exceptions:
            return False
        return (value - self.first) % self.step == 0

    def __str__(self) -> str:
        values = [value for i in range(3) if (value := self.first + i * self.step) <= self.last]
        dots = ", ..." if len(values) == 3 else ""
        if self.bounded and values[-1] < self.last:
            dots += f", {shown(self.last)}"
        text = f"{self.variable} = {', '.join(map(shown, values))}{dots}"
        return text + (f" except {', '.join(map(shown, self.exceptions))}" if self.exceptions else "")

    def as_json(self) -> dict[str, Any]:
        """The fields, numbers as ``json`` writes them."""
        numbers = {name: plain(getattr(self, name)) for name in ("first", "step", "last")}
        exceptions = [plain(value) for value in self.exceptions]
        return {"variable": self.variable, **numbers, "exceptions": exceptions, "bounded": self.bounded}


@dataclass(frozen=True, slots=True)
class Formula:
    """A count (``parameters`` or ``macs``) as a polynomial, exact wherever the ``domains`` say that it holds.

    ``unequal`` are pairs of variables that must differ, as where a block takes another form once two widths agree.
    ``checked`` is the number of points, none of them used to find the polynomial, at which it was compared with the
    network's own count and found equal.
    """

    metric: str
    polynomial: Polynomial
    domains: tuple[Domain, ...]
    unequal: tuple[tuple[str, str], ...]
    checked: int

    def holds_at(self, values: Mapping[str, Number]) -> bool:
        """Whether it was found to hold for these values. Raises ArchError E409 unless they are its variables."""
        point = self._point(values)
        apart = all(point[a] != point[b] for a, b in self.unequal)
        return apart and all(point[domain.variable] in domain for domain in self.domains)

    def at(self, **values: Number) -> int:
        """The count for these values of all variables.

        Raises ArchError: E409 unless just the variables are given, E803 where the formula does not hold.
        """
        if not self.holds_at(values):
            given = ", ".join(f"{name} = {shown(value)}" for name, value in self._point(values).items())
            message = f"the formula of the {self.metric} does not hold for {given}"
            raise ArchError(Diagnostic("E803", message, help=(f"it holds for {self.condition}",)))
        found = self.polynomial.at(self._point(values))
        assert found.denominator == 1, f"{self.polynomial} is {found} within its domain"
        return int(found)

    def _point(self, values: Mapping[str, Number]) -> dict[str, Fraction]:
        names = [domain.variable for domain in self.domains]
        if sorted(values) != sorted(names):
            message = f"a formula in {', '.join(names)} is given {', '.join(values) or 'no values'}"
            raise ArchError(Diagnostic("E409", message, help=("give each of its variables a value",)))
        return {name: exact(values[name]) for name in names}

    @property
    def condition(self) -> str:
        """For which values it holds: ``size = 32, 64, 96, ...``."""
        apart = [f"{a} other than {b}" for a, b in self.unequal]
        return "; ".join([*map(str, self.domains), *apart])

    def __str__(self) -> str:
        return f"{self.metric} = {self.polynomial}"

    def as_json(self) -> dict[str, Any]:
        """``coefficient`` is a pair, numerator and denominator, as JSON has no exact fractions."""
        return {
            "metric": self.metric,
            "text": str(self.polynomial),
            "terms": [
                {"coefficient": list(term.coefficient.as_integer_ratio()), "powers": dict(term.powers)}
                for term in self.polynomial.terms
            ],
            "domains": [domain.as_json() for domain in self.domains],
            "unequal": [list(pair) for pair in self.unequal],
            "checked": self.checked,
        }


def exact(value: Number) -> Fraction:
    """The number as it is written: 0.1 is a tenth, not the float next to it."""
    return Fraction(repr(value)) if isinstance(value, float) else Fraction(value)


def plain(value: Fraction) -> int | float:
    """The number as Python and JSON have it."""
    return int(value) if value.denominator == 1 else float(value)


def shown(value: Fraction) -> str:
    """``1_000`` or ``0.25``, as the language writes it."""
    return f"{int(value):_}" if value.denominator == 1 else str(float(value))
