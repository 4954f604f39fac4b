"""Merges: operands that all read the current tensor, and numbers with a layer."""

from __future__ import annotations

from typing import Any

from archdsl.base.source import Span
from archdsl.diagnostics.codes import ErrorCode
from archdsl.diagnostics.model import Label
from archdsl.elaborate.faults import Fault, Poisoned, holds
from archdsl.elaborate.interpreter.elaborated_nodes import INVALID
from archdsl.elaborate.interpreter.environment import Environment
from archdsl.elaborate.interpreter.place import Place
from archdsl.elaborate.interpreter.protocols import LayerApplier
from archdsl.elaborate.interpreter.values import LAYERS, OpReference, describe, is_number
from archdsl.graph.model import Node
from archdsl.language import syntax
from archdsl.language.operands import is_brief
from archdsl.ops.contract.base import Op, OpError
from archdsl.ops.merge import AddOp, AddScalarOp, ConcatOp, MulOp, MulScalarOp, RsubScalarOp

_MERGES: dict[str, type[Op]] = {"+": AddOp, "++": ConcatOp, "*": MulOp}
_WITH_NUMBER: dict[str, type[Op]] = {"+": AddScalarOp, "*": MulScalarOp, "-": RsubScalarOp}
_ALWAYS_LAYERS = (
    syntax.Flow, syntax.Labelled, syntax.Braces, syntax.Sequence, syntax.Wire, syntax.BlockInput
)  # fmt: skip
"""Layers by their form; anything else may turn out to be a number."""

MAX_FACTOR_DIGITS = 7
"""A factor with more characters is written as a quotient in a help."""


