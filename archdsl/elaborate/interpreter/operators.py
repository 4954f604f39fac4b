"""What operators make of numbers, lists and strings."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from archdsl.base.limits import how_to_raise
from archdsl.base.source import Span
from archdsl.elaborate.faults import Fault
from archdsl.elaborate.interpreter.session import Session
from archdsl.elaborate.interpreter.values import DimsValue, Rounded, describe, is_number, whole
from archdsl.language import syntax

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Operators:
    """Arithmetic within the limits, comparison, and joining of lists; raises Fault with the operand's place."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.fault = session.reporter.fault

    def compare(self, expression: syntax.Binary, left: object, right: object) -> bool:
        """``== != < <= > >=``; any values are equal or not, only numbers and strings have an order."""
        if expression.operator in ("==", "!="):
            return _equal(left, right) == (expression.operator == "==")
        return self._ordered(expression, left, right)

    def _ordered(self, expression: syntax.Binary, left: object, right: object) -> bool:
        if isinstance(left, str) and isinstance(right, str):
            return _COMPARISONS[expression.operator](left, right)
        for value, side in ((left, expression.left), (right, expression.right)):
            if not is_number(value) and not isinstance(value, Rounded):
                raise self.fault("E221", f"`{expression.operator}` compares numbers, not {describe(value)}", side.span)
        return _COMPARISONS[expression.operator](_plain_number(left), _plain_number(right))

    def power(self, base: float, exponent: float, span: Span) -> object:
        """``base ** exponent``"""
        limit = self.session.limits.number_bits
        if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * abs(exponent) > 2 * limit:
            raise self.too_large(span)
        return self._calculated(lambda: base**exponent, span)

    def apply(self, expression: syntax.Chain, position: int, left: object, right: object) -> object:
        """What the chain's operator at ``position`` makes of two values that are no layers."""
        name = expression.operators[position]
        span = expression.operands[0].span.to(expression.operands[position + 1].span)
        if name == "++":
            return self._joined(expression, position, left, right)
        if isinstance(left, str) and isinstance(right, str) and name == "+":
            raise self.fault("E221", "strings are joined by interpolation", span, help='write `"{a}{b}"`')
        for value, operand in ((left, expression.operands[position]), (right, expression.operands[position + 1])):
            if not is_number(value):
                hint = "lists are joined with `++`" if isinstance(value, tuple) and name == "+" else ""
                raise self.fault("E221", f"`{name}` takes numbers, not {describe(value)}", operand.span, help=hint)
        result = self._calculated(lambda: _ARITHMETIC[name](left, right), span)
        return whole(result) if name == "/" and isinstance(left, int) and isinstance(right, int) else result

    def _joined(self, expression: syntax.Chain, position: int, left: object, right: object) -> object:
        for value, operand in ((left, expression.operands[position]), (right, expression.operands[position + 1])):
            if not isinstance(value, tuple | range) or isinstance(value, DimsValue):
                raise self.fault("E221", f"`++` joins lists or layers, not {describe(value)}", operand.span)
        length = length_of(left) + length_of(right)
        self.check_length(length, expression.span)
        self.session.take_turns(length, expression)
        return (*left, *right)  # type: ignore[misc]

    def check_length(self, length: int, span: Span) -> None:
        """Raises Fault E505 where a list would be longer than the limit."""
        limit = self.session.limits.list_items
        if length > limit:
            raise self.fault(
                "E505", f"this list would have more than {limit} items", span, help=how_to_raise("list_items", limit)
            )

    def _calculated(self, calculate: Callable[[], object], span: Span) -> object:
        """A number that is finite, real and within the limit."""
        try:
            value = calculate()
        except ZeroDivisionError:
            raise self.fault("E223", "this divides by zero", span) from None
        except OverflowError:
            raise self.too_large(span) from None
        if isinstance(value, complex):
            raise self.fault("E221", "this has no real value", span)
        if isinstance(value, int) and value.bit_length() > self.session.limits.number_bits:
            raise self.too_large(span)
        return value

    def too_large(self, span: Span) -> Fault:
        """The fault for a number beyond the limit."""
        bits = self.session.limits.number_bits
        return self.fault(
            "E505", f"this number is larger than {bits} bits can hold", span, help=how_to_raise("number_bits", bits)
        )


def length_of(value: object) -> int:
    """The length of a list or range, also of ranges beyond what ``len`` can say."""
    if isinstance(value, range):
        return max(0, (value.stop - value.start + value.step - 1) // value.step) if value.step > 0 else len(value)
    return len(value)  # type: ignore[arg-type]


def _equal(left: object, right: object) -> bool:
    if isinstance(left, Rounded) and is_number(right):
        return left.equals(right)  # type: ignore[arg-type]
    if isinstance(right, Rounded) and is_number(left):
        return right.equals(left)  # type: ignore[arg-type]
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    return left == right


def _plain_number(value: object) -> float:
    return value.number if isinstance(value, Rounded) else value  # type: ignore[return-value]
