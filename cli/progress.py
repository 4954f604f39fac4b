"""Progress of long work, for whoever looks at a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .output import coloured, on_terminal


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """A function that shows which step runs: a spinner on stderr where that is a terminal, else nothing."""
    if not on_terminal(sys.stderr):
        yield lambda step: None
        return
    from rich.console import Console

    console = Console(stderr=True, no_color=not coloured(sys.stderr))
    with console.status("") as status:
        yield status.update
