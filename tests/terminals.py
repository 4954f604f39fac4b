"""Streams that say they are terminals."""

from __future__ import annotations

import io


class Terminal(io.TextIOWrapper):
    """A terminal of an encoding, which keeps what is written to it."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding, newline="")

    def isatty(self) -> bool:
        return True

    def text(self) -> str:
        """All that was written."""
        self.seek(0)
        return self.read()
