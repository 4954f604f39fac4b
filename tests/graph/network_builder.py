"""Graphs by hand, for tests of what comes after elaboration."""

from __future__ import annotations

from archdsl.graph.model import Graph, Node, OutputRef, Scope, ScopeKind
from archdsl.ops import ALL_OPS, InputOp
from archdsl.ops.contract.base import Op
from archdsl.ops.contract.shapes import Layout, TensorType


class NetworkBuilder:
    """Adds nodes one by one and opens scopes, as elaboration does."""

    def __init__(self, name: str = "net") -> None:
        self.name = name
        self.nodes: list[Node] = []
        self.root = Scope("network", name, "", None)
        self.scope = self.root

    def input(self, *sizes: int, name: str = "input", layout: Layout | None = None) -> Node:
        type_ = TensorType.of(sizes, layout)
        return self._append(InputOp(sizes=type_.sizes, layout=type_.layout), (), name, name)

    def add(self, kind: str, *inputs: Node, name: str, module: str | None = None, **arguments: object) -> Node:
        """A node of the op ``kind`` named ``name`` in the open scope."""
        path = self._path(name)
        return self._append(ALL_OPS[kind](**arguments), inputs, path, module or path)

    def add_op(self, op: Op, *inputs: Node, name: str) -> Node:
        return self._append(op, inputs, self._path(name), self._path(name))

    def open(self, kind: ScopeKind, path: str, name: str = "") -> None:
        """Everything up to ``close`` stands in a scope of this name below the open one."""
        self.scope = Scope(kind, name, self._path(path) if path else self.scope.path, self.scope)

    def close(self) -> None:
        assert self.scope.parent is not None
        self.scope = self.scope.parent

    def graph(self, *outputs: Node, auxiliary: dict[str, Node] | None = None) -> Graph:
        """The network that returns ``outputs`` or the last node."""
        main = outputs or (self.nodes[-1],)
        names = ["output"] if len(main) == 1 else [f"output{i}" for i in range(len(main))]
        refs = [OutputRef(name, node.id) for name, node in zip(names, main, strict=True)]
        refs += [OutputRef(name, node.id, True) for name, node in (auxiliary or {}).items()]
        return Graph(self.name, tuple(self.nodes), tuple(refs), self.root)

    def _path(self, name: str) -> str:
        return f"{self.scope.path}.{name}" if self.scope.path else name

    def _append(self, op: Op, inputs: tuple[Node, ...], path: str, module: str) -> Node:
        type_ = op.infer(tuple(node.type for node in inputs))
        node = Node(len(self.nodes), op, tuple(n.id for n in inputs), type_, path, module, self.scope, None)
        self.nodes.append(node)
        return node
