"""``archdsl list``: the bundled specs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from archdsl.diagnostics.problems import ArchError

from .options import JsonOption
from .output import say

if TYPE_CHECKING:
    from archdsl.zoo.index import Summary

PatternsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[TEXT]...", help="Only those whose name or family holds one of these.")
]
MaxParametersOption = Annotated[
    str | None, typer.Option("--max-parameters", metavar="N", help="At most so many parameters: 25M.")
]
MaxMacsOption = Annotated[str | None, typer.Option("--max-macs", metavar="N", help="At most so many MACs: 4.1G.")]
SinceOption = Annotated[int | None, typer.Option("--since", metavar="YEAR", help="Published in this year or later.")]


def list_specs(
    patterns: PatternsArgument = None,
    max_parameters: MaxParametersOption = None,
    max_macs: MaxMacsOption = None,
    since: SinceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the bundled specs by family, with parameters, MACs, year and paper."""
    most_parameters, most_macs = _amount("--max-parameters", max_parameters), _amount("--max-macs", max_macs)
    found = [
        spec
        for spec in summaries()
        if _matches(spec, patterns or ())
        and spec.parameters <= most_parameters
        and spec.macs <= most_macs
        and (since is None or (spec.year or 0) >= since)
    ]
    found.sort(key=lambda spec: (spec.family.lower(), spec.macs))
    if as_json:
        from archdsl.views.forms.json_form import json_text

        say(json_text([asdict(spec) for spec in found]))
    else:
        say(_table(found))


def summaries() -> list[Summary]:
    """Those of all bundled networks, by name: from the index unless a spec was edited since."""
    from archdsl.zoo.index import indexed

    found = indexed()
    return computed_summaries() if found is None else found


def computed_summaries() -> list[Summary]:
    """The same, from the specs."""
    from archdsl.analysis.cost import cost
    from archdsl.request import Request
    from archdsl.zoo.bundled import bundled
    from archdsl.zoo.index import Summary

    found = []
    for name in bundled():
        graph = Request(name).graph()
        total = cost(graph)
        found.append(Summary.of(name, graph.doc, total.parameters, total.macs))
    return found


def _matches(spec: Summary, patterns: Iterable[str]) -> bool:
    wanted = [pattern.lower() for pattern in patterns]
    return not wanted or any(text in spec.name.lower() or text in spec.family.lower() for text in wanted)


def _amount(option: str, text: str | None) -> float:
    """The number that ``25M`` means; infinity where nothing was asked. Raises BadParameter."""
    if text is None:
        return float("inf")
    from archdsl.boundary.units import count_of

    try:
        return count_of(text)
    except ArchError as error:
        raise typer.BadParameter(error.diagnostics[0].message, param_hint=option) from None


def _table(found: Iterable[Summary]) -> str:
    from archdsl.views.forms.tables import Table, TableColumn
    from archdsl.views.forms.text_form import text_table

    columns = [
        TableColumn("family"),
        TableColumn("name"),
        TableColumn("parameters", right=True),
        TableColumn("MACs", right=True),
        TableColumn("year", right=True),
        TableColumn("paper"),
    ]
    rows, before = [], None
    for spec in found:
        family = spec.family if spec.family != before else ""
        year, paper = str(spec.year or ""), spec.paper or ""
        rows.append([family, spec.name, f"{spec.parameters:,}", f"{spec.macs:,}", year, paper])
        before = spec.family
    return text_table(Table(columns, rows))
