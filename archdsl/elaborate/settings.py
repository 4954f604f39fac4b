"""Parameters that a caller sets, and the input's size: Python's values as the language has them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Set

from archdsl.base.limits import Limits
from archdsl.base.source import Source
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError
from archdsl.elaborate.interpreter.environment import Given
from archdsl.language import syntax
from archdsl.language.parser import parse_expression

InputSize = tuple[int, ...] | str
"""Sizes without the batch: ``(3, 32, 32)`` or ``"3x32x32"``."""


def settings_of(
    network: syntax.Network, texts: Mapping[str, str], values: Mapping[str, object], limits: Limits
) -> dict[str, Given | syntax.Expression]:
    """What a caller sets, as spec texts and as values, which come first. Raises ArchError for what is neither."""
    parsed = {name: parse_expression(Source(f"--set {name}", text), limits) for name, text in texts.items()}
    return {**parsed, **{name: from_value(name, value, network) for name, value in values.items()}}


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


def sizes_of(size: object) -> tuple[int, ...]:
    """The sizes of an input that a caller gives. Raises ArchError E309 for what is none."""
    try:
        parts = _parts(size)
        sizes = tuple(int(part) for part in parts)
        if sizes and all(size == part or isinstance(part, str) for size, part in zip(sizes, parts, strict=True)):
            return sizes
    except (TypeError, ValueError, OverflowError):
        pass
    hint = "write sizes without the batch, such as `3x32x32`"
    raise ArchError(Diagnostic("E309", f"`{size}` is no input size", help=hint))


def _parts(size: object) -> tuple[str, ...] | tuple[int, ...]:
    if isinstance(size, str):
        return tuple(size.split("x"))
    if isinstance(size, bytes | bytearray | Mapping | Set) or not isinstance(size, Iterable):
        raise TypeError  # no order, or numbers that are characters
    return tuple(size)
