"""Progress of long work, for whoever looks at a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from threading import Event, Thread

from .output import can_show, coloured, complain, on_terminal, terminal_width

_TURNS = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_PLAIN_TURNS = "-\\|/"
_SECONDS = 0.08
"""How long a turn is seen."""


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """A function that shows which step runs: a spinner on stderr where that is a terminal, else nothing."""
    if not on_terminal(sys.stderr):
        yield lambda step: None
        return
    spinner = _Spinner()
    spinner.start()
    try:
        yield spinner.show
    finally:
        spinner.stop()


class _Spinner:
    """A line on stderr that turns until it is stopped, and then is gone.

    The cursor waits at its start, so that a warning of torch's replaces the line and is not written behind it.
    """

    def __init__(self) -> None:
        self._turns = cycle(_TURNS if can_show(_TURNS, sys.stderr) else _PLAIN_TURNS)
        self._style = "\x1b[32m{}\x1b[0m" if coloured(sys.stderr) else "{}"
        self._step = ""
        self._stopped = Event()
        self._thread = Thread(target=self._turn, daemon=True)

    def start(self) -> None:
        complain("\x1b[?25l")
        self._thread.start()

    def show(self, step: str) -> None:
        self._step = step

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()
        complain("\r\x1b[K\x1b[?25h")

    def _turn(self) -> None:
        while not self._stopped.is_set():
            room = (terminal_width(sys.stderr) or 80) - 3
            complain(f"\r\x1b[K{self._style.format(next(self._turns))} {self._step[:room]}\r")
            self._stopped.wait(_SECONDS)
