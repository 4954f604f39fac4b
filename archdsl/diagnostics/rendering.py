"""Diagnostics as text for people."""

from __future__ import annotations

from collections.abc import Iterable

from archdsl.diagnostics.codes import Severity
from archdsl.diagnostics.excerpts import Style, StyledLine, excerpts, visible
from archdsl.diagnostics.model import Diagnostic

DEFAULT_WIDTH = 140
"""Columns of a source line before it is cut around its marks."""

_RESET = "\x1b[0m"
_COLOURS: dict[Style, str] = {"bold": "\x1b[1m", "gutter": "\x1b[34m", "secondary": "\x1b[36m", "help": "\x1b[32m"}
_SEVERITY_COLOURS: dict[Severity, str] = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "note": "\x1b[1;36m"}


def render_text(diagnostic: Diagnostic, *, color: bool = False, width: int | None = None) -> str:
    """The diagnostic as it is printed, ending in a line end.

    ``color`` adds ANSI colours; source lines longer than ``width`` columns (140) are cut around their marks.
    """
    digits, rows = excerpts(diagnostic, max(width or DEFAULT_WIDTH, 20))
    remarks = [*diagnostic.notes, *(f"help: {text}" for text in diagnostic.help)]
    if rows and remarks:
        rows.append([(" " * digits + " |", "gutter")])
    for remark in remarks:
        rows.extend(_remark_rows(remark, digits))
    kind = f"{diagnostic.severity}[{diagnostic.code}]"
    title: StyledLine = [(kind, "severity"), (f": {visible(diagnostic.message)}", "bold")]
    colours = {**_COLOURS, "severity": _SEVERITY_COLOURS[diagnostic.severity]} if color else {}
    return "".join(_painted(row, colours) + "\n" for row in [title, *rows])


def _remark_rows(remark: str, digits: int) -> Iterable[StyledLine]:
    """A note or help below the excerpts; its further lines stand below its first."""
    style: Style = "help" if remark.startswith("help: ") else "plain"
    for number, line in enumerate(remark.split("\n")):
        lead = " " * digits + (" = " if number == 0 else "   " + " " * (len("help: ") if style == "help" else 0))
        yield [(lead, "gutter"), (visible(line), style)]


def _painted(row: StyledLine, colours: dict[Style, str]) -> str:
    pieces = [f"{colours[style]}{text}{_RESET}" if text and style in colours else text for text, style in row]
    return "".join(pieces).rstrip()
