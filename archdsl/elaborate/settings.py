"""Parameters that a caller sets: Python's values as the language has them."""

from __future__ import annotations

import math

from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError
from archdsl.elaborate.interpreter.values import Given
from archdsl.language import syntax


def from_value(name: str, value: object, network: syntax.Network) -> Given:
    """A caller's value as the language has it. Raises ArchError E409 for what it does not have."""
    converted = _converted(value)
    if converted is _UNKNOWN:
        message = f"the parameter `{name}` is set to {value!r}, which is no value of the language"
        hint = "pass a finite number, a string, True, False, None or a list of these"
        raise ArchError(Diagnostic("E409", message, network.name.span, help=hint))
    return Given(converted, None)


_UNKNOWN = object()


def _converted(value: object) -> object:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _UNKNOWN
    if isinstance(value, list | tuple):
        items = tuple(_converted(item) for item in value)
        return _UNKNOWN if _UNKNOWN in items else items
    return _UNKNOWN
