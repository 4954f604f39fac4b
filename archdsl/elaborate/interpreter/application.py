"""Layers to nodes: what happens when the flow reaches a layer expression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archdsl.base.source import Span
from archdsl.diagnostics.model import Label
from archdsl.elaborate.faults import Fault, Poisoned
from archdsl.elaborate.help.habits import may_hide
from archdsl.elaborate.interpreter.arguments import bind_parameters, split_arguments
from archdsl.elaborate.interpreter.calls import OpCalls
from archdsl.elaborate.interpreter.elaborated_nodes import INVALID
from archdsl.elaborate.interpreter.environment import DoneStep, Environment, Wires
from archdsl.elaborate.interpreter.expressions import Evaluator
from archdsl.elaborate.interpreter.merges import Merger
from archdsl.elaborate.interpreter.place import Names, Place, StepLabel
from archdsl.elaborate.interpreter.protocols import StatementRunner
from archdsl.elaborate.interpreter.repeats import Repeater
from archdsl.elaborate.interpreter.scopes import Scopes
from archdsl.elaborate.interpreter.session import Session
from archdsl.elaborate.interpreter.steps import Steps
from archdsl.elaborate.interpreter.values import (
    NETWORK_AS_LAYER,
    BlockValue,
    DimsValue,
    FunctionValue,
    IdentityValue,
    LayerValue,
    MergeValue,
    NetworkValue,
    OpReference,
    SharedValue,
    TensorValue,
    describe,
    is_number,
)
from archdsl.graph.model import Node, Scope, ScopeKind
from archdsl.graph.step_names import LABEL_RULE, is_label
from archdsl.language import syntax
from archdsl.ops.contract.shapes import format_sizes


class Applier:
    """Applies layers to tensors.

    Every method takes the environment in which the layer was written, the place that its names go
    to, and the current tensor; ``label`` is the name that a label around it gives.
    """

    bodies: StatementRunner

    def __init__(self, session: Session) -> None:
        self.session = session
        self.evaluator = Evaluator(session)
        self.fault = session.reporter.fault
        self.op_calls = OpCalls(self.evaluator, self.evaluator.initializers)
        self.merger = Merger(self)
        self.scopes = Scopes(session)
        self.steps = Steps(session, self.scopes)
        self.repeater = Repeater(self)
        self._by_type: dict[type, Callable[[Any, Environment, Place, Node, str | None], Node]] = {
            syntax.Name: self._name,
            syntax.Call: self._call,
            syntax.Flow: self._flow,
            syntax.Labelled: self._labelled,
            syntax.Group: self._group,
            syntax.Chain: self._chain,
            syntax.Ternary: self._ternary,
            syntax.Sequence: self._sequence,
            syntax.Braces: self._braces,
            syntax.BlockInput: self._entry,
            syntax.Wire: self._wire,
        }

    def apply(
        self,
        expression: syntax.Expression,
        environment: Environment,
        place: Place,
        tensor: Node,
        label: str | None = None,
    ) -> Node:
        """The tensor that the layer makes. Raises Fault or Poisoned."""
        method = self._by_type.get(type(expression), self._value_of)
        return method(expression, environment, place, tensor, label)

    def apply_or_fail(
        self, expression: syntax.Expression, environment: Environment, place: Place, tensor: Node
    ) -> Node:
        """As ``apply``, but reports the fault and gives an invalid tensor, so that the rest is checked too."""
        try:
            return self.apply(expression, environment, place, tensor)
        except Fault as fault:
            self.session.reporter.report(fault)
        except Poisoned:
            pass
        return INVALID

    # ---- expressions -----------------------------------------------------------------------------

    def _name(
        self, expression: syntax.Name, environment: Environment, place: Place, tensor: Node, label: str | None
    ) -> Node:
        value = self.evaluator.evaluate(expression, environment)
        return self.apply_value(value, expression.span, environment, place, tensor, label)

    def _value_of(
        self, expression: syntax.Expression, environment: Environment, place: Place, tensor: Node, label: str | None
    ) -> Node:
        value = self.evaluator.evaluate(expression, environment)
        return self.apply_value(value, expression.span, environment, place, tensor, label)

    def _call(
        self, expression: syntax.Call, environment: Environment, place: Place, tensor: Node, label: str | None
    ) -> Node:
        callee = self.evaluator.evaluate(expression.callee, environment)
        if callee.__class__ is OpReference:
            return self._op(callee, expression.arguments, expression.span, environment, place, tensor, label)
        if callee.__class__ is BlockValue:
            return self._block(callee, expression.arguments, expression.span, environment, place, tensor, label)
        value = self.evaluator.functions.call(callee, expression, environment)
        if not isinstance(callee, FunctionValue):
            return self.apply_value(value, expression.span, environment, place, tensor, label)
        with self.session.reporter.within(callee.definition.name.name, expression.span):
            return self.apply_value(value, expression.span, environment, place, tensor, label)

    def _flow(
        self, expression: syntax.Flow, environment: Environment, place: Place, tensor: Node, label: str | None
    ) -> Node:
        if label is not None:
            return self._in_scope("group", label, expression, environment, place, tensor)
        for step in expression.steps:
            tensor = self.apply_or_fail(step, environment, place, tensor)
        return tensor

    def _labelled(
        self, expression: syntax.Labelled, environment: Environment, place: Place, tensor: Node, label: str | None
    ) -> Node:
        if label is not None:
            return self._in_scope("group", label, expression, environment, place, tensor)
        name = self.evaluator.text(expression.label, environment)
        self._check_label(name, expression.label)
        try:
            label = StepLabel(name, expression.label.span)
            return self.apply(expression.layer, environment, place, tensor, label)
        except (Fault, Poisoned):
            place.names.wires.steps.setdefault(name, DoneStep(INVALID))
            raise

    def _check_label(self, name: str, label: syntax.String) -> None:
        if not is_label(name):
            raise self.fault("E106", f"`{name}` cannot be a name", label.span, help=LABEL_RULE)

    def _group(
        self, expression: syntax.Group, environment: Environment, place: Place, tensor: Node, label: str | None
    ) -> Node:
        return self.apply(expression.value, environment, place, tensor, label)

    def _ternary(
        self, expression: syntax.Ternary, environment: Environment, place: Place, tensor: Node, label: str | None
    ) -> Node:
        return self.apply(self.evaluator.branch(expression, environment), environment, place, tensor, label)

    def _chain(
        self, expression: syntax.Chain, environment: Environment, place: Place, tensor: Node, label: str | None
    ) -> Node:
        if expression.operators[0] == "x":
            return self.repeater.repeat_or_demand(expression, environment, place, tensor, label)
        if expression.operators[0] in ("and", "or"):
            return self._value_of(expression, environment, place, tensor, label)
        if label is not None:
            return self._in_scope("group", label, expression, environment, place, tensor)
        return self.merger.chain(expression, environment, place, tensor)

    def _sequence(
        self, expression: syntax.Sequence, environment: Environment, place: Place, tensor: Node, label: str | None
    ) -> Node:
        name = self.scopes.step_name(place, "seq", label, expression.span)
        inner, wires = self.scopes.open("sequence", "", name, place, environment, expression.span, positional=True)
        return self._close(expression.content, environment.inside(wires), inner, place, name, tensor, environment)

    def _braces(
        self, expression: syntax.Braces, environment: Environment, place: Place, tensor: Node, label: str | None
    ) -> Node:
        if label is not None:
            return self._in_scope("group", label, expression, environment, place, tensor)
        return self.bodies.run(expression.body, environment.child(), place, tensor)

    def _entry(
        self, expression: syntax.BlockInput, environment: Environment, place: Place, tensor: Node, label: str | None
    ) -> Node:
        return self.pass_on(self.evaluator.entry(expression, environment), place, environment, label)

    def _wire(
        self, expression: syntax.Wire, environment: Environment, place: Place, tensor: Node, label: str | None
    ) -> Node:
        return self.pass_on(self.evaluator.wire(expression, environment).node, place, environment, label)

    # ---- values ----------------------------------------------------------------------------------

    def apply_value(
        self, value: object, span: Span, environment: Environment, place: Place, tensor: Node, label: str | None
    ) -> Node:
        """Applies a layer that was computed; ``span`` is where it is used."""
        match value:
            case LayerValue():
                return self.apply(value.expression, value.environment, place, tensor, label)
            case OpReference():
                return self._op(value, (), span, environment, place, tensor, label)
            case BlockValue():
                return self._block(value, (), span, environment, place, tensor, label)
            case IdentityValue():
                return self.pass_on(tensor, place, environment, label)
            case TensorValue():
                return self.pass_on(value.node, place, environment, label)
            case DimsValue():
                self._demand(value, span, tensor)
                return self.pass_on(tensor, place, environment, label)
            case MergeValue():
                return self._merge_value(value, span, environment, place, tensor, label)
            case SharedValue():
                return self.repeater.shared(value, span, environment, place, tensor, label)
            case FunctionValue():
                call = syntax.Call(span, value.definition.name, ())
                result = self.evaluator.functions.call(value, call, environment)
                return self.apply_value(result, span, environment, place, tensor, label)
        raise self.no_layer(value, span)

    def no_layer(self, value: object, span: Span) -> Fault:
        """The fault for a value where a layer is needed."""
        hint = "an op has a name: `conv(64, 3)`, and `id` does nothing" if is_number(value) else ""
        if isinstance(value, str):
            hint = self._string_help(value, span)
        if isinstance(value, NetworkValue):
            hint = NETWORK_AS_LAYER
        code = "E224" if is_number(value) else "E221"
        return self.fault(code, f"a layer is needed here, and this is {describe(value)}", span, help=hint)  # type: ignore[arg-type]

    def _string_help(self, value: str, span: Span) -> str:
        if not span.text.startswith('"'):
            return 'a string is no layer: set a parameter from Python by `set_texts={"act": "silu"}`'
        if isinstance(self.session.known(value), OpReference):
            return f"an op is written without quotes: `{value}`"
        return f"a label needs a layer behind it: `{span.text}: id`"

    def pass_on(self, node: Node, place: Place, environment: Environment, label: str | None) -> Node:
        """A tensor that exists already; a label names it and may be given again."""
        if label is not None:
            self.scopes.record(label, DoneStep(node), place, environment)
        return node

    def _merge_value(
        self, value: MergeValue, span: Span, environment: Environment, place: Place, tensor: Node, label: str | None
    ) -> Node:
        if label is not None:
            inner, wires = self.scopes.open(
                "group", "", self.scopes.claim(place, "merge", label, span), place, environment, span
            )
            result = self._merge_value(value, span, environment, inner, tensor, None)
            self.scopes.record(label, DoneStep(result, wires), place, environment)
            return result
        operands = [
            self.apply_value(layer, at, environment, place, tensor, None)
            for layer, at in zip(value.layers, value.spans, strict=True)
        ]
        return self.merger.merge(value.operator, operands, list(value.spans), place, span)

    def _demand(self, sizes: DimsValue, span: Span, tensor: Node) -> None:
        if tensor.id < 0 or tensor.type.sizes == tuple(sizes) or not self._demands_hold(span):
            return
        made_by = tensor.span
        labels = (Label(made_by, f"makes {tensor.type}"),) if made_by and made_by != span else ()
        raise self.fault(
            "E307",
            f"the tensor is {tensor.type}, not {format_sizes(sizes)}",
            span,
            mark="demanded here",
            labels=labels,
            help=f"write `{tensor.type}` if that is what you want, or change the layers before it",
        )

    def _demands_hold(self, span: Span) -> bool:
        within = self.session.demands_within
        if within is None:
            return self.session.check_demands
        return self.session.check_demands and span.source is within.source and within.start <= span.start < within.end

    # ---- ops and blocks --------------------------------------------------------------------------

    def _op(
        self,
        reference: OpReference,
        arguments: tuple[syntax.Argument, ...],
        span: Span,
        environment: Environment,
        place: Place,
        tensor: Node,
        label: str | None,
    ) -> Node:
        op_type = reference.op
        inputs: tuple[Node, ...] = (tensor,) if op_type.arity == 1 else ()
        if op_type.arity not in (0, 1):
            try:
                inputs = self.merger.listed(reference, arguments[:1], span, environment, place, tensor)
            except Fault:
                name = self.scopes.step_name(place, op_type.step_name, label, span)
                self.scopes.record(name, DoneStep(INVALID), place, environment)
                raise
            arguments = arguments[1:]
        name = self.scopes.step_name(place, op_type.step_name, label, span)
        try:
            op, given = self.op_calls.make(reference.name, op_type, arguments, environment, span, tensor)
            if may_hide(reference.name, len(arguments)):
                self.op_calls.refuse_hidden_channels(reference, arguments, given, tensor)
            is_failed = any(node.id < 0 for node in (tensor, *inputs))
            node = INVALID if is_failed else self.steps.add(op, inputs, name, place, span, given)
        except Fault:
            self.scopes.record(name, DoneStep(INVALID), place, environment)
            raise
        self.scopes.record(name, DoneStep(node), place, environment)
        return node

    def _block(
        self,
        block: BlockValue,
        arguments: tuple[syntax.Argument, ...],
        span: Span,
        environment: Environment,
        place: Place,
        tensor: Node,
        label: str | None,
    ) -> Node:
        definition = block.definition
        kind = definition.name.name
        name = self.scopes.step_name(place, kind, label, span)
        given = split_arguments(self.evaluator, arguments, environment)
        self.op_calls.defaults.add(kind, definition.parameters, given, environment.defaults)
        wires = Wires()
        outer = block.environment
        inner = Environment(outer.module, outer, {}, tensor, wires, outer.defaults, outer.overridden)
        scope = Scope("block", kind, place.names.full(name), place.scope, span, definition.name.span)
        names = self.session.builder.new_names(Names(scope.path, False, wires=wires))
        self.evaluator.functions.enter(kind, scope.path, span)
        try:
            bind_parameters(self.evaluator, kind, definition.parameters, given, inner, span)
            result = self.run_content(definition.body, inner, Place(names, scope), tensor)
        finally:
            self.session.reporter.chain.pop()
        self.scopes.record(name, DoneStep(result, wires), place, environment)
        return result

    def run_content(
        self, content: syntax.Body | syntax.Expression, environment: Environment, place: Place, tensor: Node
    ) -> Node:
        """A body's statements, or the one expression that stands for them."""
        if isinstance(content, syntax.Body):
            return self.bodies.run(content, environment, place, tensor)
        return self.apply_or_fail(content, environment, place, tensor)

    # ---- scopes ---------------------------------------------------------------------------------

    def _in_scope(
        self,
        kind: ScopeKind,
        label: str,
        expression: syntax.Expression,
        environment: Environment,
        place: Place,
        tensor: Node,
    ) -> Node:
        name = self.scopes.claim(place, kind, label, expression.span)
        inner, wires = self.scopes.open(kind, "", name, place, environment, expression.span)
        return self._close(expression, environment.inside(wires), inner, place, name, tensor, environment)

    def _close(
        self,
        content: syntax.Body | syntax.Expression,
        inner_environment: Environment,
        inner: Place,
        place: Place,
        name: str,
        tensor: Node,
        environment: Environment,
    ) -> Node:
        result = self.run_content(content, inner_environment, inner, tensor)
        self.scopes.record(name, DoneStep(result, inner.names.wires), place, environment)
        return result

    def named_section(
        self, section: syntax.Section, name: str, environment: Environment, place: Place, tensor: Node
    ) -> Node:
        """A section whose name is a scope; its steps are named by position."""
        if section.label is not None:
            self._check_label(name, section.label)
        self.scopes.claim(place, section.kind, name, section.label.span if section.label else section.span)
        inner, wires = self.scopes.open(section.kind, name, name, place, environment, section.span, positional=True)
        return self._close(section.body, environment.inside(wires), inner, place, name, tensor, environment)
