"""Text to syntax: a module as far as its text goes, the comments in it, and every syntax error beside them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

from archdsl.base.collection import collection_paused
from archdsl.base.limits import DEFAULT_LIMITS, Limits, how_to_raise
from archdsl.base.source import Source, Span
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import in_order
from archdsl.language.parser.automaton import Automaton
from archdsl.language.parser.giving_up import GivenUpError, SyntaxProblems
from archdsl.language.parser.kinds import END
from archdsl.language.parser.messages import describe
from archdsl.language.parser.nodes import NodeBuilder
from archdsl.language.parser.recovery import Recovery
from archdsl.language.parser.salvage import end_of_text, open_bodies_closed
from archdsl.language.parser.tokens import Tokenizer
from archdsl.language.parser.trivia import Comment, comments_in
from archdsl.language.syntax import Constant, Expression, Module


@dataclass(frozen=True)
class Parsed:
    """What a text says. With ``diagnostics``, sorted by place, the module is what is sure of it."""

    module: Module
    diagnostics: tuple[Diagnostic, ...]

    @cached_property
    def comments(self) -> tuple[Comment, ...]:
        """All comments of the text, in order; found when first asked for, as a network does not depend on them."""
        return tuple(comments_in(self.module.source))


def parse(source: Source, limits: Limits = DEFAULT_LIMITS) -> Parsed:
    """The module that a file's text is, as far as it goes, and every syntax error found in it.

    What was read before and behind an error is there. A body that is never closed ends where something follows that
    cannot stand in it, or with the text.
    """
    return _Parse(source, limits).module()


def parse_expression(source: Source, limits: Limits = DEFAULT_LIMITS) -> Expression:
    """A text that is one expression, such as a setting's value; raises ArchError with every syntax error in it."""
    return _Parse(source, limits).expression()


class _Parse:
    """One text being parsed."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self.source = source
        self.limits = limits
        self.problems = SyntaxProblems()
        self.builder = NodeBuilder(source, limits, self.problems, self._part)

    def module(self) -> Parsed:
        value = self._whole("module")
        return Parsed(Module(self.source, ()) if value is None else value, in_order(self.problems))

    def expression(self) -> Expression:
        value: Expression = self._whole("expression")
        self.problems.raise_errors()
        return value

    def _whole(self, start: str) -> Any:
        """The value of the whole text; None where nothing of it can be used."""
        fault = self._size_fault()
        if fault is not None:
            self.problems.add(fault)
            return None
        with collection_paused():
            value = self._run(start)
        with suppress(GivenUpError):
            self.builder.report_labels()
        return value

    def _size_fault(self) -> Diagnostic | None:
        limit, text = self.limits.source_bytes, self.source.text
        if len(text) * 4 <= limit or len(text.encode("utf-8", "surrogatepass")) <= limit:
            return None
        help = how_to_raise("source_bytes", limit)
        return Diagnostic("E501", f"the text is larger than {limit} bytes", self._start(), help=help)

    def _start(self) -> Span:
        return Span(self.source, 0, 0)

    def _run(self, start: str) -> Any:
        """The value of the text, past the errors in it; where there is no going on, of what was read."""
        tokenizer = Tokenizer(self.source.text)
        automaton = Automaton(start, self.builder)
        try:
            self._read(start, tokenizer, automaton)
        except GivenUpError:
            open_bodies_closed(automaton, tokenizer.read_to)
            end_of_text(automaton)
        return next(iter(automaton.values), None)

    def _read(self, start: str, tokenizer: Tokenizer, automaton: Automaton) -> None:
        recovery = Recovery(self.source, automaton, self.problems, tokenizer)
        tokens = iter(tokenizer)
        token = automaton.advance(tokens)
        if token and token.kind == END and not automaton.values and start == "module":
            self.problems.add(Diagnostic("E003", "there is nothing in the file", self._start()))
            return
        while token is not None:
            repaired = recovery.resume(token, tokens)
            token = automaton.advance(chain(repaired, tokens))

    def _part(self, start: int, end: int) -> Expression:
        """The expression that stands between ``start`` and ``end``, in a string."""
        tokenizer = Tokenizer(self.source.text, start, end)
        automaton = Automaton("expression", self.builder)
        token = automaton.advance(tokenizer)
        if token is None:
            expression: Expression = automaton.values[0]
            return expression
        recovery = Recovery(self.source, automaton, self.problems, tokenizer)
        self.builder.problems.add(describe(recovery.mistake_in_string(token, start)))
        return Constant(Span(self.source, start, end), None)
