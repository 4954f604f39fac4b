"""Which classes a Python file has: one for all uses of a block that differ in numbers alone.

The constructions of a caller's children and its ``forward`` are compared with those of other uses of
the block. Where only leaves differ, the uses share a class, and the leaves that differ become its
parameters: equal columns are one parameter, channel counts that are a multiple of another everywhere
are written as that multiple.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any

from archdsl.backends.python.source_expressions import (
    NO_DEFAULT,
    Construction,
    Expression,
    ParameterReference,
    Slot,
    leaves,
    map_leaves,
    shape,
    torch_default,
)
from archdsl.backends.python.source_tree import Container

_CHANNELS = frozenset(
    {"in_channels", "out_channels", "num_features", "in_features", "out_features", "num_channels", "channels", "width",
     "normalized_shape"}
)  # fmt: skip
_LEADING = ("channels", "in_channels", "width", "out_channels")
"""Parameters that are written without their names."""


@dataclass(frozen=True, slots=True)
class ClassParameter:
    """A parameter of a class: its type as text, and the default, if it has one."""

    name: str
    type: str
    default: Any = NO_DEFAULT


@dataclass(slots=True, eq=False)
class BlockUse:
    """One use of a block, before its class is known. ``channels`` are those that enter and leave."""

    container: Container
    children: tuple[tuple[str, Expression], ...]
    forward: tuple[str, ...]
    arguments: tuple[str, ...]
    channels: tuple[int | None, int | None]
    loop: str = ""
    """With a loop, the way its children are named, as an f-string of ``i``; then there is one child."""

    def key(self) -> Any:
        """Equal for uses that can share a class."""
        children = tuple((name, shape(child)) for name, child in self.children)
        return class_base_name(self.container), children, self.forward, self.arguments, self.loop


@dataclass(slots=True, eq=False)
class Class:
    """A class of the file."""

    name: str
    uses: list[BlockUse]
    parameters: list[ClassParameter] = field(default_factory=list)
    children: tuple[tuple[str, Expression], ...] = ()
    """With ParameterReferences in place of the leaves that differ."""
    values: list[dict[str, Any]] = field(default_factory=list)
    """The arguments of each use."""


def class_base_name(container: Container) -> str:
    """What the class of a container is called if nothing else is: ``Bottleneck`` for ``bottleneck``."""
    scope = container.scope
    name = scope.name if scope and scope.name else container.name
    words = [word for word in re.split(r"[^A-Za-z0-9]+", re.sub(r"\d+$", "", name) or "") if word]
    if scope is not None and scope.kind in ("network", "block"):
        words = [word for word in re.split(r"[^A-Za-z0-9]+", name) if word]
    text = "".join(word[0].upper() + word[1:] for word in words)
    if not text or not text[0].isalpha():
        return f"{class_base_name(container.parent)}Part" if container.parent is not None else f"Net{text}"
    return text


def group(uses: Iterable[BlockUse], names: ClassNames, defaults: dict[str, dict[str, Any]]) -> list[Class]:
    """Classes for the uses, in the order of their first uses; their parameters' defaults go into ``defaults``."""
    groups: dict[Any, list[BlockUse]] = {}
    for use in uses:
        groups.setdefault(use.key(), []).append(use)
    classes = []
    for members in groups.values():
        made = Class(names.name(members[0]), members)
        _parametrise(made, defaults)
        defaults[made.name] = {p.name: p.default for p in made.parameters if p.default is not NO_DEFAULT}
        classes.append(made)
    return classes


def construction(made: Class, position: int) -> Construction:
    """The call that makes the use of this position in ``made.uses``."""
    values = made.values[position]
    positional = 0
    for parameter in made.parameters:
        if parameter.name not in _LEADING or parameter.default is not NO_DEFAULT:
            break
        positional += 1
    return Construction(made.name, tuple((p.name, values[p.name]) for p in made.parameters), positional)


class ClassNames:
    """Gives each class a name of its own; ``containers`` are all that may become uses of classes."""

    def __init__(self, taken: Iterable[str], containers: Iterable[Container]) -> None:
        self._taken = {name.lower() for name in taken}
        self._fewest: dict[str, frozenset[str]] = {}
        for container in containers:
            children = frozenset(container.children)
            fewest = self._fewest.setdefault(class_base_name(container), children)
            self._fewest[class_base_name(container)] = min(children, fewest, key=len)

    def name(self, use: BlockUse) -> str:
        """The block's name; where its uses have different children, the larger ones say what they have more."""
        base = class_base_name(use.container)
        more = [name for name in use.container.children if name not in self._fewest[base]]
        own = f"{base}With{''.join(map(_camel, more))}" if len(more) in (1, 2) else base
        numbered = (f"{base}{number}" for number in count(2))
        chosen = next(name for name in chain([own], numbered) if name.lower() not in self._taken)
        self._taken.add(chosen.lower())
        return chosen


