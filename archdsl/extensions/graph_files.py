"""Graphs read back where ops of one's own are known."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from archdsl.base.collection import collection_paused
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError
from archdsl.extensions.user_ops import OpSource, UserOps
from archdsl.graph.model import Graph


def read_graph(source: str | os.PathLike[str], /, *, ops: Iterable[OpSource] = ()) -> Graph:
    """The graph in a .json file, or in the text of one; never imports torch.

    ``ops`` are ops of one's own in it, as ``archdsl.load`` takes them; those that installed packages offer are found
    by themselves. Raises ArchError: E001 and E002 for what is no such file, E701 and E702 for ops of one's own.
    """
    known = UserOps(ops)
    text = source if isinstance(source, str) and "{" in source else _text(Path(source))
    with collection_paused():
        return Graph.from_json(text, known)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ArchError(Diagnostic("E001", f"there is no file `{path}`")) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ArchError(Diagnostic("E002", f"cannot read `{path}`: {reason}")) from None
