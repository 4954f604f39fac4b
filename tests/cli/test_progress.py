"""The spinner: what it leaves on a terminal, and that it is nowhere else."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Callable

import pytest

from cli.progress import progress
from tests.terminals import Terminal

SHOWN, HIDDEN = "\x1b[?25h", "\x1b[?25l"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Terminal]:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((40, 24)))

    def made(encoding: str = "utf-8") -> Terminal:
        stream = Terminal(encoding)
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    return made


def work(*steps: str) -> None:
    with progress() as show:
        for step in steps:
            show(step)
            time.sleep(0.2)


def screen(text: str) -> str:
    """What is seen at the end of a text: a line written anew from its start, and erased to its end."""
    line, column = "", 0
    for part in re.findall(r"\x1b\[\S*?[a-zA-Z]|.|\r", re.sub(r"\x1b\[\?25[lh]|\x1b\[\d*m", "", text)):
        if part == "\r":
            column = 0
        elif part == "\x1b[K":
            line = line[:column]
        else:
            line, column = line[:column] + part + line[column + 1 :], column + 1
    return line


def test_each_step_is_seen_and_nothing_stays(terminal: Callable[..., Terminal]) -> None:
    stream = terminal()
    work("load", "compile")
    text = stream.text()
    assert re.search("⠙\x1b\\[0m load\r", text)
    assert re.search("\x1b\\[0m compile\r", text)
    assert screen(text) == ""
    assert (text.count(HIDDEN), text.count(SHOWN)) == (1, 1)
    assert text.index(HIDDEN) < text.index("load") < text.index(SHOWN)


def fail() -> None:
    with progress() as show:
        show("load")
        raise KeyboardInterrupt


def test_the_cursor_comes_back_after_a_fault(terminal: Callable[..., Terminal]) -> None:
    stream = terminal()
    with pytest.raises(KeyboardInterrupt):
        fail()
    assert stream.text().endswith(SHOWN)
    assert screen(stream.text()) == ""


def test_a_long_step_takes_one_line(terminal: Callable[..., Terminal]) -> None:
    stream = terminal()
    work("a step " * 20)
    assert max(len(screen(frame)) for frame in stream.text().split("\r\x1b[K")) < 40


def test_a_warning_replaces_the_line(terminal: Callable[..., Terminal]) -> None:
    stream = terminal()
    work("load")
    frames = [frame for frame in stream.text().split("\r\x1b[K") if "load" in frame]
    assert all(screen(f"{frame}a warning") == "a warning" for frame in frames)


def test_without_colour_and_braille(terminal: Callable[..., Terminal], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = terminal("ascii")
    work("load")
    assert "\x1b[K| load\r" in stream.text()
    assert "\x1b[32m" not in stream.text()
    assert "\\u" not in stream.text()


def test_pipes_see_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    work("load")
    assert capsys.readouterr().err == ""
