"""Steps to nodes: where an op is refused, the fault stands at the argument that causes it."""

from __future__ import annotations

from archdsl.base.limits import how_to_raise
from archdsl.base.source import Span
from archdsl.diagnostics.model import Label
from archdsl.elaborate.faults import Fault
from archdsl.elaborate.interpreter.environment import Given
from archdsl.elaborate.interpreter.place import Place
from archdsl.elaborate.interpreter.scopes import Scopes
from archdsl.elaborate.interpreter.session import Session
from archdsl.graph.model import Node
from archdsl.ops.contract.base import Op, OpError


class Steps:
    """Appends the nodes of written steps to the graph."""

    def __init__(self, session: Session, scopes: Scopes) -> None:
        self.session = session
        self.scopes = scopes
        self.fault = session.reporter.fault

    def add(
        self,
        op: Op,
        inputs: tuple[Node, ...],
        name: str,
        place: Place,
        span: Span,
        given: dict[str, Given],
    ) -> Node:
        """Appends a node; the op's refusal becomes a fault at the argument that causes it."""
        self.check_nodes(span)
        path = place.names.full(name)
        if path in self.session.builder.paths:
            raise self.scopes.collision(path, span)
        try:
            return self.session.builder.add(op, inputs, path, place.scope, span)
        except OpError as error:
            raise self._refused(error, inputs, span, given) from None

    def check_nodes(self, span: Span) -> None:
        """Raises Fault E504 where the graph has as many nodes as it may."""
        limit = self.session.limits.nodes
        if len(self.session.builder.nodes) >= limit:
            raise self.fault("E504", f"this makes more than {limit} nodes", span, help=how_to_raise("nodes", limit))

    def _refused(self, error: OpError, inputs: tuple[Node, ...], span: Span, given: dict[str, Given]) -> Fault:
        at = given.get(error.argument or "")
        before = inputs[error.operand or 0] if inputs else None
        labels: tuple[Label, ...] = ()
        if before is not None and before.span is not None and before.span != span:
            labels = (Label(before.span, f"makes {before.type}"),)
        return self.fault(
            error.code, error.message, at.span if at and at.span else span, labels=labels, help=error.help
        )
