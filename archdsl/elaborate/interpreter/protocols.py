"""What the parts of the interpreter ask of the whole: what an expression is worth, a layer applied, a body run."""

from __future__ import annotations

from typing import Protocol

from archdsl.base.source import Span
from archdsl.elaborate.faults import Fault
from archdsl.elaborate.interpreter.environment import Environment
from archdsl.elaborate.interpreter.operators import Operators
from archdsl.elaborate.interpreter.place import Place
from archdsl.elaborate.interpreter.scopes import Scopes
from archdsl.elaborate.interpreter.session import Session
from archdsl.elaborate.interpreter.steps import Steps
from archdsl.graph.model import Node
from archdsl.language import syntax


class ExpressionEvaluator(Protocol):
    """Says what an expression is worth: ``expressions.Evaluator``."""

    @property
    def session(self) -> Session: ...

    @property
    def operators(self) -> Operators: ...

    def evaluate(self, expression: syntax.Expression, environment: Environment, /) -> object: ...

    def integer(self, expression: syntax.Expression, environment: Environment, what: str, /) -> int: ...


class LayerApplier(Protocol):
    """Applies layers to tensors: ``application.Applier``."""

    @property
    def session(self) -> Session: ...

    @property
    def evaluator(self) -> ExpressionEvaluator: ...

    @property
    def scopes(self) -> Scopes: ...

    @property
    def steps(self) -> Steps: ...

    def apply(self, expression: syntax.Expression, environment: Environment, place: Place, tensor: Node, /) -> Node: ...

    def apply_or_fail(
        self, expression: syntax.Expression, environment: Environment, place: Place, tensor: Node, /
    ) -> Node: ...

    def apply_value(
        self, value: object, span: Span, environment: Environment, place: Place, tensor: Node, label: str | None, /
    ) -> Node: ...

    def pass_on(self, node: Node, place: Place, environment: Environment, label: str | None, /) -> Node: ...

    def no_layer(self, value: object, span: Span, /) -> Fault: ...


class StatementRunner(Protocol):
    """Runs the statements of a body: ``bodies.BodyRunner``."""

    def run(self, body: syntax.Body, environment: Environment, place: Place, tensor: Node, /) -> Node: ...
