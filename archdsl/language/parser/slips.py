"""The slip that a syntax error most likely is: what to write instead."""

from __future__ import annotations

import re
from difflib import get_close_matches

from archdsl.base.wording import did_you_mean
from archdsl.language.parser.kinds import CLOSERS, COMPARISONS, END, EXPRESSION, NEWLINE, STATEMENT_ENDS
from archdsl.language.parser.mistakes import Mistake, begins_line, column
from archdsl.language.parser.tokens import Token, is_keyword

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


def slip_help(mistake: Mistake) -> str:
    """For a token where another was expected; empty where nothing can be guessed."""
    return (
        word_help(mistake)
        or _section_help(mistake)
        or _computed_name_help(mistake)
        or _output_help(mistake)
        or _operator_help(mistake)
        or _neighbour_help(mistake)
    )


def word_help(mistake: Mistake) -> str:
    """Words of other languages, and keywords with a slip in them."""
    for word in (mistake.text, mistake.before):
        if word in WORDS:
            return WORDS[word]
    if mistake.token.kind == "IMPORT":
        return WORDS["include"]
    if mistake.in_declarations:
        near = get_close_matches(mistake.text, ["network", "block", "let", "from", "default"], n=1, cutoff=0.7)
        return did_you_mean(*near)
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


def character_help(character: str) -> str:
    """For one that begins no token."""
    return CHARACTERS.get(character, "a blank that is no space: write a space" if character.isspace() else "")


def number_help(text: str) -> str:
    """For what only begins like a number."""
    if re.fullmatch(r"[0-9]+x\w*", text):
        return "only numbers are joined into sizes; with a name, write blanks round the `x`: `3 x size`"
    if "_" in text and text.replace("_", "").isdigit():
        return "`_` stands between two digits: `25_557_032`"
    if re.fullmatch(r"[0-9.]+[kmgt]", text):
        return f"write `{text.upper()}`"
    return "a name does not begin with a digit; numbers are written `64`, `0.5`, `1e-6`, `25.6M`"
