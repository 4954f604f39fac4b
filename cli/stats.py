"""``archdsl stats``: what a network is made of and what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError

from .options import FileOptions, InputOption, JsonOption, SetOption, grouped
from .output import Form, drawn, report, say

if TYPE_CHECKING:
    from archdsl.request import Request
    from archdsl.views.stats import Stats

    Asked = tuple[str, Request]
    """A spec as it was named, and what is asked of it."""

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
ExplainOption = Annotated[
    bool, typer.Option("--explain-cost", help="Print how each kind of op is counted, and what it adds up to.")
]
SymbolicOption = Annotated[
    str | None, typer.Option("--symbolic", metavar="NAMES", help="Print closed formulas in these: classes,size.")
]
DepthOption = Annotated[
    int | None, typer.Option("--depth", min=0, metavar="N", help="Levels below the network to show.")
]


@dataclass(frozen=True, slots=True)
class MemoryOptions:
    """What the memory is for."""

    batch: Annotated[int | None, typer.Option("--batch", metavar="N", help="Examples in a batch, for memory: 1.")] = (
        None
    )
    dtype: Annotated[
        str | None, typer.Option("--dtype", metavar="NAME", help="For memory: float32, float16, bfloat16 ...")
    ] = None
    optimizer: Annotated[
        str | None, typer.Option("--optimizer", metavar="NAME", help="For memory: sgd, momentum, adam ...")
    ] = None
    device: Annotated[
        str | None, typer.Option("--device", metavar="NAME", help="For memory, where it trains: cpu or cuda.")
    ] = None

    def given(self) -> dict[str, Any]:
        """Those that the command line has, as arguments of ``Stats``."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class FormOptions:
    """How it is printed, where not as text."""

    as_json: JsonOption = False
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown tables.")] = False

    def chosen(self) -> Form:
        """The one that is asked for. Raises BadParameter where several are."""
        wanted = ((Form.JSON, self.as_json), (Form.CSV, self.as_csv), (Form.MARKDOWN, self.as_markdown))
        chosen = [form for form, is_chosen in wanted if is_chosen]
        if len(chosen) > 1:
            raise typer.BadParameter("choose one of --json, --csv and --markdown")
        return chosen[0] if chosen else Form.TEXT


@grouped
def stats(
    specs: Annotated[
        list[str],
        typer.Argument(metavar="SPEC...", help="Paths, bundled names, PATH:NETWORK, or - for standard input."),
    ],
    *,
    set_: SetOption = None,
    input: InputOption = None,
    file: FileOptions,
    depth: DepthOption = None,
    columns: ColumnsOption = None,
    memory: MemoryOptions,
    batch_for: BatchForOption = None,
    explain_cost: ExplainOption = False,
    forms: FormOptions,
    symbolic: SymbolicOption = None,
) -> None:
    """Show what networks are made of, side by side if several."""
    form, use = forms.chosen(), memory.given()
    _refuse_together(
        {"--batch-for": batch_for is not None, "--explain-cost": explain_cost, "--symbolic": symbolic is not None},
        {"--depth": depth is not None, "--columns": columns is not None, **{f"--{name}": True for name in use}},
    )
    asked = [(spec, file.request(spec, input, set_)) for spec in specs]
    if symbolic is not None:
        _show_formulas(asked, symbolic, form)
    elif batch_for is not None:
        from .batch_for import show_largest_batches

        show_largest_batches(_analysed(asked, use), batch_for, form)
    elif explain_cost:
        from .explain_cost import show_explained_costs

        show_explained_costs(_analysed(asked, use), form)
    else:
        _show_reports(asked, use, _columns(columns), depth, form)


# ---- what goes together --------------------------------------------------------------------------


_WITH_BATCH_FOR = frozenset({"--dtype", "--optimizer", "--device"})


def _refuse_together(questions: dict[str, bool], options: dict[str, bool]) -> None:
    """Raises BadParameter where two questions are asked, or an option does not belong to the question."""
    asked = [name for name, is_asked in questions.items() if is_asked]
    if len(asked) > 1:
        raise typer.BadParameter(f"choose one of {' and '.join(asked)}")
    if not asked:
        return
    allowed = _WITH_BATCH_FOR if asked[0] == "--batch-for" else frozenset()
    for name, is_given in options.items():
        if is_given and name not in allowed:
            raise typer.BadParameter(f"{name} does not go with {asked[0]}: leave one of them out", param_hint=name)


def _columns(names: str | None) -> list[str]:
    """The columns asked for, none if none are. Raises ArchError E804 for one that there is not."""
    from archdsl.views.columns import chosen_columns, column_names

    if names is None:
        return []
    return [column.name for column in chosen_columns(column_names(names))]


# ---- questions -----------------------------------------------------------------------------------


def _show_reports(
    asked: Sequence[Asked], use: dict[str, Any], columns: Sequence[str], depth: int | None, form: Form
) -> None:
    from archdsl.views.columns import COMPARED_COLUMNS, DEFAULT_COLUMNS

    is_comparison = len(asked) > 1 and form in (Form.TEXT, Form.MARKDOWN)
    if is_comparison and depth is not None and depth > 1:
        message = "several networks are compared by sections, which --depth 0 leaves out; deeper go --json and --csv"
        raise typer.BadParameter(message, param_hint="--depth")
    shown = list(columns or (COMPARED_COLUMNS if is_comparison else DEFAULT_COLUMNS))
    if use and "memory" not in shown:
        shown.append("memory")
    say(_report(_analysed(asked, use), shown, depth, form))


def _report(networks: Sequence[tuple[str, Stats]], columns: Sequence[str], depth: int | None, form: Form) -> str:
    """Networks as data; else the tree of one with its totals, or several side by side."""
    if form is Form.JSON:
        from archdsl.views.stats_data import networks_json

        return networks_json(networks, columns, depth)
    if form is Form.CSV:
        from archdsl.views.stats_data import networks_csv

        return networks_csv(networks, columns, depth)
    if len(networks) > 1:
        from archdsl.views.comparison import compared

        specs, stats_ = zip(*networks, strict=True)
        return drawn(form, compared(specs, stats_, columns, with_sections=depth != 0).table())
    from archdsl.views.stats_table import tree_table
    from archdsl.views.totals import total_lines

    ((_, stats),) = networks
    return drawn(form, tree_table(stats, columns, depth), total_lines(stats, columns))


def _show_formulas(asked: Iterable[Asked], variables: str, form: Form) -> None:
    from .symbolic import show_formulas

    if form in (Form.CSV, Form.MARKDOWN):
        raise typer.BadParameter("formulas are printed as text or with --json")
    show_formulas(asked, variables, form is Form.JSON)


def _analysed(asked: Iterable[Asked], use: dict[str, Any]) -> list[tuple[str, Stats]]:
    """Each spec as it was named, and its figures. Raises ArchError with what is wrong with any of them."""
    from archdsl.views.stats import Stats

    found: list[tuple[str, Stats]] = []
    faults: list[Diagnostic] = []
    for spec, request in asked:
        try:
            graph = request.graph()
            report(graph.diagnostics)
            found.append((spec, Stats(graph, **use)))
        except ArchError as error:
            faults.extend(fault for fault in error.diagnostics if fault not in faults)
    if faults:
        raise ArchError(faults)
    return found
