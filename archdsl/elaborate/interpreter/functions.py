"""Calls of functions: those of a spec, the built-in ones, initialisers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archdsl.base.limits import how_to_raise
from archdsl.base.source import Span
from archdsl.diagnostics.codes import ErrorCode
from archdsl.diagnostics.model import Label
from archdsl.elaborate.help.habits import axis_help
from archdsl.elaborate.interpreter.arguments import Arguments, bind_parameters, split_arguments
from archdsl.elaborate.interpreter.builtins import BadCall
from archdsl.elaborate.interpreter.calls import Initializers
from archdsl.elaborate.interpreter.environment import Environment, Wires
from archdsl.elaborate.interpreter.operators import length_of
from archdsl.elaborate.interpreter.protocols import ExpressionEvaluator
from archdsl.elaborate.interpreter.values import (
    LAYERS,
    NETWORK_AS_LAYER,
    BuiltinValue,
    FunctionValue,
    InitializerReference,
    LayerValue,
    MergeValue,
    NetworkValue,
    describe,
)
from archdsl.language import syntax

TURNS_OF_A_CALL = 10
"""A call costs about as much as this many loop turns; counting it so bounds the time that recursion can take."""


class Functions:
    """Calls what is no layer."""

    def __init__(self, evaluator: ExpressionEvaluator, initializers: Initializers) -> None:
        self.evaluator = evaluator
        self.initializers = initializers
        self.session = evaluator.session
        self.fault = evaluator.session.reporter.fault

    def call(self, callee: object, expression: syntax.Call, environment: Environment) -> object:
        """What a function, a built-in one or an initialiser gives for these arguments."""
        self.session.take_turns(TURNS_OF_A_CALL, expression)
        if isinstance(callee, FunctionValue):
            return self._apply_function(callee, expression, environment)
        if isinstance(callee, BuiltinValue):
            return self._call_builtin(callee, expression, environment)
        if isinstance(callee, InitializerReference):
            return self.initializers.make(self.evaluator, callee, expression.arguments, environment, expression.span)
        help_ = "a layer that is written out has its arguments already" if isinstance(callee, LAYERS) else ""
        if isinstance(callee, NetworkValue):
            help_ = NETWORK_AS_LAYER
        raise self.fault("E227", f"{describe(callee)} cannot be called", expression.callee.span, help=help_)

    def _apply_function(self, callee: FunctionValue, expression: syntax.Call, environment: Environment) -> object:
        definition = callee.definition
        name = definition.name.name
        given = split_arguments(self.evaluator, expression.arguments, environment)
        inner = self._environment(callee)
        bind_parameters(self.evaluator, name, definition.parameters or (), given, inner, expression.span)
        self.enter(name, name, expression.span)
        try:
            return self.evaluator.evaluate(definition.value, inner)
        finally:
            self.session.reporter.chain.pop()

    def _environment(self, callee: FunctionValue) -> Environment:
        """Where a function's body is evaluated: its own wires, and no ``in`` unless it is local to a block."""
        outer = callee.environment
        wires = Wires(outer.wires if outer.parent is not None else None)
        return Environment(outer.module, outer, {}, outer.entry, wires, outer.defaults, outer.overridden)

    def enter(self, name: str, what: str, span: Span) -> None:
        """Adds the use of a block or function to the chain; the caller takes it off again.

        ``what`` is what notes call it (a block's path). Raises Fault E206 or E503 beyond the limit.
        """
        chain = self.session.reporter.chain
        if len(chain) >= self.session.limits.calls:
            uses_itself = sum(1 for _, place in chain if place == span) > 1
            limit = self.session.limits.calls
            message = f"`{name}` uses itself without end" if uses_itself else f"calls nest more than {limit} deep"
            code: ErrorCode = "E206" if uses_itself else "E503"
            hint = "stop it with `if`, or " if uses_itself else ""
            raise self.fault(code, message, span, help=hint + how_to_raise("calls", limit))
        chain.append((what, span))

    def _call_builtin(self, callee: BuiltinValue, expression: syntax.Call, environment: Environment) -> object:
        given = split_arguments(self.evaluator, expression.arguments, environment)
        for value in given.positional:
            if callee.name != "len" and isinstance(value.value, range):
                self.evaluator.operators.check_length(length_of(value.value), expression.span)
            if isinstance(value.value, tuple | range):
                self.session.take_turns(length_of(value.value), expression)
        positional = [value.value for value in given.positional]
        named = {name: value.value for name, value in given.named.items()}
        try:
            result = callee.call(*positional, **named)
            if isinstance(result, MergeValue):
                result = replace(result, spans=_item_spans(expression, [*positional, *named.values()]))
            return result
        except BadCall as error:
            place = _to_blame(error, expression, given)
            layer = error.of.expression.span if isinstance(error.of, LayerValue) else place
            labels = (Label(layer, "this layer"),) if layer != place else ()
            raise self.fault("E215", f"`{callee.name}` {error}", place, labels=labels) from None
        except TypeError:
            help_ = ""
            if callee.name in ("sum", "product", "concat") and positional and isinstance(positional[0], tuple):
                axis = [*positional, *named.values()][1]
                help_ = axis_help(callee.name, expression.arguments[0].value.span.text, axis)
            elif len(positional) > 1 and not named and callee.name in ("sum", "product", "concat", "len", "enumerate"):
                help_ = f"give a list: `{callee.name}([{', '.join(a.value.span.text for a in expression.arguments)}])`"
            message = f"`{callee.name}` does not take these arguments"
            raise self.fault("E211", message, expression.span, help=help_) from None
        except (ValueError, OverflowError) as error:
            raise self.fault("E215", f"`{callee.name}` has no value here: {error}", expression.span) from None


def _to_blame(error: BadCall, call: syntax.Call, given: Arguments) -> Span:
    """The argument, or the item of a list, that a built-in function cannot use; the call where it is none alone."""
    for value in (*given.positional, *given.named.values()):
        if error.of is not None and value.value is error.of and value.span is not None:
            return value.span
    spans = _item_spans(call, [value.value for value in given.positional])
    return spans[error.item] if error.item is not None and error.item < len(spans) else call.span


def _item_spans(call: syntax.Call, given: Sequence[object]) -> tuple[Span, ...]:
    """Where the items are written that a built-in function got, as arguments or in a list."""
    if len(given) != 1 or not isinstance(given[0], tuple):
        return tuple([argument.value.span for argument in call.arguments])
    listed = call.arguments[0].value
    if isinstance(listed, syntax.ListOf):
        return tuple([item.span for item in listed.items])
    return tuple([item.expression.span if isinstance(item, LayerValue) else listed.span for item in given[0]])
