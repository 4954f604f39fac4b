"""How names stand in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def quoted(names: Iterable[str]) -> str:
    """Each name as code, with commas: `` `a`, `b` ``."""
    return ", ".join([f"`{name}`" for name in names])


def either(choices: Sequence[str]) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    return f"{', '.join(choices[:-1])} or {choices[-1]}" if len(choices) > 1 else choices[0]
