"""``archdsl check``: everything that is wrong with specs, without building them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archdsl.base.wording import quoted

from .options import FileOptions, grouped
from .output import counted, rendered, say

if TYPE_CHECKING:
    from archdsl.compiler import Findings, Unbuilt
    from archdsl.diagnostics.model import Diagnostic
    from archdsl.request import Request

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
    options: FileOptions,
) -> None:
    """Report everything that is wrong with specs. Exits with 1 if anything is."""
    from archdsl.diagnostics.problems import Problems

    found = Problems()
    unbuilt: list[Unbuilt] = []
    checked = 0
    for spec in _spread(specs):
        findings = _examined(spec, options.request(spec))
        found.extend(findings.diagnostics)
        unbuilt.extend(findings.unbuilt)
        checked += 1
    say(_formatted(list(found), checked, unbuilt, format))
    if len(found):
        raise typer.Exit(1)


def _spread(arguments: Iterable[str]) -> Iterator[str]:
    """The specs meant: a directory stands for all ``.arch`` files below it."""
    for argument in arguments:
        if Path(argument).is_dir():
            yield from sorted(map(str, Path(argument).rglob("*.arch"))) or [argument]
        else:
            yield argument


def _examined(shown: str, request: Request) -> Findings:
    from archdsl import compiler
    from archdsl.diagnostics.model import Diagnostic

    if isinstance(request.spec, str) and Path(request.spec).is_dir():
        help_ = "name a file, or a directory that holds some"
        fault = Diagnostic("E001", f"there is no .arch file in {shown}", help=help_)
        return compiler.Findings((fault,))
    return compiler.examine(request)


def _formatted(diagnostics: list[Diagnostic], checked: int, unbuilt: list[Unbuilt], format: Format) -> str:
    from archdsl.diagnostics.exchange import render_json, render_sarif

    if format is Format.JSON:
        return render_json(diagnostics)
    if format is Format.SARIF:
        return render_sarif(diagnostics)
    errors = counted(len(diagnostics), "error") if diagnostics else "no errors"
    summary = f"{counted(checked, 'spec')} checked: {errors}\n{_left_out(unbuilt)}"
    return (rendered(diagnostics, sys.stdout) + "\n" if diagnostics else "") + summary


def _left_out(unbuilt: list[Unbuilt]) -> str:
    """The line that says how many networks were not built, and what they wait for."""
    if not unbuilt:
        return ""
    listed = [_waiting(each) for each in unbuilt[:MOST_LISTED]]
    if len(unbuilt) > MOST_LISTED:
        listed.append(f"{len(unbuilt) - MOST_LISTED} more")
    return f"{counted(len(unbuilt), 'network')} not built: {'; '.join(listed)}\n"


def _waiting(unbuilt: Unbuilt) -> str:
    name = unbuilt.network.name.name
    wanted = f"`{name}` waits for {quoted(unbuilt.own)}" if unbuilt.own else f"`{name}` waits"
    if not unbuilt.inherited or unbuilt.network.base is None:
        return wanted
    joined = " and for" if unbuilt.own else " for"
    header = " ".join(unbuilt.network.base.span.text.split())
    return f"{wanted}{joined} {quoted(unbuilt.inherited)}, which `{header}` leaves open: only `--set` gives it"
