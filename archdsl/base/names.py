"""What may be a name in a spec, and how names stand in one."""

from __future__ import annotations

import re

KEYWORDS = frozenset({
    "from", "import", "let", "block", "network", "extends", "stem", "stage", "head", "aux", "input", "output", "assert",
    "default", "for", "in", "if", "else", "and", "or", "not", "seq", "true", "false", "none",
})  # fmt: skip
"""Those of the grammar; ``x`` between operands is none."""

LABEL_KEYWORDS = frozenset({"stem", "stage", "head", "aux", "block"})
"""Keywords that are names where a label stands, before ``:`` and behind ``@``: published models call modules so."""

NAME_RULE = "a name is letters, digits and `_`"

_NAME = re.compile(r"[^\W\d]\w*")


def is_name(text: str) -> bool:
    """Whether something can be defined under this name."""
    return _is_word(text) and text not in KEYWORDS


def label_text(label: str) -> str:
    """A label as a spec has to write it: in quotes where it is no name."""
    is_bare = _is_word(label) and (label not in KEYWORDS or label in LABEL_KEYWORDS)
    return label if is_bare else f'"{label}"'


def wire_text(path: str) -> str:
    """A wire as a spec has to write it: ``@name``, or ``@"path.0"``."""
    return f"@{label_text(path)}"


def _is_word(text: str) -> bool:
    return text.isidentifier() and _NAME.fullmatch(text) is not None
