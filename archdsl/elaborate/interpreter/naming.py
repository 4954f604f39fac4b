"""The names of steps: labels, ``conv1`` by kind, ``0`` by position; and the scopes they open."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from archdsl.base.source import Source, Span
from archdsl.diagnostics.problems import ArchError
from archdsl.elaborate.interpreter.environment import Wires
from archdsl.graph.model import Node, Scope, ScopeKind
from archdsl.language import syntax
from archdsl.language.parser import parse_expression


class StepLabel(str):
    """The name that a label gives, with the place where the label is written."""

    __slots__ = ("span",)

    def __new__(cls, name: str, span: Span) -> StepLabel:
        label = super().__new__(cls, name)
        label.span = span
        return label

    span: Span


class Taken(NamedTuple):
    """Where a name was given: by a label or a step, in a function that is used at ``use``."""

    span: Span
    use: Span | None = None


def wire(path: str) -> str:
    """A wire as a spec has to write it: ``@name``, and in quotes what is no name."""
    try:
        is_name = path.isidentifier() and isinstance(parse_expression(Source("", f"@{path}")), syntax.Wire)
    except ArchError:
        is_name = False
    return f"@{path}" if is_name else f'@"{path}"'


@dataclass(slots=True, eq=False)
class Names:
    """The names given so far within one scope of the ``state_dict``."""

    path: str
    positional: bool
    wires: Wires
    counts: dict[str, int] = field(default_factory=dict)
    position: int = 0
    taken: dict[str, Taken] = field(default_factory=dict)
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

    def name_merges(self) -> None:
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
            node.path = node.module = self.full(name)


@dataclass(slots=True, eq=False)
class Place:
    """Where a layer is applied: the names it adds to and the scope its nodes belong to."""

    names: Names
    scope: Scope

    def section(self, kind: ScopeKind, title: str, span: Span) -> Place:
        """An unnamed section: a scope for reports that adds no name."""
        return Place(self.names, Scope(kind, title, self.names.path, self.scope, span))
