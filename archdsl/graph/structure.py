"""The graph as data: typed nodes in topological order, their scopes, and what a network promises."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, make_dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from archdsl.base.source import Span
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError
from archdsl.ops.contract.base import Op, OpError, ParameterSpec, Types
from archdsl.ops.contract.shapes import TensorType
from archdsl.ops.reshape import InputOp

if TYPE_CHECKING:
    import networkx

ScopeKind = Literal["network", "block", "sequence", "group", "stem", "stage", "head", "aux"]
SECTION_KINDS = frozenset({"stem", "stage", "head", "aux"})

Setting = int | float | bool | str | None


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """A use of a block, a ``seq``, a labelled group or a section: where nodes stand and names begin.

    ``path`` is the prefix of the names inside (``layer1.0``); an unnamed section opens no names and
    has its parent's path. ``name`` is the block's or network's name, a section's label, else "".
    ``span`` is the use site, ``definition`` the place where a block is defined.
    """

    kind: ScopeKind
    name: str
    path: str
    parent: Scope | None = field(repr=False)
    span: Span | None = field(default=None, repr=False)
    definition: Span | None = field(default=None, repr=False)

    def ancestors(self) -> Iterator[Scope]:
        """This scope and those around it, innermost first."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    @property
    def section(self) -> Scope | None:
        """The innermost section around, which may be this scope itself."""
        return next((scope for scope in self.ancestors() if scope.kind in SECTION_KINDS), None)

    @property
    def title(self) -> str:
        """What a reader calls it: ``layer1``, ``stem``, ``bottleneck``."""
        return self.name or self.kind


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One op applied to the outputs of earlier nodes.

    ``path`` is unique in the graph; ``module`` is where the parameters stand, and differs from
    ``path`` only for later uses of a ``shared`` layer.
    """

    id: int
    op: Op
    inputs: tuple[int, ...]
    type: TensorType
    path: str
    module: str
    scope: Scope = field(repr=False)
    span: Span | None = field(repr=False)

    @property
    def section(self) -> Scope | None:
        """The innermost section around the node."""
        return self.scope.section


_NodeDraft: Any = make_dataclass("_NodeDraft", [each.name for each in fields(Node)], eq=False, slots=True)
"""A node before it is frozen."""


def new_node(
    id: int,
    op: Op,
    inputs: tuple[int, ...],
    type: TensorType,
    path: str,
    module: str,
    scope: Scope,
    span: Span | None,
) -> Node:
    """``Node(...)`` in a third of the time, for whoever makes them by the thousand.

    A frozen dataclass sets each field by a call; one that is not is filled at once, and then becomes the other.
    """
    node: Node = _NodeDraft(id, op, inputs, type, path, module, scope, span)
    node.__class__ = Node
    return node


@dataclass(frozen=True, slots=True)
class OutputRef:
    """A named output; an auxiliary one is returned in training only."""

    name: str
    node: int
    auxiliary: bool = False


class StateEntry(NamedTuple):
    """One entry of the state_dict, and the node that owns it."""

    key: str
    spec: ParameterSpec
    is_buffer: bool
    node: Node


class GraphError(RuntimeError):
    """A graph that breaks its own rules: a bug of what made it, never a fault of a spec."""


def refused(error: OpError, node: Node) -> ArchError:
    """What an op of one's own says after elaboration, at the place where it is used."""
    return ArchError(Diagnostic(error.code, error.message, node.span, help=error.help))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GraphStructure:
    """What a ``Graph`` holds, and what follows from its wiring alone."""

    name: str
    nodes: tuple[Node, ...]
    outputs: tuple[OutputRef, ...]
    root: Scope
    settings: Mapping[str, Setting] = field(default_factory=dict)
    doc: str = ""
    diagnostics: tuple[Diagnostic, ...] = ()

    def input_types(self, node: Node) -> Types:
        """The types of a node's inputs, in order."""
        return tuple(self.nodes[i].type for i in node.inputs)

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The nodes through which tensors enter, in order."""
        return tuple([node for node in self.nodes if isinstance(node.op, InputOp)])

    def auxiliary_nodes(self) -> frozenset[int]:
        """Ids of the nodes that only auxiliary outputs need, and which are therefore computed in training only."""
        if not any(output.auxiliary for output in self.outputs):
            return frozenset()
        main = self._needed(output.node for output in self.outputs if not output.auxiliary)
        return frozenset(self._needed(output.node for output in self.outputs if output.auxiliary) - main)

    def _needed(self, nodes: Iterable[int]) -> set[int]:
        """The given nodes and all that they read, directly or not."""
        needed = set(nodes)
        for node in reversed(self.nodes):
            if node.id in needed:
                needed.update(node.inputs)
        return needed

    def state_entries(self) -> tuple[StateEntry, ...]:
        """The state_dict, in the order in which torch lists it.

        That is the order of a module tree into which the nodes were put, one after the other, at their paths: a
        module's own parameters, its buffers, then its children as they were first put there. A node without
        parameters counts as well, as the first of its block may be one. Weights that several nodes share are
        listed once.
        """
        tree = _ModuleTree()
        known: dict[tuple[int, Types], tuple[tuple[str, ParameterSpec, bool], ...]] = {}
        for node in self.nodes:
            if node.module != node.path:
                continue
            tree.at(_outer(node.module))
            types = self.input_types(node)
            specs = known.get((id(node.op), types))
            if specs is None:
                specs = known[id(node.op), types] = _state_specs(node.op, types)
            for name, spec, is_buffer in specs:
                tree.put(StateEntry(f"{node.module}.{name}" if name else node.module, spec, is_buffer, node))
        return tuple(tree.entries())

    def to_networkx(self) -> networkx.MultiDiGraph[int]:
        """The wiring, for algorithms: node ids with their Node as ``node``, an edge for each input.

        The edge's key is the position of that input.
        """
        import networkx

        graph: networkx.MultiDiGraph[int] = networkx.MultiDiGraph(name=self.name)
        graph.add_nodes_from((node.id, {"node": node}) for node in self.nodes)
        for node in self.nodes:
            for position, source in enumerate(node.inputs):
                graph.add_edge(source, node.id, position)
        return graph

    def __repr__(self) -> str:
        given = ", ".join(str(node.type) for node in self.inputs)
        made = ", ".join(str(self.nodes[output.node].type) for output in self.outputs)
        return f"<Graph {self.name}: {len(self.nodes)} nodes, {given} to {made}>"


def _state_specs(op: Op, types: Types) -> tuple[tuple[str, ParameterSpec, bool], ...]:
    parameters = [(name, spec, False) for name, spec in op.parameters(types).items()]
    return (*parameters, *[(name, spec, True) for name, spec in op.buffers(types).items()])


def _outer(path: str) -> str:
    return path.rpartition(".")[0]


class _Module:
    """A module of the tree whose traversal is the state_dict's order."""

    __slots__ = ("buffers", "children", "parameters")

    def __init__(self) -> None:
        self.parameters: list[StateEntry] = []
        self.buffers: list[StateEntry] = []
        self.children: dict[str, _Module] = {}


class _ModuleTree:
    """Modules by path, each made when it is first asked for."""

    def __init__(self) -> None:
        self._root = _Module()
        self._known = {"": self._root}

    def at(self, path: str) -> _Module:
        """The module at ``path``, with those around it."""
        module = self._known.get(path)
        if module is None:
            module = self._root
            for name in path.split("."):
                child = module.children.get(name)
                if child is None:
                    child = module.children[name] = _Module()
                module = child
            self._known[path] = module
        return module

    def put(self, entry: StateEntry) -> None:
        """Registers the entry in the module that its key names."""
        module = self.at(_outer(entry.key))
        (module.buffers if entry.is_buffer else module.parameters).append(entry)

    def entries(self) -> Iterator[StateEntry]:
        """All entries, each module's own before its children's."""
        pending = [self._root]
        while pending:
            module = pending.pop()
            yield from module.parameters
            yield from module.buffers
            pending.extend(reversed(module.children.values()))
