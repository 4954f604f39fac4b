"""Diagnostics as data: what is wrong, where, and what to do. ``rendering.py`` prints them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from archdsl.base.source import Span

Severity = Literal["error", "warning"]

ErrorCode = Literal[
    # files and text
    "E001", "E002", "E003",
    # syntax
    "E101", "E102", "E103", "E104", "E105", "E106",
    # names
    "E201", "E202", "E203", "E204", "E205", "E206", "E207",
    # arguments and values
    "E211", "E212", "E213", "E214", "E215", "E221", "E222", "E223", "E224", "E225", "E226", "E227",
    # shapes
    "E301", "E302", "E303", "E304", "E305", "E306", "E307", "E308", "E309",
    # imports and networks
    "E401", "E402", "E403", "E404", "E405", "E406", "E407", "E408", "E409", "E410", "E411", "E412",
    # limits
    "E501", "E502", "E503", "E504", "E505",
    # weights, artifacts, devices
    "E601", "E602", "E603", "E604", "E605", "E606", "E607",
    # ops of one's own
    "E701", "E702",
    # analysis
    "E801", "E802", "E803", "E804",
]  # fmt: skip
"""Every code. docs/errors.md has a heading for each, tests/golden/diagnostics an example."""


@dataclass(frozen=True, slots=True)
class Label:
    """A place and what stands there, written behind its mark."""

    span: Span
    text: str = ""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One fault.

    ``primary`` is where the fault is (None only where no text is involved, as with a missing file);
    ``labels`` are further places; ``notes`` are lines such as the chain of blocks it was built
    through; ``help`` says what to do. ``variants`` are the headers of networks, as ``base(width = 8)``, with
    whose values and changes a base's text was built, the nearest first.
    """

    code: ErrorCode
    message: str
    primary: Label | None
    labels: tuple[Label, ...]
    notes: tuple[str, ...]
    help: tuple[str, ...]
    severity: Severity
    variants: tuple[Span, ...]

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        primary: Label | Span | None = None,
        labels: Iterable[Label] = (),
        notes: Iterable[str] = (),
        help: str | Iterable[str] = (),
        severity: Severity = "error",
        variants: Iterable[Span] = (),
    ) -> None:
        """``primary`` may be a bare span, ``help`` one text or several; empty texts are no help and are dropped."""
        texts = (help,) if isinstance(help, str) else help
        found: dict[str, object] = {
            "code": code,
            "message": message,
            "primary": Label(primary) if isinstance(primary, Span) else primary,
            "labels": tuple(labels),
            "notes": tuple(notes),
            "help": tuple([text for text in texts if text]),
            "severity": severity,
            "variants": tuple(variants),
        }
        for name, value in found.items():
            object.__setattr__(self, name, value)

    @property
    def span(self) -> Span | None:
        return self.primary.span if self.primary else None


class ArchError(Exception):
    """A wrong spec, weight file or request: carries one diagnostic or more, sorted by place."""

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic]) -> None:
        found = [diagnostics] if isinstance(diagnostics, Diagnostic) else list(diagnostics)
        self.diagnostics: tuple[Diagnostic, ...] = tuple(sorted(found, key=_place))
        super().__init__("\n".join(f"{d.code}: {d.message}" for d in self.diagnostics))

    def __str__(self) -> str:
        from archdsl.diagnostics.rendering import render_text

        return "\n" + "\n".join(render_text(d) for d in self.diagnostics)


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

    def raise_if_any(self) -> None:
        if self._found:
            raise ArchError(self)

    def __iter__(self) -> Iterator[Diagnostic]:
        return chain.from_iterable(self._found.values())

    def __len__(self) -> int:
        return sum(map(len, self._found.values()))


_OF_TEXT: tuple[ErrorCode, ...] = ("E201", "E202", "E203", "E206", "E207")
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
