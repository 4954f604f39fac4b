"""``archdsl check``: everything that is wrong with specs, without building them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .common import LimitOption, NetworkOption, OpsOption, Request, request
from .output import counted, rendered, say

if TYPE_CHECKING:
    from archdsl.diagnostics import Diagnostic


class Format(StrEnum):
    """How diagnostics are printed."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


def check(
    specs: Annotated[
        list[str], typer.Argument(metavar="SPEC...", help="Specs as for build, or directories to search for *.arch.")
    ],
    format: Annotated[Format, typer.Option("--format", help="How to print diagnostics.")] = Format.TEXT,
    network: NetworkOption = None,
    ops: OpsOption = None,
    limit: LimitOption = None,
) -> None:
    """Report everything that is wrong with specs. Exits with 1 if anything is."""
    diagnostics: list[Diagnostic] = []
    checked = 0
    for spec in _spread(specs):
        diagnostics.extend(_faults(request(spec, network, limits=limit, ops=ops)))
        checked += 1
    found = _distinct(diagnostics)
    say(_formatted(found, checked, format))
    if found:
        raise typer.Exit(1)


def _spread(arguments: Iterable[str]) -> Iterator[str]:
    """The specs meant: a directory stands for all ``.arch`` files below it."""
    for argument in arguments:
        if Path(argument).is_dir():
            yield from sorted(map(str, Path(argument).rglob("*.arch"))) or [argument]
        else:
            yield argument


def _faults(asked: Request) -> Iterable[Diagnostic]:
    import archdsl

    reference = asked.reference
    if isinstance(reference.spec, str) and Path(reference.spec).is_dir():
        help_ = "name a file, or a directory that holds some"
        return [archdsl.Diagnostic("E001", f"there is no .arch file in {reference.shown}", help=(help_,))]
    return archdsl.check(reference.spec, network=asked.network, limits=asked.limits, ops=asked.ops)


def _distinct(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Each fault once, though several specs may import the file that it is in."""
    found: dict[object, Diagnostic] = {}
    for diagnostic in diagnostics:
        place = diagnostic.span.place if diagnostic.span else None
        found.setdefault((diagnostic.code, place, diagnostic.message), diagnostic)
    return list(found.values())


def _formatted(diagnostics: list[Diagnostic], checked: int, format: Format) -> str:
    from archdsl.rendering import render_json, render_sarif

    if format is Format.JSON:
        return render_json(diagnostics)
    if format is Format.SARIF:
        return render_sarif(diagnostics)
    errors = counted(len(diagnostics), "error") if diagnostics else "no errors"
    summary = f"{counted(checked, 'spec')} checked: {errors}\n"
    return (rendered(diagnostics, sys.stdout) + "\n" if diagnostics else "") + summary
