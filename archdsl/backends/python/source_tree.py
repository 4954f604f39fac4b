"""The module tree that a Python file of a network has, and what happens in each module's ``forward``.

A scope that opens a name becomes a module with a ``forward`` of its own, a *caller*, if nothing
outside uses the modules in it. Other prefixes of paths are mere namespaces (``nn.ModuleList`` and
the like), whose modules are called by the caller around them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from archdsl.backends.call_targets import call_of
from archdsl.graph.model import Graph, Node, Scope
from archdsl.graph.overwriting import overwriting_nodes
from archdsl.ops.contract.torch_call import ModuleCall, TorchCall
from archdsl.ops.reshape import InputOp


@dataclass(slots=True, eq=False)
class ModuleLeaf:
    """A module of torch, or the one parameter of an op, at the node's path."""

    node: Node
    call: TorchCall


@dataclass(slots=True, eq=False)
class Container:
    """A module with children; ``statements`` are its ``forward`` if it is a caller.

    ``inputs`` and ``outputs`` are the ids of the nodes whose values enter and leave.
    """

    path: str
    scope: Scope | None
    is_caller: bool
    parent: Container | None
    children: dict[str, ModuleLeaf | Container] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    inputs: dict[int, None] = field(default_factory=dict)
    outputs: dict[int, None] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]


@dataclass(slots=True, eq=False)
class Statement:
    """The call of an op or of a caller below."""

    node: Node
    call: TorchCall | None
    callee: Container | None = None
    holds_parameter: bool = False

    @property
    def inputs(self) -> tuple[int, ...]:
        return tuple(self.callee.inputs) if self.callee else self.node.inputs

    @property
    def outputs(self) -> tuple[int, ...]:
        return tuple(self.callee.outputs) if self.callee else (self.node.id,)


def build_tree(graph: Graph) -> Container:
    """The root container, with all below it."""
    return _TreeBuilder(graph).run()


class _TreeBuilder:
    def __init__(self, graph: Graph) -> None:
        overwriting = overwriting_nodes(graph)
        self._graph = graph
        self._calls = {
            node.id: call_of(node, graph.input_types(node), in_place=node.id in overwriting)
            for node in graph.nodes
            if not isinstance(node.op, InputOp)
        }
        self._chains = _ScopeChains()
        self._root = Container("", graph.root, True, None)
        self._containers = {"": self._root}
        self._callers: dict[int, tuple[Container, ...]] = {}

    def run(self) -> Container:
        caller_paths = self._caller_paths()
        for node in self._graph.nodes:
            if self._stands(node) and node.module not in self._containers:
                self._place(node, caller_paths)
        for node in self._graph.nodes:
            if node.id in self._calls:
                self._state(node)
        for output in self._graph.outputs:
            self._leave(output.node, (self._root,))
            self._root.outputs[output.node] = None
        self._mark_dead_ends()
        return self._root

    def _stands(self, node: Node) -> bool:
        """Whether the node is a module or holds a parameter."""
        call = self._calls.get(node.id)
        return isinstance(call, ModuleCall) or (call is not None and _holds_parameter(self._graph, node))

    def _caller_paths(self) -> set[str]:
        """Paths of the scopes that become callers: in one piece, and their modules are theirs alone."""
        spans: dict[str, list[int]] = {}
        counts: dict[str, int] = {}
        foreign: set[str] = set()
        for node in self._graph.nodes:
            around = self._chains.of(node.scope)
            for path in around:
                spans.setdefault(path, [node.id, node.id])[1] = node.id
                counts[path] = counts.get(path, 0) + 1
            if self._stands(node):
                foreign.update(set(_prefixes(node.module)) ^ set(around))
        return {path for path, (first, last) in spans.items() if last - first + 1 == counts[path]} - foreign

    def _place(self, node: Node, caller_paths: set[str]) -> None:
        *outer, name = node.module.split(".")
        container = self._root
        for part in outer:
            found = container.children.get(part)
            if not isinstance(found, Container):
                path = f"{container.path}.{part}" if container.path else part
                found = Container(path, self._chains.scopes.get(path), path in caller_paths, container)
                container.children[part] = self._containers[path] = found
            container = found
        container.children.setdefault(name, ModuleLeaf(node, self._calls[node.id]))

    def _state(self, node: Node) -> None:
        """Add the node's statement to the innermost caller, and calls of that one to those around it."""
        callers = self._callers_of(node)
        for outer, inner in pairwise(callers):
            if not inner.statements:
                outer.statements.append(Statement(node, None, inner))
        call = self._calls[node.id]
        own = not isinstance(call, ModuleCall) and self._stands(node)
        callers[-1].statements.append(Statement(node, call, holds_parameter=own))
        for source in node.inputs:
            self._enter(source, callers)
            self._leave(source, callers)

    def _callers_of(self, node: Node) -> tuple[Container, ...]:
        """The callers around a node, outermost first."""
        found = self._callers.get(id(node.scope))
        if found is None:
            around = (self._containers.get(path) for path in self._chains.of(node.scope))
            found = (self._root, *(c for c in around if c is not None and c.is_caller))
            self._callers[id(node.scope)] = found
        return found

    def _enter(self, value: int, callers: tuple[Container, ...]) -> None:
        """The value is an input of every caller that does not make it."""
        makers = self._callers_of(self._graph.nodes[value])
        for caller in callers:
            if caller not in makers:
                caller.inputs[value] = None

    def _leave(self, value: int, readers: tuple[Container, ...]) -> None:
        """The value is an output of every caller that makes it and does not hold its reader."""
        for caller in self._callers_of(self._graph.nodes[value]):
            if caller not in readers:
                caller.outputs[value] = None

    def _mark_dead_ends(self) -> None:
        """A caller whose result nobody reads returns its last value."""
        for container in self._containers.values():
            if container.is_caller and not container.outputs:
                container.outputs[container.statements[-1].outputs[-1]] = None
        for node in self._graph.inputs:
            self._root.inputs[node.id] = None


class _ScopeChains:
    """The named scopes around each scope, outermost first, by path."""

    def __init__(self) -> None:
        self.scopes: dict[str, Scope] = {}
        self._known: dict[int, tuple[str, ...]] = {}

    def of(self, scope: Scope) -> tuple[str, ...]:
        found = self._known.get(id(scope))
        if found is None:
            parent = scope.parent
            outer = self.of(parent) if parent else ()
            opens_name = parent is not None and scope.path != parent.path
            found = self._known[id(scope)] = (*outer, scope.path) if opens_name else outer
            if opens_name:
                self.scopes[scope.path] = scope
        return found


def _prefixes(path: str) -> list[str]:
    """The paths of the containers around a path, without the root."""
    parts = path.split(".")[:-1]
    return [".".join(parts[: i + 1]) for i in range(len(parts))]


def _holds_parameter(graph: Graph, node: Node) -> bool:
    return bool(node.op.parameters(graph.input_types(node)))
