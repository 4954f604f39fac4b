"""Built-in functions on numbers and lists, and those that make layers of lists of layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from archdsl.elaborate.interpreter.values import (
    LAYERS,
    BuiltinValue,
    MergeValue,
    SharedValue,
    describe,
    is_number,
    whole,
)


class BadCall(Exception):
    """A built-in function got what it cannot use; the caller adds the place.

    It is that of the argument ``of`` or, by its position, of the argument or list's item ``item``, if one is to blame.
    """

    def __init__(self, message: str, item: int | None = None, of: object = None) -> None:
        super().__init__(message)
        self.item = item
        self.of = of


def _numbers(values: Sequence[object]) -> list[float]:
    for position, value in enumerate(values):
        if not is_number(value):
            raise BadCall(f"takes numbers, not {describe(value)}", position)
    return list(values)  # type: ignore[arg-type]


def _number(value: object) -> float:
    return _numbers([value])[0]


def _items(value: object) -> Sequence[object]:
    if not isinstance(value, tuple | range):
        raise BadCall(f"takes a list, not {describe(value)}", of=value)
    return value


def _spread(values: tuple[object, ...]) -> Sequence[object]:
    return _items(values[0]) if len(values) == 1 and isinstance(values[0], tuple | range) else values


def _minimum(*values: object) -> object:
    return min(_not_empty(_numbers(_spread(values))))


def _maximum(*values: object) -> object:
    return max(_not_empty(_numbers(_spread(values))))


def _not_empty(values: list[float]) -> list[float]:
    if not values:
        raise BadCall("takes at least one number")
    return values


def _sum(items: object) -> object:
    values = _items(items)
    if any(isinstance(value, LAYERS) for value in values):
        return _merge("+", values)
    return whole(sum(_numbers(values)))


def _product(items: object) -> object:
    values = _items(items)
    if any(isinstance(value, LAYERS) for value in values):
        return _merge("*", values)
    return whole(math.prod(_numbers(values)))


def _concat(items: object) -> object:
    return _merge("++", _items(items))


def _merge(operator: str, values: Sequence[object]) -> MergeValue:
    if not values:
        raise BadCall("takes at least one layer")
    for position, value in enumerate(values):
        if not isinstance(value, LAYERS):
            raise BadCall(f"takes layers, not {describe(value)}", position)
    return MergeValue(operator, tuple(values))


def _shared(layer: object) -> object:
    if not isinstance(layer, LAYERS):
        raise BadCall(f"takes a layer, not {describe(layer)}")
    return SharedValue(layer)


def _len(value: object) -> object:
    return len(value) if isinstance(value, str) else len(_items(value))


def _round(value: object, digits: object = 0) -> object:
    if not isinstance(digits, int):
        raise BadCall(f"takes a whole number of digits, not {describe(digits)}")
    return whole(round(_number(value), digits))


def _floor(value: object) -> object:
    return math.floor(_number(value))


def _ceil(value: object) -> object:
    return math.ceil(_number(value))


def _int(value: object) -> object:
    return int(_number(value))


def _abs(value: object) -> object:
    return abs(_number(value))


def _sqrt(value: object) -> object:
    number = _number(value)
    if number < 0:
        raise BadCall(f"takes no negative number, got {number}")
    return whole(math.sqrt(number))


def _log2(value: object) -> object:
    number = _number(value)
    if number <= 0:
        raise BadCall(f"takes a number above 0, got {number}")
    return whole(math.log2(number))


def _range(*bounds: object) -> object:
    values = _numbers(bounds)
    if not 1 <= len(values) <= 3 or not all(isinstance(value, int) for value in values):
        raise BadCall("takes one to three whole numbers: `range(end)`, `range(start, end, step)`")
    if len(values) == 3 and values[2] == 0:
        raise BadCall("takes no step of 0")
    return range(*[int(value) for value in values])


def _enumerate(items: object) -> object:
    return tuple(enumerate(_items(items)))


def _zip(*lists: object) -> object:
    sequences = [_items(items) for items in lists]
    if len({len(items) for items in sequences}) > 1:
        lengths = ", ".join(str(len(items)) for items in sequences)
        raise BadCall(f"takes lists of one length, got {lengths}")
    return tuple(zip(*sequences, strict=True))


def _divisible(v: object, by: object = 8) -> object:
    """``v`` rounded to a multiple of ``by``, never below 0.9 v (MobileNet's rule)."""
    value, divisor = _number(v), _number(by)
    if divisor < 1 or divisor != int(divisor):
        raise BadCall(f"takes a divisor of at least 1, got {divisor}")
    multiple = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return whole(multiple + divisor if multiple < 0.9 * value else multiple)


_FUNCTIONS: dict[str, Callable[..., object]] = {
    "min": _minimum, "max": _maximum, "sum": _sum, "product": _product, "concat": _concat, "len": _len,
    "round": _round, "floor": _floor, "ceil": _ceil, "abs": _abs, "sqrt": _sqrt, "log2": _log2, "int": _int,
    "range": _range, "enumerate": _enumerate, "zip": _zip, "divisible": _divisible, "shared": _shared,
}  # fmt: skip

BUILTINS: dict[str, object] = {name: BuiltinValue(name, function) for name, function in _FUNCTIONS.items()}
