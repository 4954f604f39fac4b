"""A graph that grows node by node: ops interned, output types inferred once for each op and inputs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from archdsl.base.source import Span
from archdsl.graph.step_names import StepNames
from archdsl.graph.structure import Node, Scope, new_node
from archdsl.ops.contract.base import Op, OpError, Types
from archdsl.ops.contract.shapes import TensorType


class GrowingGraph:
    """The nodes so far. Those that are named or tied later are replaced in the list."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.paths: set[str] = set()
        self._ops: dict[object, Op] = {}
        self._types: dict[tuple[int, Types], TensorType] = {}

    def op(self, op_type: type[Op], arguments: dict[str, Any]) -> Op:
        """The op with these arguments; equal ones are one object. Raises pydantic's ValidationError.

        The types are part of the key: ``1``, ``1.0`` and ``true`` are equal but not the same argument.
        """
        values = tuple(arguments.values())
        key = (op_type, tuple(arguments), values, tuple(map(type, values)))
        found = self._ops.get(key)
        if found is None:
            plain = {name: self.plain(value) for name, value in arguments.items()}
            found = self._ops[key] = op_type(**plain)
        return found

    def plain(self, value: object) -> object:
        """An argument as the op takes it."""
        return value

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

    def add(self, op: Op, inputs: tuple[Node, ...], path: str, scope: Scope, span: Span | None) -> Node:
        """Appends a node. Raises OpError where the op cannot take these inputs."""
        type_ = self.infer(op, inputs)
        node = new_node(len(self.nodes), op, tuple([n.id for n in inputs]), type_, path, path, scope, span)
        self.nodes.append(node)
        self.paths.add(path)
        return node

    def weights(self, node: Node) -> list[tuple[str, tuple[int, ...]]]:
        """Names and shapes of a node's parameters."""
        types = tuple([self.nodes[i].type for i in node.inputs])
        return [(name, spec.shape) for name, spec in node.op.parameters(types).items()]

    def tie(self, node: Node, owner: str) -> Node:
        """The node with the weights of the one at ``owner``."""
        return self._replace(node, node.path, owner)

    def name_merges(self, scopes: Iterable[StepNames[Any]]) -> None:
        """Gives the nodes without a name theirs, once all steps have one."""
        for names in scopes:
            if names.merges:
                for node, path in names.merge_paths():
                    self._replace(node, path, path)

    def _replace(self, node: Node, path: str, module: str) -> Node:
        node = new_node(node.id, node.op, node.inputs, node.type, path, module, node.scope, node.span)
        self.nodes[node.id] = node
        return node


def _try_answers(op: Op, types: Types, output: TensorType) -> None:
    """Asks an op of one's own for what is needed later, so that its mistakes show where it is used. Raises OpError."""
    op.parameters(types)
    op.buffers(types)
    op.macs(types, output)
