"""Arguments of calls: which belongs to which parameter, and what is wrong where none does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from archdsl.base.source import Span
from archdsl.diagnostics.model import Label
from archdsl.elaborate.faults import Fault
from archdsl.elaborate.help.habits import Written, repetition_help, surplus_help
from archdsl.elaborate.help.suggestions import suggestion
from archdsl.elaborate.interpreter.environment import Environment, Given
from archdsl.elaborate.interpreter.protocols import ExpressionEvaluator
from archdsl.language import syntax


@dataclass(slots=True)
class Arguments:
    """The values of a call's arguments, each with its place."""

    positional: list[Given] = field(default_factory=list)
    named: dict[str, Given] = field(default_factory=dict)
    names: dict[str, Span] = field(default_factory=dict)
    """Where the keywords are written."""


def split_arguments(
    evaluator: ExpressionEvaluator, arguments: tuple[syntax.Argument, ...], environment: Environment | None
) -> Arguments:
    """Evaluates a call's arguments (without an environment: sorts them only). Raises Fault E214: a name given twice."""
    given = Arguments()
    for argument in arguments:
        if isinstance(argument.value, syntax.Labelled) and isinstance(argument.value.layer, _NEVER_LAYERS):
            raise _labelled(evaluator, argument.value)
        worth = None if environment is None else evaluator.evaluate(argument.value, environment)
        value = Given(worth, argument.value.span)
        if argument.name is None:
            given.positional.append(value)
        elif argument.name.name in given.named:
            raise _twice(evaluator, argument.name.name, argument.name.span, given.named[argument.name.name].span)
        else:
            given.named[argument.name.name] = value
            given.names[argument.name.name] = argument.name.span
    return given


_NEVER_LAYERS = (syntax.Constant, syntax.RoundedNumber, syntax.String, syntax.Unary, syntax.ListOf, syntax.Dims)
"""What no label stands before: no layers, or such as make no step."""


def _labelled(evaluator: ExpressionEvaluator, argument: syntax.Labelled) -> Fault:
    message = "a label names a step, and this is an argument"
    return evaluator.session.reporter.fault("E215", message, argument.span, help=by_name(argument))


def by_name(argument: syntax.Labelled) -> str:
    return f"write `{argument.label.span.text.strip(chr(34))} = {argument.layer.span.text}`"


def _twice(evaluator: ExpressionEvaluator, name: str, span: Span, first: Span | None, help: str = "") -> Fault:
    labels = (Label(first, "given here already"),) if first else ()
    return evaluator.session.reporter.fault(
        "E214", f"the argument `{name}` is given twice", span, labels=labels, help=help
    )


def match_names(
    evaluator: ExpressionEvaluator, callee: str, names: tuple[str, ...], given: Arguments, call: Span
) -> dict[str, Given]:
    """Arguments by parameter name. Raises Fault E212, E213 or E214."""
    if len(given.positional) > len(names):
        extra = given.positional[len(names)]
        takes = f"takes at most {len(names)}" if names else "takes none"
        listed = f": {', '.join(names)}" if names else ""
        count = len(given.positional)
        message = f"`{callee}` gets {count} argument{'s' if count > 1 else ''} but {takes}{listed}"
        help_ = surplus_help(callee, written(given.positional))
        raise evaluator.session.reporter.fault("E213", message, extra.span or call, help=help_)
    matched = dict(zip(names, given.positional, strict=False))
    for name, value in given.named.items():
        if name in matched:
            help_ = repetition_help(callee, written(given.positional), name)
            raise _twice(evaluator, name, given.names[name], matched[name].span, help_)
        if name not in names:
            raise unknown_argument(evaluator, callee, name, names, given.names[name])
        matched[name] = value
    return matched


def written(arguments: Iterable[Given]) -> list[Written]:
    """Positional arguments as habits are told by: their values and how they are written."""
    return [Written(each.value, each.span.text if each.span else "...") for each in arguments]


def unknown_argument(evaluator: ExpressionEvaluator, callee: str, name: str, names: Iterable[str], span: Span) -> Fault:
    """The fault for a keyword that the callee does not have."""
    known = list(names)
    hint = suggestion(name, known) or (f"it takes {', '.join(known)}" if known else "it takes no arguments")
    return evaluator.session.reporter.fault("E212", f"`{callee}` has no argument `{name}`", span, help=hint)


def bind_parameters(
    evaluator: ExpressionEvaluator,
    callee: str,
    parameters: tuple[syntax.Parameter, ...],
    given: Arguments,
    inner: Environment,
    call: Span,
) -> None:
    """Puts arguments and defaults into ``inner``; a default may use the parameters before it."""
    if not given.named and len(given.positional) == len(parameters):
        for parameter, value in zip(parameters, given.positional, strict=True):
            inner.variables[parameter.name.name] = value.value
        return
    names = tuple([parameter.name.name for parameter in parameters])
    matched = match_names(evaluator, callee, names, given, call)
    for parameter in parameters:
        name = parameter.name.name
        if name in matched:
            inner.variables[name] = matched[name].value
        elif parameter.default is not None:
            inner.variables[name] = evaluator.evaluate(parameter.default, inner)
        else:
            raise missing_argument(evaluator, callee, parameter, call)


def missing_argument(evaluator: ExpressionEvaluator, callee: str, parameter: syntax.Parameter, call: Span) -> Fault:
    """The fault for a parameter that has neither an argument nor a default."""
    labels = (Label(parameter.span, "declared here"),)
    return evaluator.session.reporter.fault(
        "E211", f"`{callee}` needs the argument `{parameter.name.name}`", call, labels=labels
    )
