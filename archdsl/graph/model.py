"""The graph as other rooms know it: its structure, with what can be asked of the whole."""

from __future__ import annotations

from collections.abc import Mapping

from archdsl.graph.json import to_json
from archdsl.graph.json_reader import from_json
from archdsl.graph.structure import (
    SECTION_KINDS,
    GraphError,
    GraphStructure,
    Node,
    OutputRef,
    Scope,
    ScopeKind,
    Setting,
    StateEntry,
    refused,
)
from archdsl.graph.text import digest, to_text
from archdsl.graph.verify import verify
from archdsl.ops.contract.base import Op

__all__ = [
    "SECTION_KINDS",
    "Graph",
    "GraphError",
    "Node",
    "OutputRef",
    "Scope",
    "ScopeKind",
    "Setting",
    "StateEntry",
    "refused",
]

NO_OPS: Mapping[str, type[Op]] = {}


class Graph(GraphStructure):
    """A network, checked: ``nodes[i].id == i``, every input of a node stands before it.

    Its inputs are the nodes whose op is an ``InputOp``, in order; its auxiliary outputs stand last. ``settings`` are
    the values of the network's parameters (a layer or list as its source text). ``diagnostics`` are the warnings of the
    spec that it came from; they are no part of what is written or compared. It cannot be changed, nor can its nodes;
    ``dataclasses.replace`` gives another.
    """

    __slots__ = ()

    def verify(self) -> None:
        """Raises GraphError where the graph breaks a rule: ids, order, arity, types, paths, scopes, outputs."""
        verify(self)

    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        """The graph for people and diffs: a line per node, the same bytes for the same graph."""
        return to_text(self)

    def digest(self) -> str:
        """A SHA-256 in hex of what the network computes and how it starts.

        Ops with their arguments, wiring, shared weights, input types and output names; not names of nodes,
        places in the source or the order in which nodes were made.
        """
        return digest(self)

    def to_json(self) -> str:
        """The whole graph, source texts included, as JSON that ``from_json`` reads back exactly."""
        return to_json(self)

    @staticmethod
    def from_json(text: str, ops: Mapping[str, type[Op]] = NO_OPS) -> Graph:
        """The graph that ``to_json`` wrote; ``ops`` are the classes of ops of one's own in it, by their names.

        ``archdsl.read_graph`` finds them in files, modules and installed packages. Raises ArchError E002 for any
        other text, E702 for an op of one's own that fails.
        """
        return from_json(text, ops, Graph)
