"""Going on after a syntax error, so that one run shows them all and one mistake is one error."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from archdsl.base.source import Source
from archdsl.diagnostics.model import Diagnostic
from archdsl.language.parser.automaton import Automaton
from archdsl.language.parser.brackets import open_braces, open_brackets
from archdsl.language.parser.giving_up import GivenUpError, SyntaxProblems
from archdsl.language.parser.kinds import (
    CLOSERS,
    END,
    EXPRESSION,
    FAULTS,
    MALFORMED,
    NEWLINE,
    OPENERS,
    STARTERS,
    UNKNOWN,
)
from archdsl.language.parser.messages import describe, keyword_fault
from archdsl.language.parser.mistakes import Mistake, begins_line, column, indentation
from archdsl.language.parser.salvage import line_ended, open_bodies_closed
from archdsl.language.parser.tokens import Token, Tokenizer, is_keyword

MAX_SKIPPED = 100_000
"""Tokens passed over, after all errors together; a text with more of them is not worth reading on."""

NAME_LIKE = frozenset({"ASSIGN", "COLON", "DOT", "LPAR", "COMMA", "RPAR"})
"""What follows a keyword that was meant as a name."""

NEVER_NAMES = frozenset({"IF", "ELSE", "FOR", "AND", "OR", "NOT", "EXTENDS", "IN"})
"""Keywords that nobody would use as a name where an expression may stand."""

TAKES_EXPRESSION = frozenset({"INPUT", "OUTPUT", "ASSERT", "LET", "SEQ", "IF", "ELSE", "NOT", "AND", "OR"})
"""Keywords behind which a colon is a slip, not a sign that a label was meant."""


class Recovery:
    """Reports a token that does not fit and brings parser and tokens to a place from which to go on."""

    def __init__(self, source: Source, automaton: Automaton, problems: SyntaxProblems, tokenizer: Tokenizer) -> None:
        self.source = source
        self.text = source.text
        self.automaton = automaton
        self.values = automaton.values
        self.problems = problems
        self.tokenizer = tokenizer
        self.skipped = 0

    def resume(self, token: Token, tokens: Iterator[Token]) -> list[Token]:
        """The tokens to go on with before the rest of ``tokens``; raises GivenUpError where there is no going on."""
        mistake = self.mistake(token)
        diagnostic, repaired = self._repaired(mistake)
        self.problems.add(diagnostic)
        return self._skipped(token, tokens) if repaired is None else repaired

    def mistake(self, token: Token) -> Mistake:
        openers = open_brackets(self.values)
        return Mistake(
            self.source,
            token,
            self.tokenizer.before,
            self.automaton.accepted(),
            openers[-1] if openers else None,
        )

    def mistake_in_string(self, token: Token, start: int) -> Mistake:
        """The same for an expression between braces, the first of which is right before ``start``."""
        accepted = self.automaton.accepted()
        if token.kind == END:
            token = Token("RBRACE", token.start, token.end + 1)
        if END in accepted:
            accepted = accepted - {END} | {"RBRACE"}
        brace = Token("LBRACE", start - 1, start)
        return Mistake(self.source, token, brace, accepted, brace)

    # ---- small repairs ----

    def _repaired(self, mistake: Mistake) -> tuple[Diagnostic, list[Token] | None]:
        """What is wrong, and the tokens to read in place of the one that does not fit if that is no guess."""
        token, previous = mistake.token, mistake.previous
        if token.kind == MALFORMED and self.automaton.fits(self.automaton.height, "NONE"):
            return describe(mistake), self._as_number(mistake)
        if token.kind == UNKNOWN and mistake.text.isspace():
            return describe(mistake), []
        if self._is_meant_as_name(mistake):
            as_wire = previous is not None and previous.kind == "AT"
            self.tokenizer.meaning = "NAME"
            return keyword_fault(self.source, token, as_wire=as_wire), [token._replace(kind="NAME")]
        if self._was_meant_as_name(mistake):
            return keyword_fault(self.source, self.values[-1], as_wire=False), self._renamed(token)
        return describe(mistake), self._with_brace(mistake)

    def _as_number(self, mistake: Mistake) -> list[Token]:
        """A malformed number as some operand; what follows ``3x`` belongs to it."""
        operand = mistake.token._replace(kind="NONE")
        if not mistake.text.endswith("x"):
            return [operand]
        self.tokenizer.meaning = "TIMES"
        return [operand, mistake.token._replace(kind="TIMES", start=operand.end - 1)]

    def _is_meant_as_name(self, mistake: Mistake) -> bool:
        token, accepted = mistake.token, mistake.accepted
        if not is_keyword(token.kind) or "NAME" not in accepted:
            return False
        following = next(iter(Tokenizer(self.text, token.end))).kind
        if token.kind in STARTERS and begins_line(self.text, token.start):
            return following in NAME_LIKE
        if token.kind in NEVER_NAMES:
            return "INT" not in accepted and (following in NAME_LIKE or following not in EXPRESSION - {"IN", "LBRACE"})
        return True

    def _was_meant_as_name(self, mistake: Mistake) -> bool:
        """``head: linear(10)``: the keyword was read as one, but what follows shows what it is."""
        keyword, kind = self.values[-1] if self.values else None, mistake.token.kind
        if type(keyword) is not Token or not is_keyword(keyword.kind):
            return False
        return kind == "ASSIGN" or (kind == "COLON" and keyword.kind not in TAKES_EXPRESSION)

    def _renamed(self, token: Token) -> list[Token] | None:
        keyword: Token = self.values[-1]
        below = self.automaton.height - 1
        if not self.automaton.fits(below, "NAME", token.kind):
            return None
        self.automaton.cut(below)
        return [keyword._replace(kind="NAME"), token]

    def _with_brace(self, mistake: Mistake) -> list[Token] | None:
        """``{`` where a line ends without it and the next is further in, so that there is a body."""
        token, previous = mistake.token, mistake.previous
        if token.kind != NEWLINE or previous is None or mistake.accepted & {"NAME", NEWLINE}:
            return None
        is_further_in = column(self.text, token.end) > indentation(self.text, previous.start)
        if "LBRACE" not in mistake.accepted or not is_further_in:
            return None
        brace = Token("LBRACE", previous.end, previous.end)
        self.tokenizer.brackets.append(brace)
        return [brace]

    # ---- skipping ----

    def _skipped(self, token: Token, tokens: Iterator[Token]) -> list[Token]:
        """Passes over what is left of the statement, and takes what was read of it off the parser's stacks.

        The next statement begins a line, or a closing brace ends the body; brackets are passed over in pairs.
        """
        passed = _Passed(self._closed_later(token))
        for current in chain([token], tokens):
            self._count_skipped()
            if current.kind == END:
                raise GivenUpError
            if current is token and current.kind in FAULTS:
                continue
            if not passed.open_here or (current.kind in STARTERS and not passed.braces):
                fitting = self._fitting(current)
                if fitting is not None:
                    return fitting
            passed.step_over(current.kind)
        raise GivenUpError

    def _count_skipped(self) -> None:
        self.skipped += 1
        if self.skipped > MAX_SKIPPED:
            raise GivenUpError

    def _closed_later(self, token: Token) -> list[str]:
        """The brackets of this statement that are open, if they are closed further on; else they never are."""
        kinds = [bracket.kind for bracket in open_brackets(self.values)]
        inner = kinds[len(kinds) - kinds[::-1].index("LBRACE") :] if "LBRACE" in kinds else kinds
        if not inner:
            return []
        edge = indentation(self.text, open_brackets(self.values)[-len(inner)].start)
        passed = _Passed(inner)
        for ahead in Tokenizer(self.text, token.start):
            self._count_skipped()
            if ahead.kind == END or not passed.open_here:
                break
            if not passed.braces and (ahead.kind == "RBRACE" or self._begins_statement(ahead, edge)):
                break
            passed.step_over(ahead.kind)
        return [] if passed.open_here else inner

    def _begins_statement(self, token: Token, edge: int) -> bool:
        """Whether it seems to by its keyword, or because it is no further in than the statement before."""
        if not begins_line(self.text, token.start) or token.kind in CLOSERS:
            return False
        return token.kind in STARTERS or column(self.text, token.start) <= edge

    def _fitting(self, token: Token) -> list[Token] | None:
        """The tokens to go on with if ``token`` ends a body or begins a statement around the place of the error."""
        if token.kind == "RBRACE":
            lead: list[Token] = []
        elif token.kind not in (NEWLINE, "ELSE") and begins_line(self.text, token.start):
            lead = [Token(NEWLINE, token.start, token.start)]
        else:
            return None
        if token.kind == "TIMES":
            token = token._replace(kind="NAME")
        # a statement may begin with a fault of its own
        kind = "NAME" if token.kind in FAULTS else token.kind
        for height in range(self.automaton.height, 0, -1):
            is_first = height == 1 or _is_brace(self.values[height - 2])
            found = [token] if is_first else [*lead, token]
            if lead and self._leaves_braces(token, self.values[height - 1 :]):
                return None
            if self.automaton.fits(height, *(each.kind for each in found[:-1]), kind):
                found = self._cut_back(height, found, kind)
                self._correct_brackets(token)
                return found
        return None

    def _cut_back(self, height: int, found: list[Token], kind: str) -> list[Token]:
        """Takes off what stands above, but for bodies that were left open: those end. Gives the tokens to go on with.

        The last of them counts as one of that kind.
        """
        if open_braces(self.values[height - 1 :]):
            open_bodies_closed(self.automaton, self.tokenizer.read_to, height)
            if line_ended(self.automaton, Token(NEWLINE, found[-1].start, found[-1].start), kind, height):
                return found[-1:]
        self.automaton.cut(height)
        return found

    def _leaves_braces(self, token: Token, popped: list[Any]) -> bool:
        """Whether going on at the token would leave a body that it stands in, by its indentation."""
        at = column(self.text, token.start)
        return any(at > indentation(self.text, brace.start) for brace in open_braces(popped))

    def _correct_brackets(self, token: Token) -> None:
        """The tokenizer has passed ``token`` already, so that its bracket counts as well."""
        self.tokenizer.brackets[:] = open_brackets(self.values)
        if token.kind in OPENERS:
            self.tokenizer.brackets.append(token)
        elif token.kind in CLOSERS:
            self.tokenizer.close(token.kind)


class _Passed:
    """The brackets that are open where tokens are passed over."""

    def __init__(self, open_here: list[str]) -> None:
        self.open_here = list(open_here)
        self.braces = 0

    def step_over(self, kind: str) -> None:
        """Counts a token in; a closing brace closes whatever is open inside its pair."""
        if kind in OPENERS:
            self.open_here.append(kind)
            self.braces += kind == "LBRACE"
        elif kind == "RBRACE" and self.braces:
            self.braces -= 1
            while self.open_here.pop() != "LBRACE":
                pass
        elif kind in CLOSERS and self.open_here and self.open_here[-1] != "LBRACE":
            self.open_here.pop()


def _is_brace(value: object) -> bool:
    return type(value) is Token and value.kind == "LBRACE"
