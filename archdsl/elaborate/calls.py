"""Arguments: of functions and blocks to their parameters, of ops and initialisers to their fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from archdsl import syntax
from archdsl.diagnostics import Label
from archdsl.elaborate.environment import Defaults, Environment
from archdsl.elaborate.faults import Fault, suggestion
from archdsl.elaborate.habits import (
    Written,
    channels_as_value,
    hidden_channels,
    joined_sizes,
    refusal_help,
    repetition_help,
    surplus_help,
)
from archdsl.elaborate.values import (
    BlockValue,
    DimsValue,
    Given,
    InitializerReference,
    InitializerValue,
    LayerValue,
    OpReference,
    Rounded,
    describe,
    is_number,
    whole,
)
from archdsl.graph import Node
from archdsl.ops import OPS
from archdsl.ops.arguments import LIST, shown
from archdsl.ops.base import Op
from archdsl.source import Span

if TYPE_CHECKING:
    from archdsl.elaborate.expressions import Evaluator


@dataclass(slots=True)
class Arguments:
    """The values of a call's arguments, each with its place."""

    positional: list[Given] = field(default_factory=list)
    named: dict[str, Given] = field(default_factory=dict)
    names: dict[str, Span] = field(default_factory=dict)
    """Where the keywords are written."""


def split_arguments(
    evaluator: Evaluator, arguments: tuple[syntax.Argument, ...], environment: Environment | None
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


def _labelled(evaluator: Evaluator, argument: syntax.Labelled) -> Fault:
    message = "a label names a step, and this is an argument"
    return evaluator.fault("E215", message, argument.span, help=_by_name(argument))


def _by_name(argument: syntax.Labelled) -> str:
    return f"write `{argument.label.span.text.strip(chr(34))} = {argument.layer.span.text}`"


def _twice(evaluator: Evaluator, name: str, span: Span, first: Span | None, help: str = "") -> Fault:
    labels = (Label(first, "given here already"),) if first else ()
    return evaluator.fault("E214", f"the argument `{name}` is given twice", span, labels=labels, help=help)


def match_names(
    evaluator: Evaluator, callee: str, names: tuple[str, ...], given: Arguments, call: Span
) -> dict[str, Given]:
    """Arguments by parameter name. Raises Fault E212, E213 or E214."""
    if len(given.positional) > len(names):
        extra = given.positional[len(names)]
        takes = f"takes at most {len(names)}" if names else "takes none"
        listed = f": {', '.join(names)}" if names else ""
        count = len(given.positional)
        message = f"`{callee}` gets {count} argument{'s' if count > 1 else ''} but {takes}{listed}"
        help_ = surplus_help(callee, written(given.positional))
        raise evaluator.fault("E213", message, extra.span or call, help=help_)
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


def unknown_argument(evaluator: Evaluator, callee: str, name: str, names: Iterable[str], span: Span) -> Fault:
    """The fault for a keyword that the callee does not have."""
    known = list(names)
    hint = suggestion(name, known) or (f"it takes {', '.join(known)}" if known else "it takes no arguments")
    return evaluator.fault("E212", f"`{callee}` has no argument `{name}`", span, help=hint)


def bind_parameters(
    evaluator: Evaluator,
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


def missing_argument(evaluator: Evaluator, callee: str, parameter: syntax.Parameter, call: Span) -> Fault:
    """The fault for a parameter that has neither an argument nor a default."""
    labels = (Label(parameter.span, "declared here"),)
    return evaluator.fault("E211", f"`{callee}` needs the argument `{parameter.name.name}`", call, labels=labels)


class OpCalls:
    """Ops from calls: written arguments, then defaults, then the op's own."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self._fields: dict[type[Op], tuple[str, ...]] = {}

    def fields(self, op_type: type[Op]) -> tuple[str, ...]:
        """The op's arguments in order."""
        found = self._fields.get(op_type)
        if found is None:
            found = self._fields[op_type] = tuple(op_type.model_fields)
        return found

    def make(
        self,
        name: str,
        op_type: type[Op],
        arguments: tuple[syntax.Argument, ...],
        environment: Environment,
        call: Span,
        tensor: Node,
    ) -> tuple[Op, dict[str, Given]]:
        """The op, and its arguments with their places; ``tensor`` is what comes in. Raises Fault."""
        given: Arguments | None = None
        matched: dict[str, Given] = {}
        if arguments:
            given = split_arguments(self.evaluator, arguments, environment)
            matched = match_names(self.evaluator, name, self.fields(op_type), given, call)
        defaults = self._defaults(name, op_type, environment.defaults)
        merged = {**defaults, **matched} if defaults else matched
        values = {key: self._plain(value.value) for key, value in merged.items()}
        try:
            return self.evaluator.session.builder.op(op_type, values), merged
        except (ValidationError, TypeError) as error:
            raise self._refused(name, merged, call, error, given.positional if given else [], tensor) from None

    def refuse_hidden_channels(
        self, reference: OpReference, arguments: tuple[syntax.Argument, ...], given: Mapping[str, Given], tensor: Node
    ) -> None:
        """Raises Fault E215 where arguments are those of PyTorch, with the channels, and mean something else here."""
        channels = _channels(tensor)
        if channels is None:
            return
        names = zip(self.fields(reference.op), arguments, strict=False)
        positional = written(given[name] for name, argument in names if argument.name is None)
        if reference.name == "scale":
            if channels_as_value(positional, channels):
                message = f"`scale` would start at the value {channels}, which is the number of channels"
                help_ = f"the channels are known: write `scale`; if it is meant, `scale(value = {positional[0].text})`"
                raise self.evaluator.fault("E215", message, given["value"].span, help=help_)
            return
        padding = given.get("padding")
        help_ = hidden_channels(reference.name, positional, padding.value, channels) if padding else ""
        if help_ and padding:
            kernel = given["kernel_size"]
            message = f"`{reference.name}` would have a kernel of {kernel.value} with a padding of {padding.value}"
            raise self.evaluator.fault("E215", message, kernel.span, help=f"{help_}; if it is meant, name the kernel")

    def _plain(self, value: object) -> object:
        if isinstance(value, InitializerReference):
            return self.evaluator.initializers.plain(value)
        return whole(value)

    def add_defaults(
        self, name: str, parameters: tuple[syntax.Parameter, ...], given: Arguments, defaults: Defaults
    ) -> None:
        """Fills in what a block's use leaves open and ``default`` statements say.

        A variant's block in place of another may lack some of its parameters: then these are passed over.
        """
        found = self._defaults(name, None, defaults)
        if found:
            for parameter in parameters[len(given.positional) :]:
                if parameter.name.name in found:
                    given.named.setdefault(parameter.name.name, found[parameter.name.name])

    def _defaults(self, name: str, op_type: type[Op] | None, defaults: Defaults | None) -> dict[str, Given]:
        """What ``default`` statements say for this block, or op of type ``op_type``: inner ones beat outer ones."""
        if defaults is None:
            return {}
        found = defaults.merged.get(name)
        if found is None:
            found = dict(self._defaults(name, op_type, defaults.outer))
            if op_type is not None and op_type.defaults_of is not None:
                found.update(self._general_defaults(op_type.defaults_of, self.fields(op_type), defaults))
            for statement in defaults.statements:
                if statement.op.name == name:
                    given = self._default_arguments(statement, defaults)
                    found.update(
                        given.named
                        if op_type is None
                        else match_names(self.evaluator, name, self.fields(op_type), given, statement.span)
                    )
            defaults.merged[name] = found
        return found

    def _general_defaults(self, op: str, fields: tuple[str, ...], defaults: Defaults) -> dict[str, Given]:
        """What the statements say for a more general op, of these arguments. A block may have the op's name."""
        found: dict[str, Given] = {}
        for statement in defaults.statements:
            if statement.op.name == op and defaults.environment and self._block(op, defaults.environment) is None:
                given = self._default_arguments(statement, defaults).named
                found.update({name: value for name, value in given.items() if name in fields})
        return found

    def _default_arguments(self, statement: syntax.Default, defaults: Defaults) -> Arguments:
        assert defaults.environment is not None
        given = split_arguments(self.evaluator, statement.arguments, defaults.environment)
        if given.positional:
            name = statement.op.name
            fields = self._arguments(statement.op, defaults.environment)
            hint = f"write `default {name}({fields[0]} = ...)`" if fields else ""
            message = "the arguments of a default are named"
            raise self.evaluator.fault("E213", message, given.positional[0].span, help=hint)
        return given

    def check_default(self, statement: syntax.Default, environment: Environment) -> None:
        """Raises Fault where a ``default`` names no op or block, or an argument that it does not have."""
        known = self._arguments(statement.op, environment)
        for argument in statement.arguments:
            if argument.name is not None and argument.name.name not in known:
                raise unknown_argument(self.evaluator, statement.op.name, argument.name.name, known, argument.name.span)

    def _arguments(self, name: syntax.Name, environment: Environment) -> tuple[str, ...]:
        """The arguments of the op or block of this name."""
        session = self.evaluator.session
        block = self._block(name.name, environment)
        if block is not None:
            return tuple([parameter.name.name for parameter in block.parameters])
        known = session.known(name.name)
        if isinstance(known, OpReference):
            return self.fields(known.op)
        hint = suggestion(name.name, [*OPS, *session.user_ops, *environment.module.names()])
        message = f"`default` is for ops and blocks, and `{name.name}` is none"
        raise self.evaluator.fault("E201", message, name.span, help=hint)

    def _block(self, name: str, environment: Environment) -> syntax.Block | None:
        """The block that is written under this name: here, in this file, or in that of a base."""
        session = self.evaluator.session
        override = session.overrides.get(name)
        local = environment.variables.get(name)
        if isinstance(local, BlockValue):
            return local.definition
        if override is not None and override.environment.parent is environment:
            return override.definition if isinstance(override.definition, syntax.Block) else None
        found = (module.find(name) for module in (environment.module, *session.bases))
        return next((f[1] for f in found if f is not None and isinstance(f[1], syntax.Block)), None)

    def _refused(
        self, name: str, given: Mapping[str, Given], call: Span, error: Exception, positional: list[Given], tensor: Node
    ) -> Fault:
        """The fault for the first argument that the op refuses; those for the others are reported already."""
        if not isinstance(error, ValidationError):
            return self.evaluator.fault("E215", f"`{name}` cannot take these arguments", call)
        first, *others = [
            refused_argument(self.evaluator, name, given, call, each, positional, _channels(tensor))
            for each in _one_an_argument(error)
        ]
        for fault in others:
            self.evaluator.session.reporter.report(fault)
        return first


def _one_an_argument(error: ValidationError) -> list[Any]:
    """Pydantic's errors; of those for one argument that may be of several types the one that came furthest."""
    found: dict[object, Any] = {}
    for each in error.errors():
        argument = each["loc"][0] if each["loc"] else ""
        if argument not in found or len(each["loc"]) > len(found[argument]["loc"]):
            found[argument] = each
    return list(found.values())


def refused_argument(
    evaluator: Evaluator,
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
        return evaluator.fault("E211", f"`{callee}` needs the argument `{argument}`", call)
    value = given.get(argument)
    worth = value.value if value else None
    if isinstance(worth, LayerValue) and isinstance(worth.expression, syntax.Labelled):
        help_ = _by_name(worth.expression)
    elif isinstance(worth, LayerValue) and _makes_sizes(evaluator, worth.expression, worth.environment):
        help_ = f"write `{joined_sizes(_sizes_of(worth.expression))}`"
    else:
        refused = written([value])[0] if value else None
        help_ = refusal_help(callee, written(positional), error, refused, channels)
    place = value.span if value and value.span else call
    return evaluator.fault("E215", refusal(callee, argument, error, value), place, help=help_)


def _makes_sizes(evaluator: Evaluator, expression: syntax.Expression, environment: Environment) -> bool:
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


def _channels(tensor: Node) -> int | None:
    """The channels of a tensor, where it has such."""
    axis = tensor.type.channel_axis if tensor.id >= 0 else None
    return None if axis is None else tensor.type.sizes[axis]


def refusal(callee: str, argument: str, error: Any, given: Given | None) -> str:
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


class Initializers:
    """Initialisers from calls; equal ones are one value."""

    def __init__(self) -> None:
        self._made: dict[object, InitializerValue] = {}

    def plain(self, reference: InitializerReference) -> object:
        """The initialiser that a bare name means: ``init = zeros``; the name itself where it needs arguments."""
        key = (reference.name, ())
        if key not in self._made:
            try:
                self._made[key] = InitializerValue(reference.initializer())
            except ValidationError:
                return reference
        return self._made[key]

    def make(
        self,
        evaluator: Evaluator,
        callee: InitializerReference,
        arguments: tuple[syntax.Argument, ...],
        environment: Environment,
        call: Span,
    ) -> InitializerValue:
        """The initialiser with these arguments. Raises Fault."""
        given = split_arguments(evaluator, arguments, environment)
        fields = tuple(callee.initializer.model_fields)
        matched = match_names(evaluator, callee.name, fields, given, call)
        values = {name: value.value for name, value in matched.items()}
        key = (callee.name, tuple(sorted(values.items(), key=lambda item: item[0])))
        try:
            if key not in self._made:
                self._made[key] = InitializerValue(callee.initializer(**values))
            return self._made[key]
        except ValidationError as error:
            raise refused_argument(evaluator, callee.name, matched, call, error.errors()[0]) from None
