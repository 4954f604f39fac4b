"""Diagnostics on their way to whoever reads them: collected, each once, and raised."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from archdsl.diagnostics.codes import Code
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.rendering import render_text


class ArchError(Exception):
    """A wrong spec, weight file or request: carries one error or more and what was found beside, sorted by place."""

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic]) -> None:
        found = [diagnostics] if isinstance(diagnostics, Diagnostic) else list(diagnostics)
        self.diagnostics = in_order(found)
        super().__init__("\n".join(f"{d.code}: {d.message}" for d in self.diagnostics))

    def __str__(self) -> str:
        return "\n" + "\n".join(render_text(d) for d in self.diagnostics)


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sorted by place; those without one come first."""
    return tuple(sorted(diagnostics, key=_place))


class Problems:
    """Collects diagnostics; a fault that shows again in a variant, or in a further use of a block, is kept once."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], list[Diagnostic]] = {}

    def add(self, diagnostic: Diagnostic) -> None:
        """Keeps it unless it repeats one that is there; drops those that repeat it."""
        known = self._found.setdefault((diagnostic.code, _place(diagnostic)), [])
        if not any(_repeats(diagnostic, each) for each in known):
            known[:] = [*(each for each in known if not _repeats(each, diagnostic)), diagnostic]

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        for diagnostic in diagnostics:
            self.add(diagnostic)

    @property
    def errors(self) -> int:
        """How many of them are errors; warnings and notes stop nothing."""
        return sum(diagnostic.severity == "error" for diagnostic in self)

    def raise_errors(self) -> None:
        """Raises ArchError with everything found, if there is an error among it."""
        if self.errors:
            raise ArchError(self)

    def __iter__(self) -> Iterator[Diagnostic]:
        return chain.from_iterable(self._found.values())

    def __len__(self) -> int:
        return sum(map(len, self._found.values()))


_OF_TEXT: tuple[Code, ...] = ("E201", "E202", "E203", "E206", "E207")
"""Faults of how names are written: at one place they are one mistake, whatever it is built with."""


def _repeats(later: Diagnostic, first: Diagnostic) -> bool:
    """Whether one of two faults of a code and place is the other: said again, or in a variant of a base that has it."""
    if later.code in _OF_TEXT and later.span:
        return True
    if later.variants == first.variants:
        return later.message == first.message
    return later.variants[: len(first.variants)] == first.variants


def _place(diagnostic: Diagnostic) -> tuple[str, int, int]:
    span = diagnostic.span
    return (span.source.name, span.start, span.end) if span else ("", 0, 0)
