"""What the codes mean, read from docs/errors.md."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache

from archdsl.base.resources import resource_folder
from archdsl.base.wording import either

_HEADING = re.compile(r"^## ([EWN]\d{3}): (.+)$", re.MULTILINE)


class UnknownCodeError(LookupError):
    """There is no such code; the message names the nearest ones."""


def explain(code: str) -> str:
    """The chapter on a code as Markdown: its meaning, an example, and how to mend it.

    Case does not matter. Raises UnknownCodeError.
    """
    chapters = _chapters()
    known = code.strip().upper()
    if known not in chapters:
        raise UnknownCodeError(f"there is no code {code!r}; did you mean {_nearest(known)}?")
    return chapters[known]


def titles() -> dict[str, str]:
    """Every code with its title, in order."""
    return {match[1]: match[2] for match in _HEADING.finditer(_text())}


@cache
def _text() -> str:
    return (resource_folder("docs") / "errors.md").read_text(encoding="utf-8")


@cache
def _chapters() -> dict[str, str]:
    text = _text()
    headings = list(_HEADING.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    return {heading[1]: text[heading.start() : end].strip() + "\n" for heading, end in zip(headings, ends, strict=True)}


def _nearest(code: str) -> str:
    """The codes that differ least: by edit distance, then by number."""
    known = list(titles())
    near = get_close_matches(code, known, n=3, cutoff=0.5) or known[:3]
    return either(near)
