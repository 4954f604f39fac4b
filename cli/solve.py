"""``archdsl solve``: the value of a parameter that meets a budget."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import FileOptions, InputOption, JsonOption, SpecArgument, grouped
from .output import say, shown_table
from .progress import progress

if TYPE_CHECKING:
    from archdsl.design.solving import Budget, Candidate, Solution
    from archdsl.request import Request

_NUMBER = r"[0-9][0-9_]*(?:\.[0-9]+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?::({_NUMBER}))?")

OpenOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="NAME=? is sought, or one of NAME=8..512 (both included; 8..512:8 in steps); others are set as in stats.",
    ),
]


@dataclass(frozen=True, slots=True)
class BudgetOptions:
    """What the network may count at most."""

    params: Annotated[str | None, typer.Option("--params", metavar="N", help="At most so many parameters: 25M.")] = None
    macs: Annotated[str | None, typer.Option("--macs", metavar="N", help="At most so many MACs: 4.1G.")] = None
    memory: Annotated[str | None, typer.Option("--memory", metavar="N", help="At most so much memory: 24GiB.")] = None


@dataclass(frozen=True, slots=True)
class UseOptions:
    """What the budget of memory is for."""

    batch: Annotated[
        int | None, typer.Option("--batch", min=1, metavar="N", help="Examples that the memory is for; 1 without this.")
    ] = None
    dtype: Annotated[str | None, typer.Option("--dtype", metavar="NAME", help="float32, float16, bfloat16 ...")] = None
    optimizer: Annotated[str | None, typer.Option("--optimizer", metavar="NAME", help="sgd, momentum, adam ...")] = None
    device: Annotated[str | None, typer.Option("--device", metavar="NAME", help="Where it runs: cpu or cuda.")] = None
    inference: Annotated[bool, typer.Option("--inference", help="Memory of inference; of training without this.")] = (
        False
    )

    def given(self) -> dict[str, Any]:
        """Those that the command line has, as arguments of ``archdsl.solve``."""
        return {name: value for name, value in asdict(self).items() if value}


@dataclass(frozen=True, slots=True)
class _Open:
    """The parameter that is sought, and between which values, if that is said."""

    name: str
    between: tuple[Fraction, Fraction] | None = None
    step: Fraction | None = None


@grouped
def solve(
    spec: SpecArgument,
    *,
    set_: OpenOption = None,
    budgets: BudgetOptions,
    use: UseOptions,
    nearest: Annotated[bool, typer.Option("--nearest", help="Come as close as can be, from above too.")] = False,
    input: InputOption = None,
    file: FileOptions,
    as_json: JsonOption = False,
) -> None:
    """Find the largest value of a parameter, or of the input's size, whose network is within a budget."""
    _check_budgets(budgets, use)
    sought, settings = _open_parameter(set_ or ())
    request = file.request(spec, input, settings)
    with progress() as show:
        found = _solution(request, sought, {**asdict(budgets), **use.given(), "nearest": nearest, "progress": show})
    if as_json:
        from archdsl.views.forms.json_form import json_text

        say(json_text(found.as_json()))
    else:
        say(_text(found))


def _check_budgets(budgets: BudgetOptions, use: UseOptions) -> None:
    if budgets == BudgetOptions():
        raise typer.BadParameter("give a budget: --params 25M, --macs 4.1G, --memory 24GiB")
    if use.given() and budgets.memory is None:
        raise typer.BadParameter(f"--{next(iter(use.given()))} is for --memory, which is not given")


def _solution(request: Request, sought: _Open, arguments: dict[str, Any]) -> Solution:
    from archdsl.design.solving import solve

    return solve(request, sought.name, between=sought.between, step=sought.step, **arguments)


