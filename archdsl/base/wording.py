"""How names stand in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def quoted(names: Iterable[str]) -> str:
    """Each name as code, with commas: `` `a`, `b` ``."""
    return ", ".join([f"`{name}`" for name in names])


def either(choices: Sequence[str]) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    return f"{', '.join(choices[:-1])} or {choices[-1]}" if len(choices) > 1 else choices[0]


def did_you_mean(name: str | None = None) -> str:
    """The question for a name that is near to what was written; nothing where none is."""
    return f"did you mean `{name}`?" if name else ""


def cut(text: str, most: int = 40) -> str:
    """What somebody wrote, to be repeated in a message: its start, where it is long."""
    return text if len(text) <= most else f"{text[:most]}..."
