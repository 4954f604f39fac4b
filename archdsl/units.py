"""Amounts as people write and read them: of memory (``24GiB``, ``1.5G``), of things counted (``25M``)."""

from __future__ import annotations

import re
from fractions import Fraction

from archdsl.diagnostics import ArchError, Diagnostic

_PREFIXES = "KMGTP"
UNITS = {"B": 1} | {
    f"{prefix}{suffix}": base**power
    for power, prefix in enumerate(_PREFIXES, 1)
    for suffix, base in (("", 1000), ("B", 1000), ("iB", 1024))
}
"""Bytes in each unit: KB and K are 1000, KiB 1024, as the IEC has it."""

_BY_NAME = {name.lower(): size for name, size in UNITS.items()}
_AMOUNT = re.compile(r"([0-9][0-9_]*(?:\.[0-9]+)?|\.[0-9]+) ?([A-Za-z]*)")
_MOST_DIGITS = 40
"""No amount of bytes has more, and none that has more is worth reading."""


def bytes_of(text: str) -> int:
    """The bytes that ``24GiB``, ``512 MB``, ``1.5G`` or ``1_000_000`` mean, one at least; capitals do not matter.

    Raises ArchError E801 for another unit, and for what is no whole, positive number of bytes.
    """
    match = _AMOUNT.fullmatch(text.strip()) if len(text) <= _MOST_DIGITS else None
    if match is None:
        raise _refused(f"`{_shown(text)}` is no amount of memory")
    unit = _BY_NAME.get(match[2].lower() or "b")
    if unit is None:
        raise _refused(f"`{match[2]}` is no unit of memory")
    amount = Fraction(match[1].replace("_", "")) * unit
    if amount.denominator != 1 or amount < 1:
        raise _refused(f"`{_shown(text)}` is no whole, positive number of bytes")
    return int(amount)


COUNTS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def count_of(text: str) -> int:
    """The number that ``25M``, ``4.1G`` or ``25_557_032`` means; capitals do not matter, parts of one are dropped.

    Raises ArchError E801 for another unit and for what is no number.
    """
    match = _AMOUNT.fullmatch(text.strip()) if len(text) <= _MOST_DIGITS else None
    if match is None or match[2].upper() not in COUNTS:
        hint = f"write a number and, if you like, one of {', '.join(filter(None, COUNTS))}: `25M`, `4.1G`"
        raise ArchError(Diagnostic("E801", f"`{_shown(text)}` is no amount of parameters or MACs", help=(hint,)))
    return int(Fraction(match[1].replace("_", "")) * COUNTS[match[2].upper()])


def format_bytes(size: int) -> str:
    """``1.5 GiB`` for 1_610_612_736: the largest unit of which there is one or more, with three digits or more."""
    amount, prefixes = Fraction(size), ["", *_PREFIXES]
    index = 0
    while amount >= 1024 and index < len(_PREFIXES):
        amount, index = amount / 1024, index + 1
    if not index:
        return f"{size} B"
    digits = 0 if amount >= 100 else 1 if amount >= 10 else 2
    return f"{float(amount):.{digits}f} {prefixes[index]}iB"


def _shown(text: str) -> str:
    return text if len(text) <= _MOST_DIGITS else f"{text[:_MOST_DIGITS]}..."


def _refused(message: str) -> ArchError:
    hint = "write a number and a unit: `24GiB`, `512MB`, `1.5G`; KB, MB, GB are powers of 1000, KiB, MiB, GiB of 1024"
    return ArchError(Diagnostic("E801", message, help=(hint,)))
