"""How the modules of a Python file are constructed, as trees whose leaves are numbers and the like."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

from archdsl.backends.call_targets import resolve
from archdsl.backends.python.source_text import Listing, Text, flat_text, has_operator, is_attribute, prefixed
from archdsl.ops.contract.torch_call import ModuleCall, local_name

_FEWEST_REPEATS = 3
NO_DEFAULT = inspect.Parameter.empty

Defaults = Mapping[str, Mapping[str, Any]]
"""Of the file's own classes: defaults of their parameters."""


@dataclass(frozen=True, slots=True)
class Construction:
    """A constructor call, every argument by name; the first ``positional`` are written without.

    A target of "" is a tuple, ``+`` is ``first + step * i`` in a loop.
    """

    target: str
    arguments: tuple[tuple[str, Any], ...]
    positional: int


@dataclass(frozen=True, slots=True)
class Items:
    """A container of torch with its children: ``nn.Sequential``, ``nn.ModuleList``, ``nn.ModuleDict``."""

    target: str
    children: tuple[tuple[str, Expression], ...]
    named: bool


@dataclass(frozen=True, slots=True)
class ParameterReference:
    """A parameter of the class, or a product with one: ``in_channels``, ``4 * width``."""

    text: str


Expression = Construction | Items
Leaf = Any
"""int, float, bool, str, None or a tuple of numbers; in finished classes also a ParameterReference."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a leaf stands: the child and the argument of the constructor."""

    child: str
    target: str
    argument: str


def module_expression(call: ModuleCall) -> Construction:
    """The construction of a torch module with all arguments named, defaults included."""
    names = list(_signature(call.target))
    further = [f"argument{i}" for i in range(len(names), len(call.args))]  # of a constructor that takes any number
    positional = tuple(zip([*names, *further], call.args, strict=False))
    return Construction(call.target, (*positional, *call.kwargs.items()), len(positional))


@cache
def _signature(target: str) -> dict[str, Any]:
    """A torch class's arguments in order with their defaults."""
    parameters = inspect.signature(resolve(target)).parameters
    return {name: parameter.default for name, parameter in parameters.items()}


def torch_default(target: str, argument: str) -> Any:
    """A torch class's default of an argument; ``NO_DEFAULT`` where there is none."""
    return (
        _signature(target).get(argument, NO_DEFAULT)
        if target.startswith(("nn.", "layers.")) or ":" in target
        else NO_DEFAULT
    )


def map_leaves(expression: Any, change: Callable[[Slot, Leaf], Leaf], slot: Slot = Slot("", "", "")) -> Any:
    """The expression with each leaf replaced, from left to right."""
    if isinstance(expression, Construction):
        target = expression.target
        arguments = tuple(
            (name, map_leaves(value, change, Slot(slot.child, target, name))) for name, value in expression.arguments
        )
        return Construction(target, arguments, expression.positional)
    if isinstance(expression, Items):
        children = tuple(
            (name, map_leaves(child, change, Slot(_joined(slot.child, name), "", "")))
            for name, child in expression.children
        )
        return Items(expression.target, children, expression.named)
    return change(slot, expression)


def _joined(outer: str, name: str) -> str:
    return f"{outer}_{name}" if outer else name


def leaves(expression: Any, child: str = "") -> list[tuple[Slot, Leaf]]:
    """Every leaf with its place, from left to right."""
    found: list[tuple[Slot, Leaf]] = []

    def note(slot: Slot, leaf: Leaf) -> Leaf:
        found.append((slot, leaf))
        return leaf

    map_leaves(expression, note, Slot(child, "", ""))
    return found


def shape(expression: Any) -> Any:
    """The expression without its leaves: equal for what one class can construct."""
    return map_leaves(expression, lambda slot, leaf: None)


def expression_text(expression: Any, defaults: Defaults) -> Text:
    """The construction in Python, without arguments that equal their default."""
    if isinstance(expression, Construction):
        return _new_text(expression, defaults)
    if isinstance(expression, Items):
        return _items_text(expression, defaults)
    return expression.text if isinstance(expression, ParameterReference) else literal(expression)


def literal(value: Any) -> str:
    """``repr`` with double quotes."""
    plain = isinstance(value, str) and repr(value) == f"'{value}'" and '"' not in value
    return f'"{value}"' if plain else repr(value)


def _new_text(expression: Construction, defaults: Defaults) -> Text:
    target = expression.target
    if target == "+":
        first, step = (flat_text(expression_text(value, defaults)) for _, value in expression.arguments)
        return f"{first} + {_factor(step)} * i"
    own = defaults.get(target, {})
    items = []
    for position, (name, value) in enumerate(expression.arguments):
        text = expression_text(value, defaults)
        if position < expression.positional:
            items.append(text)
        elif not _is_default(value, own[name] if name in own else torch_default(target, name)):
            items.append(prefixed(f"{name}=", text))
    closing = ",)" if not target and len(items) == 1 else ")"
    return Listing(f"{local_name(target)}(", tuple(items), closing)


def _factor(text: str) -> str:
    return f"({text})" if has_operator(text) else text


def _is_default(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


def _items_text(expression: Items, defaults: Defaults) -> Text:
    named = [(name, expression_text(child, defaults)) for name, child in expression.children]
    opening = f"{expression.target}("
    if expression.target == "nn.ModuleDict":
        items = tuple(prefixed(f'"{name}": ', text) for name, text in named)
        return Listing(opening, (Listing("{", items, "}"),), ")")
    if expression.named:
        return Listing(opening, (_ordered_dict(named),), ")")
    texts = [text for _, text in named]
    if expression.target == "nn.Sequential":
        return Listing(opening, tuple(_with_repeats(texts)), ")")
    if len(texts) >= _FEWEST_REPEATS and len(set(texts)) == 1:
        return f"{opening}{flat_text(texts[0])} for _ in range({len(texts)}))"
    return Listing(opening, (Listing("[", tuple(_with_repeats(texts)), "]"),), ")")


def _ordered_dict(named: list[tuple[str, Text]]) -> Listing:
    if all(is_attribute(name) for name, _ in named):
        return Listing("OrderedDict(", tuple(prefixed(f"{name}=", text) for name, text in named), ")")
    pairs = tuple(Listing("(", (f'"{name}"', text), ")") for name, text in named)
    return Listing("OrderedDict(", (Listing("[", pairs, "]"),), ")")


def _with_repeats(texts: list[Text]) -> list[Text]:
    """Equal neighbours as a comprehension."""
    found: list[Text] = []
    for text, group in groupby(texts):
        count = len(list(group))
        if count < _FEWEST_REPEATS:
            found += [text] * count
        elif isinstance(text, str):
            found.append(f"*({text} for _ in range({count}))")
        else:
            found.append(Listing(f"*({text.opening}", text.items, f"{text.closing} for _ in range({count}))"))
    return found
