"""Streams that are closed or full: one line says so, and no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_cli import environment

SPEC = "network tiny { input 3x8x8\n conv(4, 3) }\n"

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full and a POSIX shell")


def shell(redirection: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One command with streams as the shell redirects them."""
    command = f'exec "$0" -m archdsl "$@" {redirection}'
    call = ["sh", "-c", command, sys.executable, *arguments]
    return subprocess.run(call, capture_output=True, text=True, env=environment(), check=False, timeout=120)


@pytest.fixture
def spec(tmp_path: Path) -> str:
    path = tmp_path / "tiny.arch"
    path.write_text(SPEC, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("option", [(), ("--json",), ("--csv",)])
def test_a_full_disk(spec: str, option: tuple[str, ...]) -> None:
    run = shell(">/dev/full", "stats", spec, *option)
    assert (run.returncode, run.stderr) == (74, "archdsl: cannot write the output: No space left on device\n")


@pytest.mark.parametrize("arguments", [("--help",), ("stats", "--help"), ("--version",), ("explain",)])
def test_help_on_a_full_disk(arguments: tuple[str, ...]) -> None:
    run = shell(">/dev/full", *arguments)
    assert (run.returncode, run.stderr) == (74, "archdsl: cannot write the output: No space left on device\n")


def test_closed_output(spec: str) -> None:
    run = shell(">&-", "stats", spec)
    assert (run.returncode, run.stderr) == (74, "archdsl: cannot write the output: standard output is closed\n")


def test_what_was_asked_for_is_written_all_the_same(spec: str) -> None:
    file = Path(spec).with_suffix(".json")
    assert shell(">&-", "build", spec, "-o", str(file)).returncode == 74
    assert file.stat().st_size


def test_closed_input() -> None:
    run = shell("<&-", "stats", "-")
    assert run.returncode == 1
    assert run.stderr.startswith("error[E002]: standard input is closed\n")


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_nobody_to_tell(redirection: str) -> None:
    for arguments, code in ((("stats", "missing"), 1), (("stats", "resnet18", "--nonsense"), 2)):
        run = shell(redirection, *arguments)
        assert (run.returncode, run.stdout, run.stderr) == (code, "", "")


def test_no_stream_at_all(spec: str) -> None:
    assert shell("<&- >&- 2>&-", "stats", spec).returncode == 74
