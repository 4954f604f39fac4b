"""How much a spec may ask for before the compiler refuses it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on a spec's text and on what it computes; passing one is a diagnostic that names it.

    They keep a mistake such as ``for i in 0..10**9`` from taking the machine with it. Any of them may
    be raised by ``--limit name=value`` or ``Limits(name=value)``.
    """

    source_bytes: int = 4 * 1024 * 1024
    """Size of one file, in bytes of UTF-8 (E501)."""

    nesting: int = 100
    """Depth of brackets, braces, ternaries and prefix operators inside one another (E502)."""

    calls: int = 200
    """Depth of blocks and functions that call one another (E503)."""

    nodes: int = 200_000
    """Nodes of the finished graph (E504)."""

    turns: int = 2_000_000
    """Turns of all loops, repeats and comprehensions together; a function's call counts as ten (E504)."""

    number_bits: int = 1024
    """Bits of a whole number (E505)."""

    list_items: int = 100_000
    """Items of one list or range made into a list (E505)."""

    text_length: int = 10_000
    """Characters of one computed string (E505)."""


DEFAULT_LIMITS = Limits()


def how_to_raise(name: str, value: int) -> str:
    """Help for a diagnostic about the limit ``name``, which stands at ``value``."""
    return f"raise the limit with `--limit {name}={2 * value}` or `limits=Limits({name}={2 * value})`"