def _open_parameter(texts: Iterable[str]) -> tuple[_Open, list[str]]:
    """The one that is sought, and the settings of the others: a range is sought in where no ``?`` is."""
    pairs = [text.partition("=") for text in texts]
    questions = [pair for pair in pairs if pair[2].strip() == "?"]
    sought = questions or [pair for pair in pairs if _RANGE.fullmatch(pair[2].strip())]
    if len(sought) != 1:
        which = "no parameter is open" if not sought else f"{len(sought)} parameters are open"
        raise typer.BadParameter(f"{which}: write one --set NAME=? (or a range, NAME=8..512)", param_hint="--set")
    name, _, text = sought[0]
    if not name.strip().isidentifier():
        raise typer.BadParameter(f"expected NAME=?, got {''.join(sought[0])!r}", param_hint="--set")
    others = ["".join(pair) for pair in pairs if pair is not sought[0]]
    if any(pair[0].strip() == name.strip() for pair in pairs if pair is not sought[0]):
        raise typer.BadParameter(f"{name.strip()} is set twice", param_hint="--set")
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        return _Open(name.strip()), others
    first, last, step = (None if part is None else Fraction(part.replace("_", "")) for part in match.groups())
    assert first is not None
    assert last is not None
    return _Open(name.strip(), (first, last), step), others


# ---- printing ------------------------------------------------------------------------------------


def _text(found: Solution) -> str:
    from archdsl.analysis.symbolic.formulas import named
    from archdsl.views.forms.tables import Table, TableColumn

    budgets = " and ".join(f"{budget.limit:,} {named(budget.metric)}" for budget in found.budgets)
    what = f"comes closest to {budgets}" if found.nearest else f"is the largest {_largest(found)} within {budgets}"
    columns = [
        TableColumn(found.variable, right=True),
        TableColumn("parameters", right=True),
        TableColumn("MACs", right=True),
    ]
    if found.found.counts.memory is not None:
        columns.append(TableColumn("bytes", right=True))
    columns += [TableColumn(f"of the {named(budget.metric)}", right=True) for budget in found.budgets]
    rows = [_cells(one, found.budgets) for one in (found.found, found.above) if one is not None]
    remarks = "".join(f"{line}\n" for line in _remarks(found))
    return f"{found.variable} = {found.value:_} {what}\n\n{shown_table(Table(columns, rows))}\n{remarks}"


def _cells(one: Candidate, budgets: Iterable[Budget]) -> list[str]:
    memory = [] if one.counts.memory is None else [f"{one.counts.memory:,}"]
    shares = [_share(one.counts[b.metric], b.limit) for b in budgets]
    return [f"{one.value:_}", f"{one.counts.parameters:,}", f"{one.counts.macs:,}", *memory, *shares]


def _largest(found: Solution) -> str:
    """What kind of value it is: the largest of all, as far as the search can tell, or of those that were tried."""
    is_sure = found.every_value or (found.is_even and found.too_large is None)
    return "value" if is_sure else "value found"


def _share(count: int, limit: int) -> str:
    """A count in hundredths of a percent of a limit: what is over it reads over, what is below reads below."""
    if not limit:
        return ""
    hundredths = -(-10_000 * count // limit) if count > limit else 10_000 * count // limit
    return f"{hundredths // 100:,}.{hundredths % 100:02}%"


def _remarks(found: Solution) -> Iterable[str]:
    from archdsl.analysis.symbolic.formulas import named

    for budget in found.budgets:
        left = budget.limit - found.found.counts[budget.metric]
        yield f"{abs(left):,} {named(budget.metric)} {'left' if left >= 0 else 'above the budget'}"
    if found.too_large is not None:
        yield f"no budget ends it but a limit of the compiler: {found.too_large.value:_} is refused"
        yield f"{found.too_large.reason}; {found.too_large.help}"
    elif found.above is None:
        is_end = found.grid.last is not None and found.value + found.grid.step > found.grid.last
        yield "the range ends here" if is_end else "no greater value was found that the network takes"
    end = math.inf if found.too_large is None else found.too_large.value
    passed = [refusal for refusal in found.refused if refusal.value < end]
    if passed:
        yield f"passed over {len(passed):,} that the network refuses: {passed[0].value:_} ({passed[0].reason})"
    yield f"tried {found.tried:,}: {_how(found)}"
    if found.takes_fractions:
        yield f"fractions were not tried: --set {found.variable}={found.value}..{found.value + 1}:0.01 tries them"


def _how(found: Solution) -> str:
    if found.every_value:
        return f"all of {found.grid}"
    if found.is_even:
        return f"found by halving, {found.grid}"
    return f"{found.grid}, not each of them, and the counts rise and fall; a range of up to 1,024 is tried whole"
