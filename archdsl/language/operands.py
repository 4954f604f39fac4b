"""How the text of an operand stands in a help line."""

from __future__ import annotations

from archdsl.base.source import Span

LONGEST_OPERAND = 32
"""Characters; a longer one is cut or left out."""


def is_brief(text: str) -> bool:
    """Whether it can stand there as it is."""
    return len(text) <= LONGEST_OPERAND and "\n" not in text


def brief(span: Span) -> str:
    """The text on one line, cut where it is long."""
    text = " ".join(span.text.split())
    if is_brief(text):
        return text
    head, bracket, _ = text.partition("(")
    is_call = bracket and text.endswith(")") and len(head) < LONGEST_OPERAND
    return f"{head}(…)" if is_call else f"{text[:LONGEST_OPERAND]}…"
