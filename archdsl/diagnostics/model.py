"""Diagnostics as data: what is wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from archdsl.base.source import Span
from archdsl.diagnostics.codes import Code, Severity, severity_of


@dataclass(frozen=True, slots=True)
class Label:
    """A place and what stands there, written behind its mark."""

    span: Span
    text: str = ""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing found: an error, a warning or a note, as its code says.

    ``primary`` is where it is (None only where no text is involved, as with a missing file);
    ``labels`` are further places; ``notes`` are lines such as the chain of blocks it was built
    through; ``help`` says what to do. ``variants`` are the headers of networks, as ``base(width = 8)``, with
    whose values and changes a base's text was built, the nearest first.
    """

    code: Code
    message: str
    primary: Label | None
    labels: tuple[Label, ...]
    notes: tuple[str, ...]
    help: tuple[str, ...]
    variants: tuple[Span, ...]

    def __init__(
        self,
        code: Code,
        message: str,
        primary: Label | Span | None = None,
        labels: Iterable[Label] = (),
        notes: Iterable[str] = (),
        help: str | Iterable[str] = (),
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
            "variants": tuple(variants),
        }
        for name, value in found.items():
            object.__setattr__(self, name, value)

    @property
    def severity(self) -> Severity:
        return severity_of(self.code)

    @property
    def span(self) -> Span | None:
        return self.primary.span if self.primary else None
