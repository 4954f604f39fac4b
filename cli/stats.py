"""``archdsl stats``: what a network is made of and what it costs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from archdsl.diagnostics import ArchError, Diagnostic

from .common import InputOption, LimitOption, NetworkOption, OpsOption, Request, SetOption, request
from .output import say

if TYPE_CHECKING:
    from archdsl.graph import Graph


def stats(
    specs: Annotated[
        list[str],
        typer.Argument(metavar="SPEC...", help="Paths, bundled names, PATH:NETWORK, or - for standard input."),
    ],
    set_: SetOption = None,
    input: InputOption = None,
    network: NetworkOption = None,
    depth: Annotated[
        int | None, typer.Option("--depth", min=0, metavar="N", help="Levels below the network to show.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown tables.")] = False,
    ops: OpsOption = None,
    limit: LimitOption = None,
) -> None:
    """Show what networks are made of, side by side if several."""
    if as_json + as_csv + as_markdown > 1:
        raise typer.BadParameter("choose one of --json, --csv and --markdown")
    from . import reports

    asked = [request(spec, network, input, set_, limit, ops) for spec in specs]
    found = [reports.Report.of(one.reference.shown, graph) for one, graph in zip(asked, _graphs(asked), strict=True)]
    if as_json:
        say(reports.as_json(found, depth))
    elif as_csv:
        say(reports.as_csv(found, depth))
    else:
        say(reports.as_tables(found, depth, markdown=as_markdown))


def _graphs(asked: Iterable[Request]) -> list[Graph]:
    """All the graphs. Raises ArchError with what is wrong with any of the specs."""
    graphs: list[Graph] = []
    faults: list[Diagnostic] = []
    for one in asked:
        try:
            graphs.append(one.load())
        except ArchError as error:
            faults.extend(error.diagnostics)
    if faults:
        raise ArchError(faults)
    return graphs
