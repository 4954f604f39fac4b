"""One of several names, as people type it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from archdsl.base.wording import cut, did_you_mean, quoted
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError


def known_name(name: str, names: Iterable[str], what: str) -> str:
    """The name, if it is one of ``names``; ``what`` says of what. Raises ArchError E801 with the nearest of them."""
    known = list(names)
    if name not in known:
        near = get_close_matches(str(name).lower(), known, 1, cutoff=0.75)
        help_ = (did_you_mean(*near), f"there are {quoted(known)}")
        raise ArchError(Diagnostic("E801", f"`{cut(str(name))}` is no {what}", help=help_))
    return name
