"""Amounts as people write and read them: of memory (``24GiB``), of things counted (``25M``), of examples."""

from __future__ import annotations

import re
from fractions import Fraction
from operator import index

from archdsl.base.wording import cut
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError

_PREFIXES = "KMGTP"
UNITS = {"B": 1} | {
    f"{prefix}{suffix}": base**power
    for power, prefix in enumerate(_PREFIXES, 1)
    for suffix, base in (("", 1000), ("B", 1000), ("iB", 1024))
}
"""Bytes in each unit: KB and K are 1000, KiB 1024, as the IEC has it."""

_BY_NAME = {name.lower(): size for name, size in UNITS.items()}
_AMOUNT = re.compile(
    r"((?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9][0-9_]*)(?:\.[0-9]+)?(?:[eE]\+?[0-9]{1,2})?|\.[0-9]+) ?([A-Za-z]*)"
)
"""Digits as people and reports write them: ``25000000``, ``25_000_000``, ``25,000,000``, ``2.5e7``."""
_MOST_DIGITS = 40
"""No amount of bytes has more, and none that has more is worth reading."""


def bytes_of(text: str) -> int:
    """The bytes that ``24GiB``, ``512 MB``, ``2e9`` or ``1_000_000`` mean, at least one; capitals do not matter.

    Raises ArchError E801 for another unit, and for what is no whole, positive number of bytes.
    """
    match = _AMOUNT.fullmatch(text.strip()) if len(text) <= _MOST_DIGITS else None
    if match is None:
        raise _refused(f"`{cut(text)}` is no amount of memory")
    unit = _BY_NAME.get(match[2].lower() or "b")
    if unit is None:
        raise _refused(f"`{match[2]}` is no unit of memory")
    amount = _number(match[1]) * unit
    if amount.denominator != 1 or amount < 1:
        raise _refused(f"`{cut(text)}` is no whole, positive number of bytes")
    return int(amount)


COUNTS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def count_of(text: str) -> int:
    """The number that ``25M``, ``2.5e7`` or ``25,557,032`` means; capitals do not matter, parts of one are dropped.

    Raises ArchError E801 for another unit and for what is no number.
    """
    match = _AMOUNT.fullmatch(text.strip()) if len(text) <= _MOST_DIGITS else None
    if match is None or match[2].upper() not in COUNTS:
        hint = f"write a number and, if you like, one of {', '.join(filter(None, COUNTS))}: `25M`, `4.1G`"
        raise ArchError(Diagnostic("E801", f"`{cut(text)}` is no amount of parameters or MACs", help=hint))
    return int(_number(match[1]) * COUNTS[match[2].upper()])


def _number(digits: str) -> Fraction:
    return Fraction(digits.replace("_", "").replace(",", ""))


def batch_size(batch: object) -> int:
    """The batch as an integer. Raises ArchError E801 for what is no whole number of at least 1."""
    try:
        found = index(batch)  # type: ignore[arg-type]
    except TypeError:
        message = f"a batch is a whole number of examples, not {cut(repr(batch))}"
        raise ArchError(Diagnostic("E801", message, help="write a whole number: `batch = 32`")) from None
    if found < 1:
        raise ArchError(Diagnostic("E801", f"a batch has one example or more, not {found}"))
    return found


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


def _refused(message: str) -> ArchError:
    hint = "write a number and a unit: `24GiB`, `512MB`, `1.5G`; KB, MB, GB are powers of 1000, KiB, MiB, GiB of 1024"
    return ArchError(Diagnostic("E801", message, help=hint))
