"""What a syntax error says: the token that does not fit, what would, and the slip that it most likely is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple

from archdsl.base.names import label_text
from archdsl.base.source import Source, Span
from archdsl.base.wording import either
from archdsl.diagnostics.model import Diagnostic, Label
from archdsl.language.parser.tokens import (
    CLOSERS,
    END,
    LITERALS,
    MALFORMED,
    NEWLINE,
    OPENERS,
    STATEMENT_ENDS,
    UNKNOWN,
    UNTERMINATED,
    Token,
    lexicon,
)

EXPRESSION = LITERALS | {"NAME", "IN", "AT", "LPAR", "LSQB", "LBRACE", "SEQ", "MINUS", "NOT"}
SECTIONS = frozenset({"STEM", "STAGE", "HEAD", "AUX"})
IN_BODY = SECTIONS | {"INPUT", "OUTPUT", "ASSERT", "FOR", "IF"}
ANYWHERE = frozenset({"LET", "BLOCK", "DEFAULT"})
AT_TOP = frozenset({"FROM", "NETWORK"})
STARTERS = IN_BODY | ANYWHERE | AT_TOP
"""Keywords that begin a statement or declaration."""

CONTINUATIONS = frozenset({
    "ARROW", "CAT", "PLUS", "MINUS", "POWER", "STAR", "DSLASH", "SLASH", "PERCENT", "EQ", "NE", "LE", "LT", "GE", "GT",
    "RANGE", "DOT", "LPAR", "LSQB", "TIMES", "IF", "FOR", "AND", "OR", "COLON", "ASSIGN",
})  # fmt: skip
"""What may follow an expression that could as well end; named as expected only where nothing else is."""

COMPARISONS = frozenset({"EQ", "NE", "LE", "LT", "GE", "GT"})

CHARACTERS = {
    ";": "statements end where their line does",
    "'": 'strings stand in double quotes: `"name"`',
    "`": 'strings stand in double quotes: `"name"`',
    "“": 'strings stand in straight double quotes: `"name"`',
    "”": 'strings stand in straight double quotes: `"name"`',
    "\u2018": 'strings stand in straight double quotes: `"name"`',
    "\u2019": 'strings stand in straight double quotes: `"name"`',
    "!": "write `not a`, or `a != b`",
    "&": "write `a and b`",
    "|": "write `a or b`; layers follow one another by `->`",
    "?": "a conditional is written `a if condition else b`",
    "^": "a power is written `a ** b`",
    "→": "write `->`",
    "\u00d7": "write `x`, as in `256x56x56`, or `*`",
    "\u2212": "write `-`",
    "\u2013": "write `-`",
    "\\": "a line that ends in an operator or an open bracket goes on by itself",
}

WORDS = {
    "def": "a block is declared by `block name(arguments) { … }`, a function by `let name(arguments) = …`",
    "class": "a network is declared by `network name(arguments) { … }`, a part of one by `block`",
    "elif": "write `else if`",
    "while": "loops are written `for i in 0..n { … }`",
    "return": "a body's value is that of its last step",
    "const": "a constant is defined by `let name = …`",
    "var": "a constant is defined by `let name = …`",
    "include": 'write `from "file.arch" import name`',
    "use": 'write `from "file.arch" import name`',
} | dict.fromkeys(
    ("fn", "fun", "func", "function", "lambda"), "a function is declared by `let name(arguments) = …`"
) | dict.fromkeys(("layer", "module", "model", "net"), "write `network name { … }` or `block name { … }`")  # fmt: skip

_COMPUTED = r'\{[^{}":>]*\}[\w.{}]*'
"""What is computed in a name, between braces, and the rest of it."""

SYMBOLS = {"NAME": "a name", "STRING": "a string", "INT": "a number", NEWLINE: "the end of the line", END: "the end"}


class Mistake(NamedTuple):
    """A token that fits none of the ``accepted``, the ones around it, and the innermost open bracket."""

    source: Source
    token: Token
    previous: Token | None
    accepted: frozenset[str]
    opener: Token | None

    @property
    def text(self) -> str:
        return self.source.text[self.token.start : self.token.end]

    @property
    def before(self) -> str:
        """The text of the token before."""
        return self.source.text[self.previous.start : self.previous.end] if self.previous else ""

    @property
    def rest(self) -> str:
        """The text from the token on."""
        return self.source.text[self.token.start : self.token.start + 80]

    @property
    def span(self) -> Span:
        """Where to point: a missing rest of a line or text is right behind what there is of it."""
        if self.previous and self.at_line_end:
            return Span(self.source, self.previous.end, self.previous.end)
        return self.token.span(self.source)

    @property
    def at_line_end(self) -> bool:
        """Whether it is the rest of the line before that is missing, not a closing bracket."""
        if self.token.kind in (NEWLINE, END):
            return True
        if self.token.kind == "RBRACE" and self.opener is not None and not self.in_list:
            return self.begins_line
        if self.previous is None or self.in_list or self.previous.kind in STATEMENT_ENDS | {"LBRACE", NEWLINE}:
            return False
        return self.begins_line and self.token.kind not in CLOSERS

    @property
    def in_list(self) -> bool:
        """Whether the innermost open bracket is one in which line ends mean nothing."""
        return self.opener is not None and self.opener.kind != "LBRACE"

    @property
    def begins_line(self) -> bool:
        return begins_line(self.source.text, self.token.start)

    @property
    def in_declarations(self) -> bool:
        return self.accepted >= AT_TOP

    @property
    def in_statements(self) -> bool:
        return self.accepted >= IN_BODY


def is_keyword(kind: str) -> bool:
    return kind != "TIMES" and kind in lexicon().keywords.values()


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
        return Diagnostic("E106", f"`{mistake.text}` is no number", where, help=_number_help(mistake.text))
    character = mistake.text
    name = f"`{character}`" if character.isprintable() else f"U+{ord(character):04X}"
    help = CHARACTERS.get(character, "a blank that is no space: write a space" if character.isspace() else "")
    return Diagnostic("E102", f"{name} means nothing here", where, help=help)


def _number_help(text: str) -> str:
    if re.fullmatch(r"[0-9]+x\w*", text):
        return "only numbers are joined into sizes; with a name, write blanks round the `x`: `3 x size`"
    if "_" in text and text.replace("_", "").isdigit():
        return "`_` stands between two digits: `25_557_032`"
    if re.fullmatch(r"[0-9.]+[kmgt]", text):
        return f"write `{text.upper()}`"
    return "a name does not begin with a digit; numbers are written `64`, `0.5`, `1e-6`, `25.6M`"


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
    if mistake.in_declarations and (kind in IN_BODY or (kind in EXPRESSION and not _word_help(mistake))):
        help = "a file holds `from … import`, `let`, `block`, `network` and `default`"
        message = f"{what} stands in the body of a network or block, not at the top of a file"
        return Diagnostic("E106", message, mistake.span, help=help)
    if mistake.in_statements and kind in AT_TOP and not _is_outdented(mistake):
        return Diagnostic("E106", f"{what} stands at the top of a file, not in a body", mistake.span)
    return None


def _is_outdented(mistake: Mistake) -> bool:
    """Whether the token begins no further right than the line that opened the body around it."""
    if mistake.opener is None:
        return False
    return column(mistake.source.text, mistake.token.start) <= indentation(mistake.source.text, mistake.opener.start)


def begins_line(text: str, offset: int) -> bool:
    """Whether only blanks stand before ``offset`` on its line."""
    while offset > 0 and text[offset - 1] in " \t\r":
        offset -= 1
    return offset == 0 or text[offset - 1] == "\n"


def column(text: str, offset: int) -> int:
    return offset - text.rfind("\n", 0, offset) - 1


def indentation(text: str, offset: int) -> int:
    """Blanks before the line on which ``offset`` is."""
    start = text.rfind("\n", 0, offset) + 1
    end = start
    while end < offset and text[end] in " \t\r":
        end += 1
    return end - start


def _unexpected(mistake: Mistake) -> Diagnostic:
    if mistake.token.kind in CLOSERS and (
        mistake.opener is None or (mistake.token.kind != "RBRACE" and not mistake.in_list)
    ):
        return Diagnostic("E101", f"this `{mistake.text}` closes nothing", mistake.span)
    message = f"expected {expected(_fitting(mistake))}, found {_found(mistake)}"
    return Diagnostic("E101", message, mistake.span, _opener_label(mistake), help=_help(mistake))


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
        is_left_open = token.kind == END or (mistake.begins_line and _is_outdented(mistake))
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


# ---- common slips --------------------------------------------------------------------------------


def _help(mistake: Mistake) -> str:
    return (
        _word_help(mistake)
        or _section_help(mistake)
        or _computed_name_help(mistake)
        or _output_help(mistake)
        or _operator_help(mistake)
        or _neighbour_help(mistake)
    )


def _word_help(mistake: Mistake) -> str:
    """Words of other languages, and keywords with a slip in them."""
    for word in (mistake.text, mistake.before):
        if word in WORDS:
            return WORDS[word]
    if mistake.token.kind == "IMPORT":
        return WORDS["include"]
    if mistake.in_declarations:
        near = get_close_matches(mistake.text, ["network", "block", "let", "from", "default"], n=1, cutoff=0.7)
        return f"did you mean `{near[0]}`?" if near else ""
    return ""


def _operator_help(mistake: Mistake) -> str:
    kind, accepted = mistake.token.kind, mistake.accepted
    if mistake.rest.startswith("=>") or (mistake.before == "=" and mistake.text == ">"):
        return "layers follow one another by `->`"
    if kind == "ASSIGN" and mistake.before in ("+", "-", "*", "/", "**", "//", ":"):
        return "values do not change; `let name = …` defines a new one"
    if kind == "ASSIGN":
        return _assignment_help(mistake) if "EQ" in accepted else ""
    if kind in COMPARISONS and "AND" in accepted:
        return f"comparisons do not chain: write `a < b and b {mistake.text} c`"
    if kind == "RANGE":
        return "a range has two ends: `0..10`"
    if kind == "DOT" and re.match(r"\.[0-9]", mistake.rest):
        return "a number begins with a digit: write `0" + (re.match(r"[.0-9]+", mistake.rest) or [""])[0] + "`"
    if mistake.before == "." and kind != "NAME":
        return "a number does not end in a point: write `1.0` or `1`" if kind not in ("INT", "STRING") else ""
    if kind == "COLON":
        return _colon_help(mistake)
    if "ELSE" in accepted and not accepted & {NEWLINE, "RBRACE"} and kind in (NEWLINE, END, *CLOSERS, "ARROW", "COMMA"):
        return "a conditional says what else: `a if condition else b`; where a layer is left out, `else id`"
    if kind == "COMMA" and mistake.opener is not None and mistake.opener.kind == "LPAR" and "RPAR" in accepted:
        return _tuple_help(mistake, mistake.opener)
    if kind == "COMMA" and NEWLINE in accepted:
        return "steps stand on lines of their own, or follow one another by `->`"
    return ""


def _assignment_help(mistake: Mistake) -> str:
    if (
        mistake.previous
        and mistake.previous.kind == "NAME"
        and begins_line(mistake.source.text, mistake.previous.start)
    ):
        name = mistake.before
        return f"a step is named by `{name}: …`, a value by `let {name} = …`"
    return "a value is defined by `let name = …` and compared by `==`"


def _tuple_help(mistake: Mistake, opener: Token) -> str:
    """Sizes and lists, for what other languages write as a tuple."""
    found = re.match(r"\(([\w\s,]*)\)", mistake.source.text[opener.start : opener.start + 80])
    items = [item.strip() for item in found[1].split(",") if item.strip()] if found else []
    if len(items) > 1 and all(item.isdigit() for item in items):
        return f"sizes are written `{'x'.join(items)}`, lists `[{', '.join(items)}]`"
    return "sizes are written `3x3`, lists `[a, b]`"


def _line(mistake: Mistake) -> str:
    """The line on which the token stands."""
    number, _ = mistake.source.position(mistake.token.start)
    return mistake.source.line(number)


def _section_help(mistake: Mistake) -> str:
    """A section's name that has dots in it, as those of containers do, or is computed."""
    found = re.match(rf"\s*(stem|stage|head|aux)\s+(\w+(?:\.\w+)+|\w[\w.]*{_COMPUTED}(?=\s*\{{))", _line(mistake))
    return f'quote it: `{found[1]} "{found[2]}" {{`' if found else ""


