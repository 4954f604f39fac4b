"""What a syntax error says: the token that does not fit, what would, and the slip that it most likely is."""

from __future__ import annotations

from collections.abc import Iterable

from archdsl.base.names import label_text
from archdsl.base.source import Source
from archdsl.base.wording import either
from archdsl.diagnostics.model import Diagnostic, Label
from archdsl.language.parser.kinds import (
    ANYWHERE,
    AT_TOP,
    CLOSERS,
    CONTINUATIONS,
    END,
    EXPRESSION,
    IN_BODY,
    MALFORMED,
    NEWLINE,
    OPENERS,
    SECTIONS,
    STARTERS,
    UNKNOWN,
    UNTERMINATED,
)
from archdsl.language.parser.mistakes import Mistake
from archdsl.language.parser.slips import character_help, number_help, slip_help, word_help
from archdsl.language.parser.tokens import Token, is_keyword, lexicon

SYMBOLS = {"NAME": "a name", "STRING": "a string", "INT": "a number", NEWLINE: "the end of the line", END: "the end"}


def describe(mistake: Mistake) -> Diagnostic:
    """The diagnostic for a token that does not fit."""
    if mistake.token.kind in (UNKNOWN, UNTERMINATED, MALFORMED):
        return lexical_fault(mistake)
    return _misplaced(mistake) or _unexpected(mistake)


def lexical_fault(mistake: Mistake) -> Diagnostic:
    """E102 for a character of no token and a string without end, E106 for a malformed number."""
    where = mistake.span
    if mistake.token.kind == UNTERMINATED:
        return Diagnostic("E102", "this string does not end on its line", where, help='close it with `"`')
    if mistake.token.kind == MALFORMED:
        return Diagnostic("E106", f"`{mistake.text}` is no number", where, help=number_help(mistake.text))
    character = mistake.text
    name = f"`{character}`" if character.isprintable() else f"U+{ord(character):04X}"
    return Diagnostic("E102", f"{name} means nothing here", where, help=character_help(character))


def keyword_fault(source: Source, keyword: Token, *, as_wire: bool) -> Diagnostic:
    """E105: a keyword where a name must stand."""
    span = keyword.span(source)
    label = label_text(span.text)
    help = f"a step of that name is `@{label}`" if as_wire else f"choose another name; as a label write `{label}: …`"
    return Diagnostic("E105", f"`{span.text}` is a keyword and cannot be a name", span, help=help)


def _misplaced(mistake: Mistake) -> Diagnostic | None:
    """E106: what belongs in a body stands at the top of a file, or the other way round."""
    kind = mistake.token.kind
    what = f"`{mistake.text}`" if is_keyword(kind) else "a step"
    if mistake.in_declarations and (kind in IN_BODY or (kind in EXPRESSION and not word_help(mistake))):
        help = "a file holds `from … import`, `let`, `block`, `network` and `default`"
        message = f"{what} stands in the body of a network or block, not at the top of a file"
        return Diagnostic("E106", message, mistake.span, help=help)
    if mistake.in_statements and kind in AT_TOP and not mistake.is_outdented:
        return Diagnostic("E106", f"{what} stands at the top of a file, not in a body", mistake.span)
    return None


def _unexpected(mistake: Mistake) -> Diagnostic:
    if mistake.token.kind in CLOSERS and (
        mistake.opener is None or (mistake.token.kind != "RBRACE" and not mistake.in_list)
    ):
        return Diagnostic("E101", f"this `{mistake.text}` closes nothing", mistake.span)
    message = f"expected {expected(_fitting(mistake))}, found {_found(mistake)}"
    return Diagnostic("E101", message, mistake.span, _opener_label(mistake), help=slip_help(mistake))


def _fitting(mistake: Mistake) -> frozenset[str]:
    """What would fit: no further line at the text's end, and behind a line's end also the end of the body."""
    if mistake.token.kind == END:
        return mistake.accepted - {NEWLINE}
    return mistake.accepted | {"RBRACE"} if mistake.in_statements else mistake.accepted


def _found(mistake: Mistake) -> str:
    kind = mistake.token.kind
    if mistake.at_line_end:
        return "the end of the text" if kind == END else "the end of the line"
    return f"the keyword `{mistake.text}`" if is_keyword(kind) else f"`{mistake.text}`"


def _opener_label(mistake: Mistake) -> tuple[Label, ...]:
    """The bracket that should have been closed before the token, where that seems to be what is wrong."""
    opener, token = mistake.opener, mistake.token
    if opener is None or OPENERS[opener.kind] not in _fitting(mistake):
        return ()
    if opener.kind == "LBRACE":
        is_left_open = token.kind == END or (mistake.begins_line and mistake.is_outdented)
    else:
        is_left_open = mistake.begins_line or token.kind in {END, *CLOSERS}
    if not is_left_open:
        return ()
    span = opener.span(mistake.source)
    return (Label(span, f"this `{span.text}` is not closed"),)


def expected(accepted: Iterable[str]) -> str:
    """What may stand in a place, in the words of language.md: "`,` or `)`", "an expression", "a name"."""
    kinds, named = set(accepted), []
    for core, whole, name in (
        (AT_TOP, AT_TOP | ANYWHERE, "a declaration"),
        (IN_BODY, STARTERS | EXPRESSION, "a statement"),
        ({"NAME", "INT", "LPAR", "AT"}, EXPRESSION, "an expression"),
    ):
        if kinds >= core:
            kinds -= whole
            named.append(name)
    if kinds & {"PLUS", "ARROW"} and kinds > CONTINUATIONS & kinds:
        kinds -= CONTINUATIONS
    if kinds >= SECTIONS:
        kinds -= SECTIONS
    if NEWLINE in kinds:
        kinds -= {END, "RBRACE"}
    return either(named + sorted(_symbol(kind) for kind in kinds))


def _symbol(kind: str) -> str:
    if kind in SYMBOLS:
        return SYMBOLS[kind]
    return f"`{lexicon().spellings[kind]}`"
