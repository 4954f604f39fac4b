"""How elaboration stops at a fault, and the chain of uses that led to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

from archdsl.base.limits import Limits
from archdsl.base.source import Span
from archdsl.diagnostics.codes import ErrorCode
from archdsl.diagnostics.model import Diagnostic, Label
from archdsl.diagnostics.problems import Problems

MAX_PROBLEMS = 50
MAX_CHAIN_NOTES = 8


class Fault(Exception):
    """A diagnostic on its way up to the statement that recovers from it."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class Poisoned(Exception):
    """Something needed the result of a step that failed; its fault is reported already."""


class Stopped(Exception):
    """A limit is reached, or there are too many problems already: no use in going on."""


class Level(NamedTuple):
    """One of the networks that are built on one another; ``header`` is what it says of its base: ``base(8)``."""

    name: str
    text: Span
    header: Span | None


class Reporter:
    """Collects faults with the chain of blocks and calls that led to them."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.problems = Problems()
        self.chain: list[tuple[str, Span]] = []
        self.networks: list[Level] = []
        """The network that is built, its base, the base of that and so on."""
        self.replaced: tuple[str, Span] | None = None
        """The last section that a variant has put in place of its base's: what it is called, and where it stands."""
        self.settings = ""
        """The parameters set from outside, as a line says them."""
        self.shape_help = ""
        """What the first fault of shapes may come from, beside its own help."""

    def fault(
        self,
        code: ErrorCode,
        message: str,
        span: Span | None,
        *,
        mark: str = "",
        labels: tuple[Label, ...] = (),
        notes: tuple[str, ...] = (),
        help: str = "",
    ) -> Fault:
        """The fault, to be raised by the caller: ``raise self.fault(...)``."""
        primary = Label(span, mark) if span else None
        variants = self._variants(self.chain[0][1] if self.chain else span)
        notes = (*notes, *self._chain_notes(), *self._variant_notes(variants))
        headers = tuple([header for _, header in variants])
        return Fault(Diagnostic(code, message, primary, labels, notes, help, variants=headers))

    def report(self, fault: Fault) -> None:
        diagnostic = fault.diagnostic
        if self.shape_help and diagnostic.code.startswith("E3"):
            diagnostic = replace(diagnostic, help=(*diagnostic.help, self.shape_help))
            self.shape_help = ""
        self.problems.add(diagnostic)
        if self.problems.errors >= MAX_PROBLEMS or fault.diagnostic.code.startswith("E5"):
            raise Stopped

    @contextmanager
    def within(self, what: str, span: Span) -> Iterator[None]:
        """Names the use at ``span`` in the notes of every fault found meanwhile."""
        self.chain.append((what, span))
        try:
            yield
        finally:
            self.chain.pop()

    def _variants(self, site: Span | None) -> list[tuple[str, Span]]:
        """The variants by whose values and changes a base was built, where ``site`` stands in the base's text."""
        if site is None or len(self.networks) < 2:
            return []
        own = next((i for i, level in enumerate(self.networks) if holds(level.text, site)), len(self.networks) - 1)
        return [(level.name, level.header) for level in reversed(self.networks[:own]) if level.header]

    def _variant_notes(self, variants: list[tuple[str, Span]]) -> Iterator[str]:
        if variants and self.replaced:
            what, span = self.replaced
            yield f"after {what}, {span.place}"
        yield from (_use(name, header) for name, header in variants)
        if self.settings:
            yield f"with {self.settings}"

    def _chain_notes(self) -> tuple[str, ...]:
        uses = [_use(what, span) for what, span in reversed(self.chain)]
        if len(uses) > MAX_CHAIN_NOTES:
            half = MAX_CHAIN_NOTES // 2
            uses = [*uses[:half], f"... {len(uses) - 2 * half} more ...", *uses[-half:]]
        return tuple(uses)


def _use(what: str, span: Span) -> str:
    return f"while building {_shortened(what)}: {_one_line(span.text)}, {span.place}"


def holds(outer: Span, inner: Span) -> bool:
    """Whether one place is inside another."""
    return outer.source is inner.source and outer.start <= inner.start and inner.end <= outer.end


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:57] + "..."


def _shortened(path: str) -> str:
    return path if len(path) <= 60 else f"{path[:28]}...{path[-28:]}"
