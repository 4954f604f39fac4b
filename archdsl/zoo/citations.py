"""What the comment above a bundled network says: its title, family, year and paper."""

from __future__ import annotations

import re
from dataclasses import dataclass

_YEAR = re.compile(r"\b(19[89]\d|20\d\d)\b")
_PAPER = re.compile(r"\barXiv:\d{4}\.\d{4,5}\b")
_SIZE_WORDS = frozenset({"tiny", "small", "base", "large", "with", "without", "s", "m", "l", "t", "b"})


@dataclass(frozen=True, slots=True)
class Citation:
    """``title`` is the first sentence, ``family`` what it shares with its like; the rest is None where not said."""

    title: str
    family: str
    year: int | None
    paper: str | None


def citation(doc: str) -> Citation:
    """Reads ``ResNet-50. He et al. 2015, arXiv:1512.03385, table 1.`` and its like."""
    text = " ".join(doc.split())
    title = re.split(r"\.(?:\s|$)", text, maxsplit=1)[0]
    year, paper = _YEAR.search(text), _PAPER.search(text)
    return Citation(title, _family(title), int(year[0]) if year else None, paper[0] if paper else None)


def _family(title: str) -> str:
    """The title up to the first part that tells members apart: ``Wide ResNet-50-2`` is a ``Wide ResNet``."""
    parts = re.split(r"([\s-]+)", title.partition(",")[0])
    end = next((i for i, part in enumerate(parts) if i > 0 and _tells_members_apart(part)), len(parts))
    return "".join(parts[:end]).rstrip(" -")


def _tells_members_apart(part: str) -> bool:
    return any(character.isdigit() for character in part) or part.lower() in _SIZE_WORDS
