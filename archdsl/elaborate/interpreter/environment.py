"""Where expressions are evaluated: variables, the block's input, wires, defaults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from archdsl.base.source import Span
from archdsl.elaborate.loading import LoadedModule
from archdsl.graph.model import Node
from archdsl.language import syntax


@dataclass(frozen=True, slots=True)
class Given:
    """An argument's value with the place where it was written."""

    value: object
    span: Span | None


@dataclass(slots=True, eq=False)
class DoneStep:
    """The tensor a finished step made and, where it opened a scope, the wires inside."""

    node: Node
    inside: Wires | None = None


@dataclass(slots=True, eq=False)
class Wires:
    """The finished steps that ``@name`` reaches from one scope, and those of the scopes textually around."""

    parent: Wires | None = None
    steps: dict[str, DoneStep] = field(default_factory=dict)

    def find(self, path: str) -> DoneStep | None:
        """The step at ``path``, from the innermost scope outwards."""
        wires: Wires | None = self
        while wires is not None:
            found = wires._resolve(path)
            if found is not None:
                return found
            wires = wires.parent
        return None

    def names(self) -> Iterator[str]:
        """Every name that a step has in this scope and those around it."""
        wires: Wires | None = self
        while wires is not None:
            yield from wires.steps
            wires = wires.parent

    def paths(self) -> Iterator[tuple[str, DoneStep]]:
        """Every step that is reached, by its path; those of this scope and of the scopes around it first."""
        inside: list[tuple[str, Wires]] = []
        wires: Wires | None = self
        while wires is not None:
            inside.append(("", wires))
            wires = wires.parent
        for before, wires in inside:
            for name, step in wires.steps.items():
                yield before + name, step
                if step.inside is not None:
                    inside.append((f"{before}{name}.", step.inside))

    def fails(self, path: str) -> bool:
        """Whether a step that failed stands at the path or leads to it."""
        parts = path.split(".")
        found = (self.find(".".join(parts[:count])) for count in range(1, len(parts) + 1))
        return any(step is not None and step.node.id < 0 for step in found)

    def _resolve(self, path: str) -> DoneStep | None:
        """``a.b.c`` may be the step ``a.b`` and in it ``c``: the longest label wins."""
        here: Wires = self
        rest = path
        while True:
            head = rest
            while head not in here.steps and "." in head:
                head = head.rpartition(".")[0]
            step = here.steps.get(head)
            if step is None or head == rest:
                return step
            if step.inside is None:
                return None
            here, rest = step.inside, rest[len(head) + 1 :]


@dataclass(slots=True, eq=False)
class Defaults:
    """``default`` statements of one body or file; ``outer`` are those that yield to them."""

    statements: tuple[syntax.Default, ...]
    outer: Defaults | None
    environment: Environment | None = None
    merged: dict[str, dict[str, Given]] = field(default_factory=dict)
    """The arguments for each op, outer ones included, once asked for."""


@dataclass(slots=True, eq=False)
class Environment:
    """One level of names; lookups go outwards to the module.

    ``entry`` is what ``in`` means (None outside of blocks and networks), ``wires`` what ``@``
    reaches, ``overridden`` the name whose override is being evaluated: there it means the original.
    """

    module: LoadedModule
    parent: Environment | None
    variables: dict[str, object]
    entry: Node | None
    wires: Wires
    defaults: Defaults
    overridden: str | None = None

    def child(self, variables: dict[str, object] | None = None) -> Environment:
        """A nested body: same block, new names."""
        return Environment(
            self.module,
            self,
            {} if variables is None else variables,
            self.entry,
            self.wires,
            self.defaults,
            self.overridden,
        )

    def inside(self, wires: Wires) -> Environment:
        """A nested scope of the same block: its steps are reached first."""
        return Environment(self.module, self, {}, self.entry, wires, self.defaults, self.overridden)
