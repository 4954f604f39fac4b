"""Options in groups: a command takes them as one object, and typer sees each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from cli.main import app
from cli.options import FileOptions, JsonOption, grouped

seen: list[object] = []


@dataclass(frozen=True)
class SizeOptions:
    """Two numbers."""

    wide: Annotated[int, typer.Option("--wide", help="Width.")] = 3
    high: Annotated[int | None, typer.Option("--high", help="Height.")] = None


@grouped
def drawn(name: str, *, file: FileOptions, size: SizeOptions, as_json: JsonOption = False) -> None:
    """Draw it."""
    seen[:] = [name, file, size, as_json]


one = typer.Typer()
one.command()(drawn)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["a", FileOptions(), SizeOptions(), False]),
        (["--high", "5", "--json"], ["a", FileOptions(), SizeOptions(high=5), True]),
        (["--ops", "x.py", "--ops", "y", "--wide", "1"], ["a", FileOptions(ops=["x.py", "y"]), SizeOptions(1), False]),
    ],
)
def test_a_group_is_one_object(arguments: list[str], expected: list[object]) -> None:
    assert CliRunner().invoke(one, ["a", *arguments]).exit_code == 0
    assert seen == expected


def test_what_every_command_has_stands_last_in_the_help() -> None:
    shown = CliRunner().invoke(one, ["--help"]).output
    places = [shown.index(f"--{name}") for name in ("network", "wide", "high", "json", "ops", "limit")]
    assert places == sorted(places)
    assert "Draw it." in shown


@pytest.mark.parametrize("command", ["build", "stats", "solve", "check", "new"])
def test_whatever_reads_a_spec_has_the_same_options(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"]).output
    assert all(f"--{name}" in shown for name in ("network", "ops", "limit"))
