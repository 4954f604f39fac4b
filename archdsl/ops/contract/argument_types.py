"""Types of op arguments: each takes what a spec may write and refuses the rest in a plain sentence.

Errors carry pydantic's own error types, so that callers may word them for their readers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import PlainValidator
from pydantic_core import PydanticCustomError

T = TypeVar("T")

MAX_SIZE = 2**31 - 1
"""No size, count or factor is larger: torch's kernels index with 32 bits."""


SIZES = "sizes such as `3` or `1x7`"
LIST = "a list such as `[1, 2]`"


def shown(value: object) -> str:
    """A value as a spec writes it, for messages."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) > MAX_SIZE:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(shown, value)) + "]"
    return repr(value) if isinstance(value, int | float | str) else f"a {type(value).__name__}"


def _whole(value: object, least: int) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise PydanticCustomError("int_type", "must be a whole number, got {value}", {"value": shown(value)})
    if value < least:
        raise PydanticCustomError(
            "greater_than_equal", "must be at least {ge}, got {value}", {"ge": least, "value": shown(value)}
        )
    if value > MAX_SIZE:
        raise PydanticCustomError(
            "less_than_equal", "must be at most {le}, got {value}", {"le": MAX_SIZE, "value": shown(value)}
        )
    return value


def _finite(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("float_type", "must be a number, got {value}", {"value": shown(value)})
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise PydanticCustomError("finite_number", "must be a finite number, got {value}", {"value": shown(value)})
    return number


def _positive(value: object) -> float:
    number = _finite(value)
    if number <= 0:
        raise PydanticCustomError("greater_than", "must be above {gt}, got {value}", {"gt": 0, "value": shown(value)})
    return number


def _non_negative(value: object) -> float:
    number = _finite(value)
    if number < 0:
        raise PydanticCustomError("greater_than_equal", "must be at least {ge}, got {value}", {"ge": 0, "value": value})
    return number


def _probability(value: object) -> float:
    number = _non_negative(value)
    if number > 1:
        raise PydanticCustomError("less_than_equal", "must be at most {le}, got {value}", {"le": 1, "value": value})
    return number


def _epsilon(value: object) -> float:
    number = _positive(value)
    if number >= 1:
        raise PydanticCustomError("less_than", "must be below {lt}, got {value}", {"lt": 1, "value": shown(value)})
    return number


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise PydanticCustomError("bool_type", "must be true or false, got {value}", {"value": shown(value)})
    return value


def _tuple_of(item: Callable[[Any], T], lengths: tuple[int, ...] = ()) -> Callable[[object], tuple[T, ...]]:
    """A validator of lists; where ``lengths`` are given, only lists of one of these."""

    def validate(value: object) -> tuple[T, ...]:
        if not isinstance(value, tuple) or (lengths and len(value) not in lengths):
            wanted = SIZES if lengths else LIST
            raise PydanticCustomError(
                "tuple_type", "must be {wanted}, got {value}", {"wanted": wanted, "value": shown(value)}
            )
        return tuple([item(element) for element in value])

    return validate


def _pair_of(item: Callable[[Any], T]) -> Callable[[object], tuple[T, ...]]:
    pair = _tuple_of(item, (2,))
    return lambda value: pair(value) if isinstance(value, tuple | str) or value is None else (item(value),) * 2


def _optional(validate: Callable[[object], T]) -> Callable[[object], T | None]:
    return lambda value: None if value is None else validate(value)


def _positive_int(value: object) -> int:
    return _whole(value, 1)


def _non_negative_int(value: object) -> int:
    return _whole(value, 0)


def _any_int(value: object) -> int:
    return _whole(value, -MAX_SIZE)


def _border(value: object) -> tuple[int, ...]:
    sides = _tuple_of(_non_negative_int, (1, 2, 4))(value if isinstance(value, tuple) else (value,))
    if len(sides) == 4:
        return sides
    height, width = sides[0], sides[-1]
    return (width, width, height, height)


def _sizes(value: object) -> tuple[int, ...]:
    sizes = _tuple_of(_positive_int)(value if isinstance(value, tuple) else (value,))
    if not sizes:
        raise PydanticCustomError("tuple_type", "must be {wanted}, got an empty list", {"wanted": SIZES})
    return sizes


OPEN: Any = None
"""The default of an argument that the op fills in on construction; as a field it never stays none."""

PositiveInt = Annotated[int, PlainValidator(_positive_int)]
NonNegativeInt = Annotated[int, PlainValidator(_non_negative_int)]
AnyInt = Annotated[int, PlainValidator(_any_int)]
OptionalInt = Annotated[int | None, PlainValidator(_optional(_any_int))]
Number = Annotated[float, PlainValidator(_finite)]
PositiveNumber = Annotated[float, PlainValidator(_positive)]
NonNegativeNumber = Annotated[float, PlainValidator(_non_negative)]
Probability = Annotated[float, PlainValidator(_probability)]
OptionalProbability = Annotated[float | None, PlainValidator(_optional(_probability))]
Epsilon = Annotated[float, PlainValidator(_epsilon)]
"""What keeps a division from that by zero; below 1, so that channels written in its place are refused."""
Flag = Annotated[bool, PlainValidator(_flag)]
Pair = Annotated[tuple[int, int], PlainValidator(_pair_of(_positive_int))]
"""Height and width, each at least 1; ``3`` stands for ``3x3``."""
PaddingPair = Annotated[tuple[int, int], PlainValidator(_pair_of(_non_negative_int))]
OptionalPaddingPair = Annotated[tuple[int, int] | None, PlainValidator(_optional(_pair_of(_non_negative_int)))]
NumberPair = Annotated[tuple[float, float], PlainValidator(_pair_of(_positive))]
OpenPair = Annotated[tuple[int, int], PlainValidator(_optional(_pair_of(_positive_int)))]
"""As Pair, or ``none``, which the op fills in on construction."""
OpenPaddingPair = Annotated[tuple[int, int], PlainValidator(_optional(_pair_of(_non_negative_int)))]
OpenNonNegativeInt = Annotated[int, PlainValidator(_optional(_non_negative_int))]
Border = Annotated[tuple[int, int, int, int], PlainValidator(_border)]
"""Left, right, top and bottom; written as these four, as height and width, or as one number."""
Sizes = Annotated[tuple[int, ...], PlainValidator(_sizes)]
"""One size or more; ``7`` stands for one axis."""
Axes = Annotated[tuple[int, ...], PlainValidator(_tuple_of(_non_negative_int))]
Numbers = Annotated[tuple[float, ...], PlainValidator(_tuple_of(_finite))]
PositiveNumbers = Annotated[tuple[float, ...], PlainValidator(_tuple_of(_positive))]
