"""``archdsl stats``: what a network is made of and what it costs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archdsl.diagnostics import ArchError, Diagnostic

from .common import InputOption, LimitOption, NetworkOption, OpsOption, Request, SetOption, request
from .output import say

if TYPE_CHECKING:
    from archdsl.graph import Graph


ColumnsOption = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="NAMES",
        help="What to show: kind,shape,params,buffers,macs,flops,memory,rf,stride,offset,path.",
    ),
]
BatchForOption = Annotated[
    str | None,
    typer.Option("--batch-for", metavar="SIZE", help="Print the largest batch that fits in 24GiB, say."),
]


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
    columns: ColumnsOption = None,
    batch: Annotated[int, typer.Option("--batch", metavar="N", help="Examples in a batch, for memory.")] = 1,
    dtype: Annotated[str, typer.Option("--dtype", metavar="NAME", help="float32, float16, bfloat16 ...")] = "float32",
    optimizer: Annotated[str, typer.Option("--optimizer", metavar="NAME", help="sgd, momentum, adam ...")] = "sgd",
    device: Annotated[str, typer.Option("--device", metavar="NAME", help="Where it trains: cpu or cuda.")] = "cpu",
    batch_for: BatchForOption = None,
    explain_cost: Annotated[
        bool, typer.Option("--explain-cost", help="Print how each kind of op is counted, and what it adds up to.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown tables.")] = False,
    symbolic: Annotated[
        str | None, typer.Option("--symbolic", metavar="NAMES", help="Print closed formulas in these: classes,size.")
    ] = None,
    ops: OpsOption = None,
    limit: LimitOption = None,
) -> None:
    """Show what networks are made of, side by side if several."""
    if as_json + as_csv + as_markdown > 1:
        raise typer.BadParameter("choose one of --json, --csv and --markdown")
    if symbolic is not None and as_csv + as_markdown:
        raise typer.BadParameter("formulas are printed as text or with --json")
    from archdsl.analysis.stats import Stats

    from . import reports

    asked = [request(spec, network, input, set_, limit, ops) for spec in specs]
    if symbolic is not None:
        from .symbolic import show_formulas

        show_formulas(asked, symbolic, as_json)
        return
    chosen = _columns(columns)
    analysed = {"batch": batch, "dtype": dtype, "optimizer": optimizer, "device": device}
    graphs = _graphs(asked)
    if batch_for is not None:
        say(_largest_batches(asked, graphs, batch_for, analysed, as_json))
        return
    found = [
        reports.Report(one.reference.shown, Stats(graph, **analysed), chosen)  # type: ignore[arg-type]
        for one, graph in zip(asked, graphs, strict=True)
    ]
    if explain_cost:
        say("\n".join(reports.explained_cost(report, markdown=as_markdown) for report in found))
    elif as_json:
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


def _columns(names: str | None) -> list[str]:
    """The columns asked for. Raises ArchError E804 for one that there is not."""
    from archdsl.analysis.columns import DEFAULT_COLUMNS, chosen_columns

    if names is None:
        return list(DEFAULT_COLUMNS)
    return [column.name for column in chosen_columns([name.strip() for name in names.split(",") if name.strip()])]


def _largest_batches(
    asked: Iterable[Request], graphs: Iterable[Graph], budget: str, analysed: dict[str, object], as_json: bool
) -> str:
    """The largest batch of each network whose training fits within the budget."""
    from archdsl.analysis.memory import largest_batch
    from archdsl.units import bytes_of

    settings: dict[str, Any] = {name: value for name, value in analysed.items() if name != "batch"}
    size = bytes_of(budget)
    found = {
        one.reference.shown: largest_batch(graph, size, **settings) for one, graph in zip(asked, graphs, strict=True)
    }
    if as_json:
        import json

        return json.dumps(found, indent=2) + "\n"
    return "".join(f"{spec}: batch {batch:,} fits in {budget}\n" for spec, batch in found.items())
