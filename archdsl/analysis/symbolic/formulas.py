"""Closed formulas of a network's counts: the polynomial, and the values of its variables for which it holds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from numbers import Integral, Real
from typing import Any

from archdsl.analysis.symbolic.polynomials import Polynomial
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError

Number = int | float | Fraction


@dataclass(frozen=True, slots=True)
class Domain:
    """The values of one variable for which a formula was found to hold: from ``first`` to ``last`` in equal steps.

    ``exceptions`` are single values among them at which the network takes another form. ``last`` is the greatest value
    at which the formula was compared with the network's own count; where it is ``bounded``, the counts are others from
    the next value on, else nothing is known beyond.
    """

    variable: str
    first: Fraction
    step: Fraction
    last: Fraction
    exceptions: tuple[Fraction, ...] = ()
    bounded: bool = False

    def __contains__(self, value: Fraction) -> bool:
        return self.first <= value <= self.last and self.has(value) and value not in self.exceptions

    def has(self, value: Fraction) -> bool:
        """Whether the value is a whole number of steps from ``first``."""
        return (value - self.first) % self.step == 0

    def __str__(self) -> str:
        values = [value for i in range(4) if (value := self.first + i * self.step) <= self.last]
        written = ", ".join(map(shown, values if values[-1] == self.last else values[:3]))
        dots = "" if values[-1] == self.last else f", ..., {shown(self.last)}"
        text = f"{self.variable} = {written}{dots}"
        return text + (f" except {', '.join(map(shown, self.exceptions))}" if self.exceptions else "")

    def as_json(self) -> dict[str, Any]:
        """The fields, numbers as ``json`` writes them."""
        numbers = {name: plain(getattr(self, name)) for name in ("first", "step", "last")}
        exceptions = [plain(value) for value in self.exceptions]
        return {"variable": self.variable, **numbers, "exceptions": exceptions, "bounded": self.bounded}


@dataclass(frozen=True, slots=True)
class Formula:
    """A count (``parameters`` or ``macs``) as a polynomial, which holds where the ``domains`` say.

    It was compared with the network at the ends of each domain, at random values and powers of two between them, and at
    the numbers that the spec writes; not at every value, so that a lone exception elsewhere may have been missed.
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
        """Whether it was found to hold for these values; False beyond the values up to which it was compared.

        Raises ArchError E409 unless just its variables are given, each a number.
        """
        point = self._point(values)
        apart = all(point[a] != point[b] for a, b in self.unequal)
        return apart and all(point[domain.variable] in domain for domain in self.domains)

    def at(self, **values: Number) -> int:
        """The count for these values of all variables.

        Raises ArchError: E409 unless just the variables are given, each a number; E803 where the formula does not hold,
        and beyond the values up to which it was compared with the network.
        """
        if not self.holds_at(values):
            raise self._refused(self._point(values))
        found = self.polynomial.at(self._point(values))
        assert found.denominator == 1, f"{self.polynomial} is {found} within its domain"
        return int(found)

    def _refused(self, point: Mapping[str, Fraction]) -> ArchError:
        beyond = [d for d in self.domains if point[d.variable] > d.last and d.has(point[d.variable]) and not d.bounded]
        given = ", ".join(f"{name} = {shown(value)}" for name, value in point.items())
        message = f"the formula of the {named(self.metric)} does not hold for {given}"
        if beyond:
            message = (
                f"the formula of the {named(self.metric)} was compared with the network up to "
                f"{beyond[0].variable} = {shown(beyond[0].last)}, not at {shown(point[beyond[0].variable])}"
            )
        hints = f"it holds for {self.condition}", f"`archdsl.stats` counts the network for {given}"
        return ArchError(Diagnostic("E803", message, help=hints))

    def _point(self, values: Mapping[str, Number]) -> dict[str, Fraction]:
        names = [domain.variable for domain in self.domains]
        if sorted(values) != sorted(names):
            message = f"a formula in {', '.join(names)} is given {', '.join(values) or 'no values'}"
            raise ArchError(Diagnostic("E409", message, help="give each of its variables a value"))
        return {name: exact(values[name], name) for name in names}

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


def named(metric: str) -> str:
    """A metric as a sentence has it."""
    return {"macs": "MACs", "memory": "bytes of memory"}.get(metric, metric)


def exact(value: object, name: str = "") -> Fraction:
    """The number as it is written: 0.1 is a tenth, not the float next to it.

    Raises ArchError E409, about ``name``, for what is no finite number.
    """
    if isinstance(value, Fraction):
        return value
    if isinstance(value, Integral) and not isinstance(value, bool):
        return Fraction(int(value))
    if isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value):
        return Fraction(repr(float(value)))
    wanted = f"`{name}` takes a number" if name else "a number is expected"
    raise ArchError(Diagnostic("E409", f"{wanted}, not {value!r}", help="write it as in `16` or `0.5`"))


def plain(value: Fraction) -> int | float:
    """The number as Python and JSON have it."""
    return int(value) if value.denominator == 1 else float(value)


def shown(value: Fraction) -> str:
    """``1_000`` or ``0.25``, as the language writes it."""
    return f"{int(value):_}" if value.denominator == 1 else str(float(value))
