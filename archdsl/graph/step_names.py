"""The names of steps: labels, ``conv1`` by kind, ``0`` by position; merges last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from archdsl.graph.structure import Node

Where = TypeVar("Where")

LABEL_RULE = "a label is letters, digits, `_` and `-`; a dot stands for a container, as in `convs.0`"


def is_label(name: str) -> bool:
    """Whether a step can have the name, or a node the path."""
    return all(
        part and part[0] != "-" and all(character.isalnum() or character in "_-" for character in part)
        for part in name.split(".")
    )


@dataclass(slots=True, eq=False)
class StepNames(Generic[Where]):
    """The names given so far within one scope of the ``state_dict``."""

    path: str
    positional: bool
    counts: dict[str, int] = field(default_factory=dict)
    position: int = 0
    taken: dict[str, Where] = field(default_factory=dict)
    """Where each name was given first."""
    merges: list[Node] = field(default_factory=list)
    """Merges get their names last, so that they never take one from a step."""

    def automatic(self, kind: str) -> str:
        """The name of an unlabelled step of this kind."""
        count = self.counts.get(kind, 0) + 1
        self.counts[kind] = count
        if not self.positional:
            return f"{kind}{count}"
        self.position += 1
        return str(self.position - 1)

    def labelled(self, kind: str) -> None:
        """Counts a labelled step, which uses up a number of its kind and a position."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.position += 1

    def full(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def merge_paths(self) -> Iterator[tuple[Node, str]]:
        """``add1``, ``add2``, ... in order, passing over names that steps have."""
        counts: dict[str, int] = {}
        taken = self.taken.keys() | {name.partition(".")[0] for name in self.taken}
        for node in self.merges:
            kind = node.op.kind
            while True:
                counts[kind] = counts.get(kind, 0) + 1
                name = f"{kind}{counts[kind]}"
                if name not in taken:
                    break
            yield node, self.full(name)
