"""What becomes of a network's weights when its graph is rewritten, as data and without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from archdsl.graph.model import Graph


@dataclass(frozen=True, slots=True)
class Kept:
    """The value of an entry of the state_dict before, perhaps under another name."""

    key: str


@dataclass(frozen=True, slots=True)
class New:
    """A value that nothing before determines: it starts as the new network starts it."""


@dataclass(frozen=True, slots=True)
class Computed:
    """What ``function`` makes of the operands' values; it works on any tensors that have operators."""

    function: Callable[..., Any]
    operands: tuple[Kept | Computed, ...]


Origin = Kept | New | Computed


@dataclass(frozen=True, slots=True)
class WeightPlan:
    """Where each entry of the new state_dict comes from, in its order; ``dropped`` are those that nothing needs."""

    entries: Mapping[str, Origin]
    dropped: tuple[str, ...] = ()

    @classmethod
    def of(cls, entries: Mapping[str, Origin], keys_before: Iterable[str]) -> WeightPlan:
        """The plan of these entries, for a network whose state_dict has these keys."""
        used = {key for origin in entries.values() for key in keys_of(origin)}
        return cls(entries, tuple([key for key in keys_before if key not in used]))

    @classmethod
    def unchanged(cls, graph: Graph) -> WeightPlan:
        return cls({entry.key: Kept(entry.key) for entry in graph.state_entries()})

    def then(self, later: WeightPlan) -> WeightPlan:
        """Both plans as one: ``later`` is for the network that this one leads to."""
        entries = {key: _through(origin, self.entries) for key, origin in later.entries.items()}
        known = dict.fromkeys(key for origin in self.entries.values() for key in keys_of(origin))
        return WeightPlan.of(entries, [*known, *self.dropped])


def keys_of(origin: Origin) -> Iterator[str]:
    """Keys of the old state_dict that the value is made from."""
    if isinstance(origin, Kept):
        yield origin.key
    elif isinstance(origin, Computed):
        for operand in origin.operands:
            yield from keys_of(operand)


def _through(origin: Origin, before: Mapping[str, Origin]) -> Origin:
    if isinstance(origin, Kept):
        return before[origin.key]
    if isinstance(origin, Computed):
        operands = tuple([_through(operand, before) for operand in origin.operands])
        known = tuple([each for each in operands if not isinstance(each, New)])
        return Computed(origin.function, known) if known == operands else New()
    return origin
