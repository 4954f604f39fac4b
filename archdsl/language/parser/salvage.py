"""Keeping what was read whole of a statement that is not: the bodies in it are ended where the reading stopped.

What is made here is no part of the text's faults: whatever would be reported of it is not.
"""

from __future__ import annotations

from archdsl.language.parser.automaton import Automaton
from archdsl.language.parser.brackets import open_braces
from archdsl.language.parser.kinds import END, NEWLINE
from archdsl.language.parser.tokens import Token


def open_bodies_closed(automaton: Automaton, at: int, above: int = 1) -> None:
    """Ends the bodies left open above a height, each with the statements that are whole."""
    automaton.cut(automaton.height)
    with automaton.builder.muted():
        while (start := _innermost_body(automaton, above)) is not None:
            heights = range(automaton.height, start - 1, -1)
            automaton.cut(next(height for height in heights if automaton.fits(height, "RBRACE")))
            automaton.advance([Token("RBRACE", at, at)])
            automaton.reduce_top()


def _innermost_body(automaton: Automaton, above: int) -> int | None:
    """The height at which the last open brace is the topmost value."""
    braces = open_braces(automaton.values[above - 1 :])
    return automaton.values.index(braces[-1]) + 2 if braces else None


def line_ended(automaton: Automaton, line_end: Token, following: str, above: int) -> bool:
    """Ends the statement as far as it fits, so that one that begins with ``following`` can come; or does nothing."""
    return _followed(automaton, [line_end], [NEWLINE, following], above)


def end_of_text(automaton: Automaton) -> None:
    """Makes the value of all declarations that are whole, if there are any."""
    if not _followed(automaton, [Token(END, 0, 0)], [END], 1):
        automaton.cut(1)


def _followed(automaton: Automaton, tokens: list[Token], kinds: list[str], above: int) -> bool:
    heights = range(automaton.height, above, -1)
    height = next((height for height in heights if automaton.fits(height, *kinds)), None)
    if height is None:
        return False
    automaton.cut(height)
    with automaton.builder.muted():
        automaton.advance(tokens)
    return True
