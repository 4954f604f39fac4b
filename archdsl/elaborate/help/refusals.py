"""Why an op or an initialiser does not take an argument: pydantic's errors in the words of the language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from archdsl.base.source import Span
from archdsl.elaborate.faults import Fault
from archdsl.elaborate.help.habits import joined_sizes, refusal_help
from archdsl.elaborate.interpreter.arguments import by_name, written
from archdsl.elaborate.interpreter.environment import Environment, Given
from archdsl.elaborate.interpreter.protocols import ExpressionEvaluator
from archdsl.elaborate.interpreter.values import DimsValue, LayerValue, Rounded, describe, is_number
from archdsl.language import syntax
from archdsl.ops.contract.argument_types import LIST, shown


def one_an_argument(error: ValidationError) -> list[Any]:
    """Pydantic's errors; of those for one argument that may be of several types the one that came furthest."""
    found: dict[object, Any] = {}
    for each in error.errors():
        argument = each["loc"][0] if each["loc"] else ""
        if argument not in found or len(each["loc"]) > len(found[argument]["loc"]):
            found[argument] = each
    return list(found.values())


def refused_argument(
    evaluator: ExpressionEvaluator,
    callee: str,
    given: Mapping[str, Given],
    call: Span,
    error: Any,
    positional: Iterable[Given] = (),
    channels: int | None = None,
) -> Fault:
    """The fault for one of pydantic's errors: E211 for a missing argument, else E215."""
    argument = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] == "missing" and len(error["loc"]) == 1:
        return evaluator.session.reporter.fault("E211", f"`{callee}` needs the argument `{argument}`", call)
    value = given.get(argument)
    worth = value.value if value else None
    if isinstance(worth, LayerValue) and isinstance(worth.expression, syntax.Labelled):
        help_ = by_name(worth.expression)
    elif isinstance(worth, LayerValue) and _makes_sizes(evaluator, worth.expression, worth.environment):
        help_ = f"write `{joined_sizes(_sizes_of(worth.expression))}`"
    else:
        refused = written([value])[0] if value else None
        help_ = refusal_help(callee, written(positional), error, refused, channels)
    place = value.span if value and value.span else call
    return evaluator.session.reporter.fault("E215", _refusal(callee, argument, error, value), place, help=help_)


def _makes_sizes(evaluator: ExpressionEvaluator, expression: syntax.Expression, environment: Environment) -> bool:
    """Whether it is numbers alone, of which some are sizes: ``height * width x channels``."""
    if isinstance(expression, syntax.Chain) and expression.operators[0] in _ARITHMETIC:
        return all(_makes_sizes(evaluator, operand, environment) for operand in expression.operands)
    value = evaluator.evaluate(expression, environment)
    return is_number(value) or isinstance(value, DimsValue)


_ARITHMETIC = frozenset({"+", "-", "*", "/", "//", "%"})


def _sizes_of(expression: syntax.Expression) -> list[str]:
    """The sizes that ``height * width x channels`` is meant to be: ``height * width`` and ``channels``."""
    if isinstance(expression, syntax.Dims):
        return [str(size) for size in expression.sizes]
    if not isinstance(expression, syntax.Chain):
        return [expression.span.text]
    if expression.operators[0] == "x":
        return [size for operand in expression.operands for size in _sizes_of(operand)]
    sizes = _sizes_of(expression.operands[0])
    for operator, operand in zip(expression.operators, expression.operands[1:], strict=True):
        first, *others = _sizes_of(operand)
        sizes = [*sizes[:-1], f"{sizes[-1]} {operator} {first}", *others]
    return sizes


def _refusal(callee: str, argument: str, error: Any, given: Given | None) -> str:
    """One of pydantic's errors in the words of the language."""
    if not argument:
        return f"`{callee}`: {error['msg']}"
    item = _refused_item(given.value, error) if given is not None and isinstance(given.value, tuple) else []
    got = ", not " + describe(*item or [given.value]) if given is not None else ""
    if given is not None and isinstance(given.value, Rounded):
        got += ": rounded numbers are for asserts"
    wanted = _WANTED.get(error["type"])
    if wanted is not None:
        context = {"wanted": LIST, **error.get("ctx", {})}
        return f"{'an item of ' if item else ''}`{argument}` of `{callee}` is {wanted.format(**context)}{got}"
    text = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return f"`{argument}` of `{callee}`: {text}" + (f" (it is {describe(given.value)})" if given else "")


def _refused_item(items: tuple[object, ...], error: Any) -> list[object]:
    """The item of a list that was refused, if it was one: pydantic says where, the types of ``ops.arguments`` what."""
    if isinstance(items, DimsValue) or error["type"] in ("tuple_type", "missing"):
        return []
    *_, place = error["loc"]
    if isinstance(place, int):
        return [items[place]]
    return [each for each in items if shown(each) == error.get("ctx", {}).get("value")][:1]


_WANTED: dict[str, str] = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a string",
    "tuple_type": "{wanted}",
    "too_short": "a list of more items",
    "missing": "a list of more items",
    "too_long": "a list of at most {max_length}",
    "finite_number": "a finite number",
    "greater_than": "above {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "below {lt}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
    "model_type": "an initialiser such as `kaiming_normal`",
    "model_attributes_type": "an initialiser such as `kaiming_normal`",
}
