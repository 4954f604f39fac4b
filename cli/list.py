"""``archdsl list``: the bundled specs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from .output import say


@dataclass(frozen=True, slots=True)
class Listed:
    """A bundled spec: its name, the first line of its comment, and its size as declared."""

    name: str
    title: str
    parameters: int
    macs: int


def list_specs(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the bundled specs with their parameters and MACs."""
    from archdsl import bundled

    found = [_listed(name) for name in bundled()]
    if as_json:
        import json

        say(json.dumps([asdict(spec) for spec in found], indent=2, ensure_ascii=False) + "\n")
        return
    from .tables import Column, text_table

    columns = [Column("name"), Column("parameters", right=True), Column("MACs", right=True), Column("")]
    say(text_table(columns, [[spec.name, f"{spec.parameters:,}", f"{spec.macs:,}", spec.title] for spec in found]))


def _listed(name: str) -> Listed:
    from archdsl import load
    from archdsl.analysis.cost import cost

    graph = load(name)
    total = cost(graph)
    return Listed(name, next(iter(graph.doc.splitlines()), ""), total.parameters, total.macs)
