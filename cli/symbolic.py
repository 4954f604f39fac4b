"""``archdsl stats --symbolic``: parameters and MACs as closed formulas."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import typer

from .output import say
from .progress import progress

if TYPE_CHECKING:
    from archdsl.analysis.symbolic.formulas import Formula
    from archdsl.design.closed_forms import Formulas
    from archdsl.request import Request


def show_formulas(asked: Iterable[tuple[str, Request]], variables: str, as_json: bool) -> None:
    """Prints the formulas of each spec in the variables, which commas separate. Raises ArchError and BadParameter."""
    names = [name.strip() for name in variables.split(",")]
    if not all(name.isidentifier() for name in names):
        raise typer.BadParameter(f"expected names such as classes,size, got {variables!r}", param_hint="--symbolic")
    with progress() as show:
        found = [(spec, _formulas(spec, request, names, show)) for spec, request in asked]
    if as_json:
        from archdsl.views.forms.json_form import json_text

        say(json_text([{"spec": spec, **each.as_json()} for spec, each in found]))
    else:
        say("\n".join(_text(each) for _, each in found))


def _formulas(spec: str, request: Request, names: Sequence[str], show: Callable[[str], None]) -> Formulas:
    from archdsl.design.closed_forms import formulas

    return formulas(request, names, progress=lambda step: show(f"{spec}: {step}"))


def _text(found: Formulas) -> str:
    at = ", ".join(f"{name} = {value:_}" for name, value in found.base.items())
    return f"{found.network}, from {at}\n\n{_formula_text(found.parameters)}{_formula_text(found.macs)}"


def _formula_text(formula: Formula) -> str:
    from archdsl.analysis.symbolic.formulas import shown

    ends = [f"beyond {d.variable} = {shown(d.last)} the counts are others" for d in formula.domains if d.bounded]
    lines = [f"for {formula.condition}", *ends, f"equal to the network's own count at {formula.checked} other points"]
    return f"{formula}\n" + "".join(f"    {line}\n" for line in lines)
