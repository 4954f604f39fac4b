"""Ops and initialisers from calls: written arguments, then those of ``default`` statements, then the op's own."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from archdsl.base.source import Span
from archdsl.elaborate.faults import Fault
from archdsl.elaborate.help.habits import channels_as_value, hidden_channels
from archdsl.elaborate.help.refusals import one_an_argument, refused_argument
from archdsl.elaborate.interpreter.arguments import Arguments, match_names, split_arguments, written
from archdsl.elaborate.interpreter.defaults import DefaultArguments
from archdsl.elaborate.interpreter.environment import Environment, Given
from archdsl.elaborate.interpreter.protocols import ExpressionEvaluator
from archdsl.elaborate.interpreter.values import InitializerReference, InitializerValue, OpReference, whole
from archdsl.graph.model import Node
from archdsl.language import syntax
from archdsl.ops.contract.base import Op
from archdsl.ops.norm import ScaleOp


class OpCalls:
    """Ops from calls: written arguments, then defaults, then the op's own."""

    def __init__(self, evaluator: ExpressionEvaluator, initializers: Initializers) -> None:
        self.evaluator = evaluator
        self.initializers = initializers
        self.defaults = DefaultArguments(evaluator)

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
            matched = match_names(self.evaluator, name, self.defaults.fields(op_type), given, call)
        defaults = self.defaults.of(name, op_type, environment.defaults)
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
        names = zip(self.defaults.fields(reference.op), arguments, strict=False)
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
