"""Printing: to terminals and to pipes, and diagnostics to stderr."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from typing import TextIO

from archdsl.diagnostics import Diagnostic

_MARGIN = 10
"""Columns that the line numbers of an excerpt take."""


class OutputClosedError(Exception):
    """Whoever read our output stopped reading."""


def say(text: str, stream: TextIO | None = None) -> None:
    """Writes text to stdout, or to ``stream``; characters that it cannot show are escaped."""
    stream = stream or sys.stdout
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except BrokenPipeError:
        raise OutputClosedError from None


def on_terminal(stream: TextIO | None = None) -> bool:
    """Whether a person looks at this stream; it may be plain all the same, see ``coloured``."""
    return (stream or sys.stdout).isatty() and os.environ.get("TERM") != "dumb"


def coloured(stream: TextIO | None = None) -> bool:
    """Whether to colour: on a terminal, unless NO_COLOR (no-color.org) is set."""
    return on_terminal(stream) and not os.environ.get("NO_COLOR")


def rendered(diagnostics: Iterable[Diagnostic], stream: TextIO) -> str:
    """Diagnostics as text fit for the stream, an empty line between them."""
    from archdsl.rendering import render_text

    width = max(shutil.get_terminal_size().columns - _MARGIN, 40) if on_terminal(stream) else None
    return "\n".join(render_text(diagnostic, color=coloured(stream), width=width) for diagnostic in diagnostics)


def report(diagnostics: Iterable[Diagnostic]) -> None:
    """Writes diagnostics to stderr."""
    say(rendered(diagnostics, sys.stderr), sys.stderr)


def counted(number: int, noun: str) -> str:
    """``1 error``, ``2 errors``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
