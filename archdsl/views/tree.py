"""A network as a tree of rows: sections, blocks and layers with shapes and costs, subtotals included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from archdsl.analysis.cost import Cost, cost
from archdsl.graph.model import SECTION_KINDS, Graph, Scope
from archdsl.ops.contract.shapes import TensorType


@dataclass(slots=True, eq=False)
class TreeRow:
    """A scope or a layer; a scope's numbers are the sums of its children's.

    ``name`` is the last part of its path (``layer1``), or what an unnamed section is called; ``kind`` the op,
    the block's name, or the kind of scope; ``output`` the type of what leaves it, and ``node`` the id of the node that
    made that (-1 where nothing leaves a scope).
    """

    name: str
    kind: str
    path: str
    output: TensorType
    node: int = -1
    parameters: int = 0
    buffers: int = 0
    macs: int = 0
    is_section: bool = False
    children: list[TreeRow] = field(default_factory=list)

    @property
    def flops(self) -> int:
        """Floating-point operations: two for each MAC."""
        return 2 * self.macs

    def walk(self, depth: int | None = None) -> Iterator[tuple[int, TreeRow]]:
        """This row and those below it down to ``depth`` levels, each with its level, in order of the spec."""
        pending = [(0, self)]
        while pending:
            level, row = pending.pop()
            yield level, row
            if depth is None or level < depth:
                pending.extend((level + 1, child) for child in reversed(row.children))


def tree_of(graph: Graph, costs: Cost | None = None) -> TreeRow:
    """The rows of a graph, in time linear in its nodes; the returned row is the network itself."""
    costs = costs or cost(graph)
    rows = _ScopeRows(graph)
    for node, own in zip(graph.nodes, costs.nodes, strict=True):
        parent = rows.scope(node.scope)
        name = node.path[len(node.scope.path) + 1 :] if node.scope.path else node.path
        row = TreeRow(name, node.op.kind, node.path, node.type, node.id, own.parameters, own.buffers, own.macs)
        parent.children.append(row)
    _sum_up(rows.root)
    return rows.root


class _ScopeRows:
    """One row for each scope, made when its first node appears."""

    def __init__(self, graph: Graph) -> None:
        self._nodes = graph.nodes
        self._outputs = _scope_outputs(graph)
        self._rows: dict[Scope, TreeRow] = {}
        self.root = self.scope(graph.root)

    def scope(self, scope: Scope) -> TreeRow:
        """The row of a scope; rows are made for the scopes around it, too."""
        if scope in self._rows:
            return self._rows[scope]
        missing = []
        ancestor: Scope | None = scope
        while ancestor is not None and ancestor not in self._rows:
            missing.append(ancestor)
            ancestor = ancestor.parent
        for new in reversed(missing):
            row = self._rows[new] = self._new(new)
            if new.parent is not None:
                self._rows[new.parent].children.append(row)
        return self._rows[scope]

    def _new(self, scope: Scope) -> TreeRow:
        node = self._outputs.get(scope, -1)
        output = self._nodes[node].type if node >= 0 else TensorType((), "free")
        is_section = scope.kind in SECTION_KINDS
        return TreeRow(_scope_name(scope), _scope_kind(scope), scope.path, output, node, is_section=is_section)


def _scope_name(scope: Scope) -> str:
    if scope.parent is None or scope.path == scope.parent.path:
        return scope.title
    return scope.path.removeprefix(f"{scope.parent.path}.") if scope.parent.path else scope.path


def _scope_kind(scope: Scope) -> str:
    return scope.name if scope.kind == "block" and scope.name else "seq" if scope.kind == "sequence" else scope.kind


def _scope_outputs(graph: Graph) -> dict[Scope, int]:
    """The node whose tensor leaves each scope last, those of auxiliary branches aside."""
    last: dict[Scope, int] = {}
    for node in graph.nodes:
        for source in node.inputs:
            origin = graph.nodes[source].scope
            if origin is not node.scope:
                _leave(last, origin, source, set(node.scope.ancestors()))
    for output in graph.outputs:
        scope = graph.nodes[output.node].scope
        _leave(last, scope, output.node, set(_around_auxiliary(scope)) if output.auxiliary else set())
    return last


def _leave(last: dict[Scope, int], origin: Scope, node: int, within: set[Scope]) -> None:
    """Notes that a node's output leaves the scopes from ``origin`` outwards, up to those in ``within``."""
    for scope in origin.ancestors():
        if scope in within:
            return
        last[scope] = max(node, last.get(scope, node))


def _around_auxiliary(scope: Scope) -> Iterable[Scope]:
    """The scopes around the innermost ``aux`` section around ``scope``."""
    section = next((ancestor for ancestor in scope.ancestors() if ancestor.kind == "aux"), scope)
    return section.parent.ancestors() if section.parent is not None else ()


def _sum_up(root: TreeRow) -> None:
    for _, row in reversed(list(root.walk())):
        for child in row.children:
            row.parameters += child.parameters
            row.buffers += child.buffers
            row.macs += child.macs


class Folding:
    """Which neighbours are equal but for their names, as ``bottleneck`` after ``bottleneck``."""

    def __init__(self, root: TreeRow) -> None:
        self._classes: dict[int, int] = {}
        numbers: dict[tuple[object, ...], int] = {}
        for _, row in reversed(list(root.walk())):
            below = tuple([self._classes[id(child)] for child in row.children])
            key = (row.kind, row.output, row.parameters, row.buffers, row.macs, below)
            self._classes[id(row)] = numbers.setdefault(key, len(numbers))

    def runs(self, rows: Sequence[TreeRow]) -> Iterator[list[TreeRow]]:
        """The rows in order, equal neighbours together; single layers are not folded."""
        for _, run in groupby(rows, key=lambda row: self._classes[id(row)] if row.children else id(row)):
            yield list(run)
