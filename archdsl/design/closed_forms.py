"""Parameters and MACs of a spec as closed formulas in its parameters and the size of its input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from archdsl.analysis.symbolic.fitting import FAR_REAL, FAR_WHOLE, GREATEST_REAL, Axis, NoFormulaError, fit
from archdsl.analysis.symbolic.formulas import Formula, named, shown
from archdsl.base.limits import DEFAULT_LIMITS, Limits
from archdsl.design.open_network import METRICS, OpenNetwork, Variable, base_point, names_of
from archdsl.diagnostics.problems import ArchError
from archdsl.elaborate.finding import Spec
from archdsl.elaborate.settings import InputSize
from archdsl.extensions.user_ops import OpSource
from archdsl.request import Request, asked

WHOLE_STEPS = tuple(
    map(Fraction, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 15, 16, 18, 20, 24, 28, 30, 32, 36, 40, 48, 56, 60, 64))
) + tuple(map(Fraction, (72, 80, 96, 112, 120, 128, 160, 192, 224, 256, 320, 384, 448, 512)))
"""Steps that are tried for whole numbers: strides and windows multiply to such numbers."""

REAL_STEPS = tuple(Fraction(1, 2**power) for power in range(5, 0, -1)) + tuple(map(Fraction, (1, 2, 4, 8)))
"""Steps that are tried for other numbers, all of them floats exactly."""

MAX_SPECIAL = 16
"""So many of the channels that occur in the network, the least, are looked at as values of each variable ..."""
MAX_NUMBERS = 64
"""... and so many of the numbers that the spec writes, the greatest."""

RATES_REFUSE = (2, 3, 4, 8, 16)
"""Numbers that no parameter takes which is a rate."""

MAX_NODES = 20_000
"""A formula is compared with networks of so many nodes, or of four times the nodes of the one at hand."""


@dataclass(frozen=True, slots=True)
class Formulas:
    """The closed formulas of a network; ``base`` are its declared (or given) values, from which they were found."""

    network: str
    base: Mapping[str, int | float]
    parameters: Formula
    macs: Formula

    def __str__(self) -> str:
        return "\n".join(f"{one} for {one.condition}" for one in (self.parameters, self.macs))

    def as_json(self) -> dict[str, Any]:
        """Each formula as ``Formula.as_json`` gives it, under its metric."""
        found = {metric: getattr(self, metric).as_json() for metric in METRICS}
        return {"network": self.network, "variables": dict(self.base), **found}


def formulas(
    spec: Spec | Request,
    variables: str | Iterable[str],
    /,
    *,
    network: str | None = None,
    input: InputSize | None = None,
    limits: Limits = DEFAULT_LIMITS,
    set_texts: Mapping[str, str] | None = None,
    ops: Iterable[OpSource] = (),
    progress: Callable[[str], None] = lambda step: None,
    **parameters: object,
) -> Formulas:
    """Parameters and MACs as closed formulas in ``variables``; never imports torch.

    ``variables`` is a list of names, or a text of names with commas between. A variable is a numeric parameter of the
    network or a size of its input: ``height``, ``width``, ``size`` (the side of a square image), ``channels``,
    ``length`` (of tokens). A parameter of the same name comes first. ``progress`` is called with each point before the
    network is counted there, as a text. The other arguments are those of ``load``; what they set is where the search
    starts, and what is not varied stays so.

    The formulas are interpolated exactly from the counts of the network at some points and compared with those at
    others; each says for which values it holds, and is not evaluated beyond those that were compared.

    Raises ArchError: what ``load`` raises, E211 for a variable that has no value to start from, E409 for what is no
    variable, E803 where no formula is found.
    """
    request = asked(spec, network=network, input=input, limits=limits, set_texts=set_texts, ops=ops, **parameters)
    return _found(request, names_of(variables), progress)


def _found(request: Request, names: Sequence[str], progress: Callable[[str], None]) -> Formulas:
    opened = OpenNetwork(request, names)
    if not opened.variables:
        raise opened.fault("E409", "formulas need a variable", "name one or more: `classes`, `size`")
    if opened.graph is None:
        hint = f"a formula is sought from a value: give one with `--set {names[0]}=16` or `{names[0]}=16`"
        raise opened.fault("E211", f"`{opened.name}` needs the parameter `{names[0]}`", hint)
    nodes = max(MAX_NODES, 4 * len(opened.graph.nodes))
    opened.request = request.within(replace(request.limits, nodes=min(request.limits.nodes, nodes)))
    axes = [_axis(opened, variable) for variable in opened.variables]
    found = {metric: _formula(opened, metric, axes, progress) for metric in METRICS}
    base = {variable.name: variable.given(axis.base) for variable, axis in zip(opened.variables, axes, strict=True)}
    return Formulas(opened.graph.name, base, found["parameters"], found["macs"])


def _axis(opened: OpenNetwork, variable: Variable) -> Axis:
    base = base_point([variable])[variable.name]
    least = Fraction(1) if variable.axes or base >= 1 else Fraction(0)
    if not variable.is_whole or _takes_fractions_only(opened, variable, base):
        return Axis(variable.name, base, REAL_STEPS, least, FAR_REAL, _special(opened), GREATEST_REAL)
    return Axis(variable.name, base, WHOLE_STEPS, least, FAR_WHOLE, _special(opened))


def _takes_fractions_only(opened: OpenNetwork, variable: Variable, base: Fraction) -> bool:
    """Whether a default of 0 or 1 is one of fractions, such as a rate: no greater number is taken, but a half is."""
    if variable.axes or base > 1 or len(opened.variables) > 1:
        return False
    if not all(isinstance(opened.counts({variable.name: Fraction(greater)}), ArchError) for greater in RATES_REFUSE):
        return False
    return not isinstance(opened.counts({variable.name: Fraction(1, 2)}), ArchError)


def _special(opened: OpenNetwork) -> tuple[Fraction, ...]:
    """Channels that occur in the network and numbers that its spec writes.

    Where a width is one of them, a block may need no projection, or the spec ask for another form.
    """
    assert opened.graph is not None
    channels = {node.type.sizes[0] for node in opened.graph.nodes if node.type.sizes}
    return tuple(map(Fraction, sorted(channels)[:MAX_SPECIAL])) + opened.numbers()[-MAX_NUMBERS:]


def _formula(opened: OpenNetwork, metric: str, axes: list[Axis], progress: Callable[[str], None]) -> Formula:
    def count(point: Mapping[str, Fraction]) -> int | None:
        progress(f"{named(metric)} at {', '.join(f'{name} = {shown(value)}' for name, value in point.items())}")
        found = opened.counts(point)
        return None if isinstance(found, ArchError) else found[metric]

    try:
        return fit(metric, count, axes)
    except NoFormulaError as error:
        message = f"no closed formula of the {named(metric)} was found: {error}"
        hint = "leave out a variable, or start elsewhere with `--set` or `--input`"
        raise opened.fault("E803", message, hint) from None
