"""``archdsl check``: everything that is found in specs, without building them."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import FileOptions, grouped
from .output import counted, rendered, say

if TYPE_CHECKING:
    from archdsl.diagnostics.model import Diagnostic
    from archdsl.request import Request

NOT_BUILT = "N401"
"""The note that the last line sums up: a folder of bases has many of them, and all is well."""

MOST_LISTED = 5
"""How many of the networks that were not built the last line names."""


class Format(StrEnum):
    """How diagnostics are printed."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


@grouped
def check(
    specs: Annotated[
        list[str], typer.Argument(metavar="SPEC...", help="Specs as for build, or directories to search for *.arch.")
    ],
    *,
    format: Annotated[Format, typer.Option("--format", help="How to print diagnostics.")] = Format.TEXT,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 for warnings, too.")] = False,
    options: FileOptions,
) -> None:
    """Report everything that is found in specs. Exits with 1 if there are errors."""
    from archdsl.diagnostics.problems import Problems

    found = Problems()
    checked = 0
    for spec in _spread(specs):
        found.extend(_examined(spec, options.request(spec)))
        checked += 1
    say(_formatted(list(found), checked, format))
    if found.errors or (strict and any(each.severity == "warning" for each in found)):
        raise typer.Exit(1)


def _spread(arguments: Iterable[str]) -> Iterator[str]:
    """The specs meant: a directory stands for all ``.arch`` files below it."""
    for argument in arguments:
        if Path(argument).is_dir():
            yield from sorted(map(str, Path(argument).rglob("*.arch"))) or [argument]
        else:
            yield argument


def _examined(shown: str, request: Request) -> list[Diagnostic]:
    from archdsl import compiler
    from archdsl.diagnostics.model import Diagnostic

    if isinstance(request.spec, str) and Path(request.spec).is_dir():
        help_ = "name a file, or a directory that holds some"
        return [Diagnostic("E001", f"there is no .arch file in {shown}", help=help_)]
    return compiler.check(request)


def _formatted(diagnostics: list[Diagnostic], checked: int, format: Format) -> str:
    from archdsl.diagnostics.exchange import render_json, render_sarif

    if format is Format.JSON:
        return render_json(diagnostics)
    if format is Format.SARIF:
        return render_sarif(diagnostics)
    shown = [each for each in diagnostics if each.code != NOT_BUILT]
    summary = f"{counted(checked, 'spec')} checked: {_totals(shown)}\n{_left_out(diagnostics)}"
    return (rendered(shown, sys.stdout) + "\n" if shown else "") + summary


def _totals(diagnostics: list[Diagnostic]) -> str:
    """``no errors``, ``2 errors, 1 warning``."""
    number = Counter(each.severity for each in diagnostics)
    errors = counted(number["error"], "error") if number["error"] else "no errors"
    return f"{errors}, {counted(number['warning'], 'warning')}" if number["warning"] else errors


def _left_out(diagnostics: list[Diagnostic]) -> str:
    """The line that says how many networks were not built, and what they wait for."""
    waiting = [each.message for each in diagnostics if each.code == NOT_BUILT]
    if not waiting:
        return ""
    more = [f"{len(waiting) - MOST_LISTED} more"] if len(waiting) > MOST_LISTED else []
    return f"{counted(len(waiting), 'network')} not built: {'; '.join([*waiting[:MOST_LISTED], *more])}\n"
