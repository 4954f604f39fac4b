"""Printing: to terminals and to pipes, and diagnostics to stderr."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from archdsl.diagnostics.model import Diagnostic

if TYPE_CHECKING:
    from archdsl.views.forms.tables import Table, Totals

_NARROWEST = 20
"""Characters of a line that is printed into, however narrow the terminal is."""
_MARGIN = 10
"""Columns that the line numbers of an excerpt take."""


class Form(StrEnum):
    """How results are printed."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


class OutputClosedError(Exception):
    """Whoever read our output stopped reading."""


class OutputError(Exception):
    """The output cannot be written: the disk is full, say, or standard output is closed. The message says why."""


def say(text: str) -> None:
    """Writes text to stdout; characters that it cannot show are escaped. Raises OutputClosedError and OutputError."""
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    try:
        _write(text, sys.stdout)
    except BrokenPipeError:
        raise OutputClosedError from None
    except OSError as error:
        raise OutputError(error.strerror or str(error)) from None


def complain(text: str) -> None:
    """Writes text to stderr; if that cannot be written, there is nobody left to tell."""
    if sys.stderr is not None:
        try:
            _write(text, sys.stderr)
        except OSError:
            discard(sys.stderr)


def discard(stream: TextIO) -> None:
    """Points a stream nowhere, so that the interpreter's last flush has nothing to complain about."""
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def _write(text: str, stream: TextIO) -> None:
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def on_terminal(stream: TextIO | None = None) -> bool:
    """Whether a person looks at this stream (stdout); it may be plain all the same, see ``coloured``."""
    stream = stream or sys.stdout
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def terminal_width(stream: TextIO | None = None) -> int | None:
    """Characters of a line where a person looks at this stream; None where lines have no end."""
    return max(shutil.get_terminal_size().columns, _NARROWEST) if on_terminal(stream) else None


def coloured(stream: TextIO | None = None) -> bool:
    """Whether to colour: on a terminal, unless NO_COLOR (no-color.org) is set."""
    return on_terminal(stream) and not os.environ.get("NO_COLOR")


def drawn(form: Form, table: Table, totals: Totals = ()) -> str:
    """A table and the totals below it, for stdout: as Markdown if that is asked for, else as text."""
    if form is Form.MARKDOWN:
        from archdsl.views.forms.markdown_form import markdown_table, totals_markdown

        return markdown_table(table) + (f"\n{totals_markdown(totals)}" if totals else "")
    return shown_table(table) + (f"\n{_shown_totals(totals)}" if totals else "")


def shown_table(table: Table) -> str:
    """The table for stdout: made to fit where a person looks at it, whole otherwise."""
    width = terminal_width()
    if width is None:
        from archdsl.views.forms.text_form import text_table

        return text_table(table)
    from archdsl.views.forms.fitted_tables import fitted_table

    rule, ellipsis = ("─", "…") if can_show("─…", sys.stdout) else ("-", "~")
    return fitted_table(table, width, rule=rule, ellipsis=ellipsis, heading=_bold if coloured() else str)


def _shown_totals(totals: Totals) -> str:
    """Names and values for stdout, a line each; broken where a person looks at it and it is too long."""
    from archdsl.views.forms.text_form import totals_text

    return totals_text(totals, terminal_width())


def can_show(text: str, stream: TextIO) -> bool:
    """Whether the stream's encoding has these characters."""
    try:
        text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _bold(line: str) -> str:
    return f"\x1b[1m{line}\x1b[0m"


def rendered(diagnostics: Iterable[Diagnostic], stream: TextIO | None) -> str:
    """Diagnostics as text fit for the stream, an empty line between them."""
    from archdsl.diagnostics.rendering import render_text

    is_coloured = stream is not None and coloured(stream)
    available = terminal_width(stream) if stream is not None else None
    width = None if available is None else max(available - _MARGIN, 40)
    return "\n".join(render_text(diagnostic, color=is_coloured, width=width) for diagnostic in diagnostics)


def report(diagnostics: Iterable[Diagnostic]) -> None:
    """Writes diagnostics to stderr."""
    if text := rendered(diagnostics, sys.stderr):
        complain(text)


def counted(number: int, noun: str) -> str:
    """``1 error``, ``2 errors``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