class Merger:
    """Applies ``f + g``, ``f ++ g``, ``f * g``, ``k * f``, ``k + f`` and ``k - f``."""

    def __init__(self, applier: LayerApplier) -> None:
        self.applier = applier
        self.fault = applier.session.reporter.fault

    def chain(self, chain: syntax.Chain, environment: Environment, place: Place, tensor: Node) -> Node:
        """A chain of operands of which at least one should be a layer."""
        values = [self._operand(operand, environment, place, tensor) for operand in chain.operands]
        if not any(isinstance(value, Node) for value in values):
            raise self.applier.no_layer(self.applier.evaluator.evaluate(chain, environment), chain.span)
        operators = set(chain.operators)
        if len(operators) == 1 and operators <= _MERGES.keys() and all(isinstance(value, Node) for value in values):
            spans = [operand.span for operand in chain.operands]
            entry = environment.entry
            return self.merge(chain.operators[0], values, spans, place, chain.span, entry)  # type: ignore[arg-type]
        merged = values[0]
        for position, value in enumerate(values[1:]):
            merged = self._pair(chain, position, merged, value, place)
        return merged  # type: ignore[return-value]

    def _operand(self, operand: syntax.Expression, environment: Environment, place: Place, tensor: Node) -> object:
        """A number, or the tensor that the operand makes of the current one."""
        if isinstance(operand, _ALWAYS_LAYERS):
            return self.applier.apply_or_fail(operand, environment, place, tensor)
        try:
            value = self.applier.evaluator.evaluate(operand, environment)
            if is_number(value):
                return value
            return self.applier.apply_value(value, operand.span, environment, place, tensor, None)
        except Fault as fault:
            self.applier.session.reporter.report(fault)
        except Poisoned:
            pass
        return INVALID

    def _pair(self, chain: syntax.Chain, position: int, left: object, right: object, place: Place) -> object:
        """What one operator of a mixed chain makes of the value so far and the next operand."""
        operator = chain.operators[position]
        so_far = chain.operands[0].span.to(chain.operands[position].span)
        spans = (so_far, chain.operator_spans[position], chain.operands[position + 1].span)
        if isinstance(left, Node) and isinstance(right, Node):
            if operator not in _MERGES:
                raise self._no_such_merge(operator, spans[1])
            return self.merge(operator, [left, right], [spans[0], spans[2]], place, chain.span)
        if isinstance(right, Node):
            return self._number_first(operator, left, right, spans, place, chain.span)
        if isinstance(left, Node):
            raise self._number_last(chain, position, right, spans)
        return self.applier.evaluator.operators.apply(chain, position, left, right)

    def _number_first(
        self, operator: str, number: object, tensor: Node, spans: tuple[Span, Span, Span], place: Place, span: Span
    ) -> Node:
        if operator not in _WITH_NUMBER:
            raise self._no_such_merge(operator, spans[1])
        if operator == "*" and isinstance(number, int):
            help_ = f"to scale it write `{float(number)} * ...`"
            if number >= 0:
                help_ = f"to repeat it write `{spans[2].text} x {number}`; {help_}"
            raise self.fault("E226", "a whole number times a layer", spans[0].to(spans[2]), help=help_)
        if tensor.id < 0:
            return INVALID
        op = self.applier.session.builder.op(_WITH_NUMBER[operator], {"value": float(number)})  # type: ignore[arg-type]
        return self._add(op, [tensor], [spans[2]], place, span)

    def _number_last(self, chain: syntax.Chain, position: int, number: object, spans: tuple[Span, Span, Span]) -> Fault:
        operator, left = chain.operators[position], chain.operands[position]
        is_repeat = isinstance(left, syntax.Chain) and left.operators[0] == "x"
        if operator not in _MERGES and not (operator == "-" and is_repeat):
            right = chain.operands[position + 1]
            return self._no_such_merge(operator, spans[1], _number_first_help(operator, number, right, spans[0].text))
        scaled = f"the number comes first: `{_as_float(number)} * ...`"
        is_count = isinstance(number, int) and number >= 0
        offered = {
            "*": f"to repeat it write `{spans[0].text} x {number}`; to scale it, {scaled}" if is_count else scaled,
            "+": f"the number comes first: `{number} + ...`",
            "-": "a number of copies is computed in parentheses: `block x (depth - 1)`",
        }
        code = "E224" if operator in offered else "E221"
        message = f"`{operator}` needs a layer on its right, and this is the number {number}"
        return self.fault(code, message, spans[2], help=offered.get(operator, ""))  # type: ignore[arg-type]

    def _no_such_merge(self, operator: str, span: Span, with_number: str = "") -> Fault:
        hint = "layers merge by `+`, `++` and `*`"
        if operator == "-":
            hint += "; to subtract write `f + (-1.0 * g)`"
        code: ErrorCode = "E224" if operator == "-" and with_number else "E221"
        return self.fault(code, f"layers have no `{operator}`", span, help=with_number or hint)

    def merge(
        self,
        operator: str,
        operands: list[Node],
        spans: list[Span],
        place: Place,
        span: Span,
        entry: Node | None = None,
    ) -> Node:
        """The merge of tensors that exist; ``spans[i]`` is where operand ``i`` is written.

        ``entry`` is the tensor that entered the block, for messages to call it so.
        """
        if any(node.id < 0 for node in operands):
            return INVALID
        if len(operands) == 1:
            return operands[0]
        op = self.applier.session.builder.op(_MERGES[operator], {})
        return self._add(op, operands, spans, place, span, entry)

    def listed(
        self,
        reference: OpReference,
        first: tuple[syntax.Argument, ...],
        span: Span,
        environment: Environment,
        place: Place,
        tensor: Node,
    ) -> tuple[Node, ...]:
        """What an op of several inputs reads: what the layers make that its first argument lists."""
        layers = self._layers(reference, first, span, environment)
        return tuple([self.applier.apply_value(each, span, environment, place, tensor, None) for each in layers])

    def _layers(
        self, reference: OpReference, first: tuple[syntax.Argument, ...], span: Span, environment: Environment
    ) -> tuple[object, ...]:
        name, arity = reference.name, reference.op.arity
        takes = f"`{name}` takes a list of {arity or 'two or more'} layers first"
        help_ = (
            f"write `{name}([{', '.join(['id'] * (arity or 2))}], ...)`, for each `id` a layer that makes what it reads"
        )
        if not first or first[0].name is not None:
            raise self.fault("E211", takes, span, help=help_)
        value, at = self.applier.evaluator.evaluate(first[0].value, environment), first[0].value.span
        if not isinstance(value, tuple):
            raise self.fault("E215", f"{takes}, not {describe(value)}", at, help=help_)
        other = next((each for each in value if not isinstance(each, LAYERS)), None)
        if other is not None:
            raise self.fault("E215", f"{takes}, and this one holds {describe(other)}", at, help=help_)
        if len(value) != arity and (arity is not None or len(value) < 2):
            raise self.fault("E215", f"{takes}, not of {len(value)}", at, help=help_)
        return value

    def _add(
        self, op: Op, operands: list[Node], spans: list[Span], place: Place, span: Span, entry: Node | None = None
    ) -> Node:
        self.applier.steps.check_nodes(span)
        try:
            return self.applier.session.builder.add_merge(op, tuple(operands), place, span)
        except OpError as error:
            raise self._mismatch(error, operands, spans, span, entry) from None

    def _mismatch(
        self, error: OpError, operands: list[Node], spans: list[Span], span: Span, entry: Node | None
    ) -> Fault:
        at = error.operand if error.operand is not None else len(operands) - 1
        merged = () if holds(span, spans[at]) else (Label(span, "merged here"),)
        if len(set(spans)) < len(spans):
            listed = ", ".join(str(node.type) for node in operands)
            mark, notes = f"item {at} (from 0) makes {operands[at].type}", (f"the shapes: {listed}",)
            return self.fault(
                error.code, error.message, spans[at], mark=mark, labels=merged, notes=notes, help=error.help
            )
        texts = [
            f"{node.type}: the tensor that entered the block" if node is entry else str(node.type) for node in operands
        ]
        others = tuple(Label(place, text) for i, (text, place) in enumerate(zip(texts, spans, strict=True)) if i != at)
        return self.fault(
            error.code, error.message, spans[at], mark=texts[at], labels=(*others, *merged), help=error.help
        )


def _number_first_help(operator: str, number: Any, right: syntax.Expression, left: str) -> str:
    """``0.5 * id`` for ``id / 2``, ``(1.0 / n) * id`` for ``id / n``, ``-1 + id`` for ``id - 1``."""
    if operator not in ("-", "/") or (operator == "/" and number == 0):
        return ""
    layer = left if is_brief(left) and "++" not in left else "..."
    literal = right.operand if isinstance(right, syntax.Unary) else right
    is_literal = isinstance(literal, syntax.Constant)
    written = right.span.text if isinstance(right, syntax.Name | syntax.Group) else f"({right.span.text})"
    if operator == "-":
        return f"to subtract a number write `{-number if is_literal else f'-{written}'} + {layer}`"
    factor = str(1 / number)
    if not is_literal or len(factor) > MAX_FACTOR_DIGITS:
        factor = f"(1.0 / {number if is_literal else written})"
    return f"to divide write `{factor} * {layer}`"


def _as_float(number: object) -> float:
    return float(number)  # type: ignore[arg-type]
