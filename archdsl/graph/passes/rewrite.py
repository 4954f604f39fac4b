"""Changes of a graph, gathered and made at once: nodes bypassed or removed, ops replaced, weights computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from archdsl.graph.model import Graph, Node, OutputRef, StateEntry
from archdsl.graph.passes.weight_plan import Computed, Kept, New, Origin, WeightPlan
from archdsl.graph.structure import new_node
from archdsl.ops.contract.base import Op


class PassResult(NamedTuple):
    """The graph that a pass makes, and what became of the weights."""

    graph: Graph
    weights: WeightPlan


class GraphRewrite:
    """What a pass changes. Nodes keep their order, names and places; ids are given anew."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._outputs = graph.outputs
        self._ops: dict[int, Op] = {}
        self._bypassed: set[int] = set()
        self._removed: set[int] = set()
        self._computed: dict[str, Computed] = {}

    def replace_op(self, node: Node, op: Op) -> None:
        """Another op in the node's place, which makes a tensor of the same type."""
        self._ops[node.id] = op

    def bypass(self, node: Node) -> None:
        """Removes the node; whatever reads it reads its first input instead."""
        self._bypassed.add(node.id)

    def remove(self, ids: Iterable[int]) -> None:
        """Removes nodes that nothing reads which stays."""
        self._removed.update(ids)

    def set_outputs(self, outputs: Iterable[OutputRef]) -> None:
        self._outputs = tuple(outputs)

    def compute(self, key: str, function: Callable[..., Any], *operands: str) -> None:
        """The entry ``key`` of the state_dict afterwards is made of entries before."""
        self._computed[key] = Computed(function, tuple(map(Kept, operands)))

    def result(self) -> PassResult:
        """The changed graph; it is not verified."""
        kept = [node for node in self._graph.nodes if node.id not in self._bypassed | self._removed]
        ids = {node.id: position for position, node in enumerate(kept)}
        modules = _owners(kept)
        nodes = tuple([self._changed(node, ids, modules) for node in kept])
        outputs = [OutputRef(each.name, ids[self._source(each.node)], each.auxiliary) for each in self._outputs]
        before = self._graph
        graph = Graph(before.name, nodes, tuple(outputs), before.root, before.settings, before.doc)
        return PassResult(graph, self._plan(graph, {new: old for old, new in modules.items()}))

    def _changed(self, node: Node, ids: dict[int, int], modules: dict[str, str]) -> Node:
        op = self._ops.get(node.id, node.op)
        inputs = tuple([ids[self._source(i)] for i in node.inputs])
        return new_node(ids[node.id], op, inputs, node.type, node.path, modules[node.module], node.scope, node.span)

    def _source(self, id_: int) -> int:
        """The node that is read where ``id_`` was."""
        while id_ in self._bypassed:
            id_ = self._graph.nodes[id_].inputs[0]
        return id_

    def _plan(self, graph: Graph, modules_before: dict[str, str]) -> WeightPlan:
        before = {entry.key: entry for entry in self._graph.state_entries()}
        entries = {entry.key: self._origin(entry, before, modules_before) for entry in graph.state_entries()}
        return WeightPlan.of(entries, before)

    def _origin(self, entry: StateEntry, before: dict[str, StateEntry], modules_before: dict[str, str]) -> Origin:
        if entry.key in self._computed:
            return self._computed[entry.key]
        module = entry.node.module
        key = modules_before[module] + entry.key.removeprefix(module)
        is_same = key in before and before[key].spec.shape == entry.spec.shape
        return Kept(key) if is_same else New()


def _owners(nodes: list[Node]) -> dict[str, str]:
    """Where the weights of each module stand now: where its owner is gone, at the first of those that share it."""
    owners: dict[str, str] = {}
    for node in nodes:
        owners.setdefault(node.module, node.path)
    return owners