def _computed_name_help(mistake: Mistake) -> str:
    """``c{i}: conv(8, 3)`` and ``@c{i}``: a label that is computed, without its quotes."""
    at = column(mistake.source.text, mistake.token.start)
    for found in re.finditer(rf"(@?)([\w.]*{_COMPUTED})(\s*:)?", _line(mistake)):
        if found.start() <= at <= found.end() and (found[1] or found[3]):
            return f'a computed name is quoted: `@"{found[2]}"`' if found[1] else f'quote it: `"{found[2]}": …`'
    return ""


def _output_help(mistake: Mistake) -> str:
    """``output id``, without a name."""
    found = re.match(r"\s*output\b\s*(.*?)\s*(?:#.*)?$", _line(mistake))
    is_name = mistake.accepted == {"NAME"} and mistake.before in ("output", ",")
    if found is None or not (is_name or mistake.accepted == {"COLON"}):
        return ""
    is_one = re.fullmatch(r"(?:[^,:()]|\([^:()]*\))+", found[1])
    return f"an output has a name: `output {f'features: {found[1]}' if is_one else 'boxes: …, classes: …'}`"


def _colon_help(mistake: Mistake) -> str:
    if mistake.previous and is_keyword(mistake.previous.kind):
        return f"no colon stands behind `{mistake.before}`"
    return "a body stands in `{ }`" if "LBRACE" in mistake.accepted else "a label is a name or a string"


def _neighbour_help(mistake: Mistake) -> str:
    """Two things side by side that an operator should join."""
    kind = mistake.token.kind
    if mistake.previous is None or mistake.previous.kind not in STATEMENT_ENDS or kind not in EXPRESSION:
        return ""
    if "IN" in mistake.accepted and "COMMA" in mistake.accepted:
        return f"a loop is written `for {mistake.before} in … {{ … }}`"
    if repeat := re.fullmatch(r"x([0-9]+)", mistake.text):
        return f"a repeat is written with blanks round the `x`: `f x {repeat[1]}`"
    if kind == "NAME" and mistake.text == "extends":
        return ""
    if NEWLINE in mistake.accepted or "RBRACE" in mistake.accepted:
        return "steps stand on lines of their own, or follow one another by `->`"
    is_list = mistake.in_list and "COMMA" in mistake.accepted and not mistake.begins_line
    return "separate them by `,`" if is_list else ""
