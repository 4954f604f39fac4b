"""Ops and initialisers from calls: written arguments, what ``default`` statements say, the op's own defaults."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from archdsl.base.source import Span
from archdsl.elaborate.help.faults import Fault, suggestion
from archdsl.elaborate.help.habits import channels_as_value, hidden_channels
from archdsl.elaborate.help.refusals import one_an_argument, refused_argument
from archdsl.elaborate.interpreter.arguments import Arguments, match_names, split_arguments, unknown_argument, written
from archdsl.elaborate.interpreter.environment import Defaults, Environment, Given
from archdsl.elaborate.interpreter.protocols import ExpressionEvaluator
from archdsl.elaborate.interpreter.values import BlockValue, InitializerReference, InitializerValue, OpReference, whole
from archdsl.graph.model import Node
from archdsl.language import syntax
from archdsl.ops import OPS
from archdsl.ops.contract.base import Op
from archdsl.ops.norm import ScaleOp


class OpCalls:
    """Ops from calls: written arguments, then defaults, then the op's own."""

    def __init__(self, evaluator: ExpressionEvaluator, initializers: Initializers) -> None:
        self.evaluator = evaluator
        self.initializers = initializers
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
        if reference.op is ScaleOp:
            if channels_as_value(positional, channels):
                message = f"`scale` would start at the value {channels}, which is the number of channels"
                help_ = f"the channels are known: write `scale`; if it is meant, `scale(value = {positional[0].text})`"
                raise self.evaluator.session.reporter.fault("E215", message, given["value"].span, help=help_)
            return
        padding = given.get("padding")
        help_ = hidden_channels(reference.name, positional, padding.value, channels) if padding else ""
        if help_ and padding:
            kernel = given["kernel_size"]
            message = f"`{reference.name}` would have a kernel of {kernel.value} with a padding of {padding.value}"
            raise self.evaluator.session.reporter.fault(
                "E215", message, kernel.span, help=f"{help_}; if it is meant, name the kernel"
            )

    def _plain(self, value: object) -> object:
        if isinstance(value, InitializerReference):
            return self.initializers.plain(value)
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
            raise self.evaluator.session.reporter.fault("E213", message, given.positional[0].span, help=hint)
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
        raise self.evaluator.session.reporter.fault("E201", message, name.span, help=hint)

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
            return self.evaluator.session.reporter.fault("E215", f"`{name}` cannot take these arguments", call)
        first, *others = [
            refused_argument(self.evaluator, name, given, call, each, positional, _channels(tensor))
            for each in one_an_argument(error)
        ]
        for fault in others:
            self.evaluator.session.reporter.report(fault)
        return first


def _channels(tensor: Node) -> int | None:
    """The channels of a tensor, where it has such."""
    axis = tensor.type.channel_axis if tensor.id >= 0 else None
    return None if axis is None else tensor.type.sizes[axis]


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
        evaluator: ExpressionEvaluator,
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