def _camel(name: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


def _parametrise(made: Class, defaults: dict[str, dict[str, Any]]) -> None:
    """Find the columns of leaves that differ between uses, name them, and put references in their places."""
    rows = [[leaf for name, child in use.children for leaf in leaves(child, name)] for use in made.uses]
    slots = [slot for slot, _ in rows[0]]
    columns = [tuple(row[i][1] for row in rows) for i in range(len(slots))]
    differing = [i for i, column in enumerate(columns) if any(not _equal_leaves(value, column[0]) for value in column)]
    texts, made.parameters, made.values = _Columns(made, slots, columns, differing, defaults).named()
    replacements = iter(range(len(slots)))

    def replaced(slot: Slot, leaf: Any) -> Any:
        position = next(replacements)
        return ParameterReference(texts[position]) if position in texts else leaf

    made.children = tuple((name, map_leaves(child, replaced)) for name, child in made.uses[0].children)


def _equal_leaves(value: Any, other: Any) -> bool:
    return type(value) is type(other) and bool(value == other)


class _Columns:
    """Names for the columns of one class's leaves."""

    def __init__(
        self,
        made: Class,
        slots: list[Slot],
        columns: list[tuple[Any, ...]],
        differing: list[int],
        defaults: dict[str, dict[str, Any]],
    ) -> None:
        self._slots, self._columns, self._defaults = slots, columns, defaults
        self._entering = tuple(use.channels[0] for use in made.uses)
        self._leaving = tuple(use.channels[1] for use in made.uses)
        self._slots_of: dict[tuple[Any, ...], list[int]] = {}
        for i in differing:
            self._slots_of.setdefault((*map(type, columns[i]), *columns[i]), []).append(i)
        self._taken = {"self", "nn", "torch", "F", "i"}

    def named(self) -> tuple[dict[int, str], list[ClassParameter], list[dict[str, Any]]]:
        """Texts by leaf, the parameters (those with defaults last), and each use's arguments."""
        multiples = self._multiples()
        names: dict[int, str] = {}
        parameters: list[tuple[ClassParameter, tuple[Any, ...]]] = []
        for members in self._slots_of.values():
            if members[0] not in multiples:
                parameter = self._parameter(members)
                names[members[0]] = parameter.name
                parameters.append((parameter, self._columns[members[0]]))
        texts: dict[int, str] = {}
        for members in self._slots_of.values():
            base, factor = multiples.get(members[0], (members[0], 1))
            text = names[base] if factor == 1 else f"{factor} * {names[base]}"
            texts.update(dict.fromkeys(members, text))
        parameters.sort(key=lambda pair: (pair[0].default is not NO_DEFAULT, pair[0].name not in _LEADING))
        uses = range(len(self._entering))
        values = [{parameter.name: column[use] for parameter, column in parameters} for use in uses]
        return texts, [parameter for parameter, _ in parameters], values

    def _multiples(self) -> dict[int, tuple[int, int]]:
        """Channel columns that are the same multiple of a smaller one everywhere: (that one, the factor)."""
        channels = [m[0] for m in self._slots_of.values() if any(self._slots[i].argument in _CHANNELS for i in m)]
        channels = [i for i in channels if all(type(value) is int for value in self._columns[i])]
        if self._entering != self._leaving:
            channels = [i for i in channels if self._columns[i] != self._entering]
        found: dict[int, tuple[int, int]] = {}
        for i in sorted(channels, key=lambda i: sum(self._columns[i])):
            for base in channels:
                factor = self._columns[i][0] // self._columns[base][0]
                scaled = tuple(factor * value for value in self._columns[base])
                if base not in found and factor > 1 and scaled == self._columns[i]:
                    found[i] = (base, factor)
                    break
        return found

    def _parameter(self, members: list[int]) -> ClassParameter:
        column = self._columns[members[0]]
        name = next(name for name in self._candidates(members, column) if name not in self._taken)
        self._taken.add(name)
        types = {_type_text(value) for value in column}
        return ClassParameter(name, " | ".join(sorted(types)), self._default(members, column))

    def _candidates(self, members: list[int], column: tuple[Any, ...]) -> Iterable[str]:
        slot = self._slots[members[0]]
        if column == self._entering:
            yield "channels" if column == self._leaving else "in_channels"
        if column == self._leaving:
            yield "out_channels"
        is_width = any(self._slots[i].argument in _CHANNELS for i in members)
        yield "width" if is_width else slot.argument
        child = re.sub(r"\W", "_", slot.child)
        yield f"{child}_{'channels' if is_width else slot.argument}"
        yield from (f"{slot.argument}{number}" for number in range(2, len(self._slots) + 3))

    def _default(self, members: list[int], column: tuple[Any, ...]) -> Any:
        """The default of all its leaves, where it is used."""
        found = {self._leaf_default(self._slots[i]) for i in members}
        default = found.pop()
        return default if not found and any(_equal_leaves(value, default) for value in column) else NO_DEFAULT

    def _leaf_default(self, slot: Slot) -> Any:
        own = self._defaults.get(slot.target)
        return own.get(slot.argument, NO_DEFAULT) if own is not None else torch_default(slot.target, slot.argument)


def _type_text(value: Any) -> str:
    if isinstance(value, tuple):
        return f"tuple[{', '.join(_type_text(item) for item in value)}]"
    return "None" if value is None else type(value).__name__
