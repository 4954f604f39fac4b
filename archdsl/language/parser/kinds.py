"""The kinds of tokens, by what they do."""

from __future__ import annotations

from archdsl.base.names import LABEL_KEYWORDS

END = "$END"
NEWLINE = "_NL"

# What no terminal of the grammar matches, so that tokenizing never fails and each fault gets a place.
UNTERMINATED = "UNTERMINATED"
MALFORMED = "MALFORMED"
UNKNOWN = "UNKNOWN"
FAULTS = {
    UNTERMINATED: r'"[^"\n]*',
    MALFORMED: r"[0-9]\w*(?:\.[0-9]\w*)*",
    UNKNOWN: r".",
}

LITERALS = frozenset({"INT", "FLOAT", "ROUNDED", "DIMS", "STRING", "TRUE", "FALSE", "NONE", MALFORMED, UNTERMINATED})
OPENERS = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
CLOSERS = {closer: opener for opener, closer in OPENERS.items()}
STATEMENT_ENDS = LITERALS | {"NAME", "IN"} | CLOSERS.keys()
"""Tokens after which a line end ends the statement, and `x` is an operator."""

LABELS = frozenset(word.upper() for word in LABEL_KEYWORDS)

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
