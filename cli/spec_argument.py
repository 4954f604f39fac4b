"""The SPEC argument: a path, a bundled name, PATH:NETWORK, or - for standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from archdsl.base.source import Source
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError

from .output import complain, on_terminal

STDIN = "-"


def parse_spec(argument: str) -> tuple[str | Source, str | None]:
    """The spec and the network that it names: ``PATH:NETWORK`` is taken apart unless a file has that very name."""
    path, network = argument, None
    if not Path(argument).exists():
        head, _, tail = argument.rpartition(":")
        if head and tail.isidentifier():
            path, network = head, tail
    return _standard_input() if path == STDIN else path, network


def _standard_input() -> Source:
    if sys.stdin is None:
        raise ArchError(Diagnostic("E002", "standard input is closed", help="name a file, or pipe a spec into `-`"))
    if on_terminal(sys.stdin):
        complain("reading a spec from standard input; end it with Ctrl-D\n")
    data = sys.stdin.buffer.read()
    try:
        return Source("<stdin>", data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        message = f"standard input is not UTF-8: byte {error.start} is 0x{data[error.start]:02x}"
        raise ArchError(Diagnostic("E002", message)) from None
