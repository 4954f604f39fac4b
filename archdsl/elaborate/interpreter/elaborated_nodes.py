"""The nodes of a network in elaboration, and the scopes whose merges are named once all steps are."""

from __future__ import annotations

from collections.abc import Iterable

from typing_extensions import override

from archdsl.base.source import Span
from archdsl.elaborate.interpreter.place import Names, Place
from archdsl.elaborate.interpreter.values import InitializerValue
from archdsl.graph.growing import GrowingGraph
from archdsl.graph.model import Node, Scope
from archdsl.ops.contract.base import Op
from archdsl.ops.contract.shapes import TensorType


class ElaboratedNodes(GrowingGraph):
    """The growing graph, with what the language's names need."""

    def __init__(self) -> None:
        super().__init__()
        self.dotted: list[tuple[str, Span]] = []
        """Labels with dots, which may lead into another step's place."""
        self._names: list[Names] = []

    def new_names(self, names: Names) -> Names:
        """Remembers the scope, so that its merges are named at the end."""
        self._names.append(names)
        return names

    def is_done_around(self, path: str, built: Iterable[str]) -> bool:
        """Whether a step at ``path`` is done in a scope around those that are being built (none: nowhere)."""
        return any(
            names.wires.find(path) is not None
            for names in self._names
            for inner in built
            if not names.path or inner.startswith(f"{names.path}.")
        )

    @override
    def plain(self, value: object) -> object:
        if isinstance(value, InitializerValue):
            return value.initializer
        return tuple(value) if isinstance(value, tuple) else value

    def add_merge(self, op: Op, inputs: tuple[Node, ...], place: Place, span: Span) -> Node:
        """Appends a node without a label, named once all steps of its scope are."""
        node = self.add(op, inputs, "", place.scope, span)
        place.names.merges.append(node)
        return node

    def finish(self) -> tuple[Node, ...]:
        self.name_merges(self._names)
        return tuple(self.nodes)


INVALID = Node(-1, None, (), TensorType((), "free"), "", "", Scope("network", "", "", None), None)  # type: ignore[arg-type]
"""What a failed step leaves: whatever reads it fails silently, so that one mistake gives one error."""
