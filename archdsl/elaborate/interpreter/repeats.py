"""Copies of a layer, each with weights of its own, and shared layers, all with the weights of the first."""

from __future__ import annotations

from archdsl.base.limits import how_to_raise
from archdsl.base.source import Span
from archdsl.diagnostics.model import Label
from archdsl.elaborate.interpreter.environment import DoneStep, Environment
from archdsl.elaborate.interpreter.place import Place
from archdsl.elaborate.interpreter.protocols import LayerApplier
from archdsl.elaborate.interpreter.values import DimsValue, SharedValue
from archdsl.graph.model import Node
from archdsl.language import syntax


class Repeater:
    """Applies ``f x n`` and ``shared(f)``."""

    def __init__(self, applier: LayerApplier) -> None:
        self.applier = applier
        self.session = applier.session
        self.fault = applier.session.reporter.fault

    def repeat_or_demand(
        self, expression: syntax.Chain, environment: Environment, place: Place, tensor: Node, label: str | None
    ) -> Node:
        """``f x 3``, or sizes such as ``channels x 8 x 8`` that demand a shape."""
        value = self.applier.evaluator.evaluate(expression, environment)
        if isinstance(value, DimsValue):
            return self.applier.apply_value(value, expression.span, environment, place, tensor, label)
        count = 1
        for operand in expression.operands[1:]:
            count *= self._count(operand, environment)
        if count > self.session.limits.nodes:
            limit = self.session.limits.nodes
            message = f"{count} copies are more than the limit of {limit} nodes"
            raise self.fault("E504", message, expression.span, help=how_to_raise("nodes", limit))
        if count == 0:
            return self.applier.pass_on(tensor, place, environment, label)
        if label is None:
            return self._copies(expression.operands[0], count, environment, place, tensor)
        name = self.applier.scopes.claim(place, "seq", label, expression.span)
        inner, wires = self.applier.scopes.open(
            "sequence", "", name, place, environment, expression.span, positional=True
        )
        tensor = self._copies(expression.operands[0], count, environment.inside(wires), inner, tensor)
        self.applier.scopes.record(name, DoneStep(tensor, wires), place, environment)
        return tensor

    def _count(self, operand: syntax.Expression, environment: Environment) -> int:
        count = self.applier.evaluator.integer(operand, environment, "the number of copies")
        if count < 0:
            raise self.fault("E215", f"the number of copies is at least 0, not {count}", operand.span)
        return count

    def _copies(
        self, layer: syntax.Expression, count: int, environment: Environment, place: Place, tensor: Node
    ) -> Node:
        for _ in range(count):
            self.session.take_turns(1, layer)
            tensor = self.applier.apply(layer, environment, place, tensor)
            if tensor.id < 0:
                break
        return tensor

    def shared(
        self, value: SharedValue, span: Span, environment: Environment, place: Place, tensor: Node, label: str | None
    ) -> Node:
        """The first use makes the weights; later ones are named of their own but take those."""
        nodes = self.session.builder.nodes
        start = len(nodes)
        if not value.used:
            result = self.applier.apply_value(value.layer, span, environment, place, tensor, label)
            value.used, value.first_use = True, nodes[start:]
            return result
        name = self.applier.scopes.step_name(place, "shared", label, span)
        inner, wires = self.applier.scopes.open("group", "", name, place, environment, span)
        result = self.applier.apply_value(value.layer, span, environment.inside(wires), inner, tensor, None)
        self._tie(value.first_use, nodes[start:], span)
        self.applier.scopes.record(name, DoneStep(result, wires), place, environment)
        return result

    def _tie(self, first: list[Node], again: list[Node], span: Span) -> None:
        """Later uses take the weights of the first, which must have the same shapes."""
        builder = self.session.builder
        for owner, user in zip(first, again, strict=False):
            if user.path:
                builder.tie(user, owner.path)
            if owner.op is not user.op or builder.weights(owner) != builder.weights(user):
                message = f"`{owner.path}` is shared, but here its weights would have another shape"
                raise self.fault(
                    "E308", message, span, labels=(Label(owner.span, "first used here"),) if owner.span else ()
                )
