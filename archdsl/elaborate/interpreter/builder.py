"""Nodes as elaboration makes them: ops interned, output types inferred once for each op and inputs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from archdsl.base.source import Span
from archdsl.elaborate.interpreter.naming import Names, Place
from archdsl.elaborate.interpreter.values import InitializerValue
from archdsl.graph.model import Node, Scope
from archdsl.ops.contract.base import Op, OpError, Types
from archdsl.ops.contract.shapes import TensorType


class GraphBuilder:
    """The growing list of nodes."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.paths: set[str] = set()
        self.dotted: list[tuple[str, Span]] = []
        """Labels with dots, which may lead into another step's place."""
        self._ops: dict[object, Op] = {}
        self._types: dict[tuple[int, Types], TensorType] = {}
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

    def op(self, op_type: type[Op], arguments: dict[str, Any]) -> Op:
        """The op with these arguments; equal ones are one object. Raises pydantic's ValidationError.

        The types are part of the key: ``1``, ``1.0`` and ``true`` are equal but not the same argument.
        """
        values = tuple(arguments.values())
        key = (op_type, tuple(arguments), values, tuple(map(type, values)))
        found = self._ops.get(key)
        if found is None:
            plain = {name: _plain(value) for name, value in arguments.items()}
            found = self._ops[key] = op_type(**plain)
        return found

    def infer(self, op: Op, inputs: tuple[Node, ...]) -> TensorType:
        """The output's type. Raises OpError."""
        types = tuple([node.type for node in inputs])
        key = (id(op), types)
        found = self._types.get(key)
        if found is None:
            found = op.infer(types)
            if op.is_user_op:
                _try_answers(op, types, found)
            if min(found.sizes, default=1) < 1:
                raise OpError("E308", f"`{op.kind}` would make a tensor of shape {found}, which is empty")
            self._types[key] = found
        return found

    def add(self, op: Op, inputs: tuple[Node, ...], path: str, place: Place, span: Span | None) -> Node:
        """Appends a node. Raises OpError where the op cannot take these inputs."""
        type_ = self.infer(op, inputs)
        node = Node(len(self.nodes), op, tuple([n.id for n in inputs]), type_, path, path, place.scope, span)
        self.nodes.append(node)
        self.paths.add(path)
        return node

    def add_merge(self, op: Op, inputs: tuple[Node, ...], place: Place, span: Span) -> Node:
        """Appends a node without a label, named once all steps of its scope are."""
        node = self.add(op, inputs, "", place, span)
        place.names.merges.append(node)
        return node

    def weights(self, node: Node) -> list[tuple[str, tuple[int, ...]]]:
        """Names and shapes of a node's parameters."""
        types = tuple([self.nodes[i].type for i in node.inputs])
        return [(name, spec.shape) for name, spec in node.op.parameters(types).items()]

    def finish(self) -> tuple[Node, ...]:
        for names in self._names:
            if names.merges:
                names.name_merges()
        return tuple(self.nodes)


def _try_answers(op: Op, types: Types, output: TensorType) -> None:
    """Asks an op of one's own for what is needed later, so that its mistakes show where it is used. Raises OpError."""
    op.parameters(types)
    op.buffers(types)
    op.macs(types, output)


def _plain(value: object) -> object:
    if isinstance(value, InitializerValue):
        return value.initializer
    return tuple(value) if isinstance(value, tuple) else value


INVALID = Node(-1, None, (), TensorType((), "free"), "", "", Scope("network", "", "", None), None)  # type: ignore[arg-type]
"""What a failed step leaves: whatever reads it fails silently, so that one mistake gives one error."""
