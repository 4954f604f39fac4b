"""A graph as JSON, exactly: ops, types, scopes and sources stand in tables, nodes refer to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable
from itertools import takewhile
from typing import Any

from archdsl.base.source import Span
from archdsl.graph.structure import GraphStructure, Node, Scope
from archdsl.ops.contract.base import Op
from archdsl.ops.contract.init import Initializer

FORMAT = "archdsl-graph"
VERSION = 1


class _Table:
    """Rows, each written once, and their indices by what they stand for."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self._indices: dict[Hashable, int] = {}

    def find(self, key: Hashable) -> int | None:
        return self._indices.get(key)

    def add(self, key: Hashable, row: Any) -> int:
        index = self._indices[key] = len(self.rows)
        self.rows.append(row)
        return index

    def index(self, key: Hashable, row: Callable[[], Any]) -> int:
        """The index of ``key``'s row, which is made where there is none."""
        found = self._indices.get(key)
        return self.add(key, row()) if found is None else found


def to_json(graph: GraphStructure) -> str:
    """See ``Graph.to_json``: a line per row of each table."""
    writer = _Writer()
    writer.scope(graph.root)
    nodes = [writer.node(node) for node in graph.nodes]
    document = {
        "format": FORMAT,
        "version": VERSION,
        "name": graph.name,
        "doc": graph.doc,
        "settings": dict(graph.settings),
        "sources": writer.sources.rows,
        "scopes": writer.scopes.rows,
        "ops": writer.ops.rows,
        "types": writer.types.rows,
        "nodes": nodes,
        "outputs": [[output.name, output.node, output.auxiliary] for output in graph.outputs],
    }
    return "{\n" + ",\n".join(f"{json.dumps(key)}: {_rows(value)}" for key, value in document.items()) + "\n}\n"


def _rows(value: object) -> str:
    if not isinstance(value, list) or not value:
        return _line(value)
    return "[\n" + ",\n".join(map(_line, value)) + "\n]"


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class _Writer:
    """Fills the tables as nodes ask for rows."""

    def __init__(self) -> None:
        self.sources, self.scopes, self.ops, self.types = _Table(), _Table(), _Table(), _Table()

    def node(self, node: Node) -> list[Any]:
        return [
            self.ops.index(id(node.op), lambda: [node.op.kind, _encoded_fields(node.op)]),
            node.inputs,
            self.types.index(node.type, lambda: [node.type.sizes, node.type.layout]),
            node.path,
            node.module if node.module != node.path else None,
            self.scope(node.scope),
            self.span(node.span),
        ]

    def scope(self, scope: Scope) -> int:
        """The scope's index; those around it stand before it."""
        found = self.scopes.find(scope)
        if found is not None:
            return found
        missing = list(takewhile(lambda outer: self.scopes.find(outer) is None, scope.ancestors()))
        return [self.scopes.add(inner, self._scope_row(inner)) for inner in reversed(missing)][-1]

    def _scope_row(self, scope: Scope) -> list[Any]:
        parent = self.scopes.find(scope.parent) if scope.parent else None
        return [scope.kind, scope.name, scope.path, parent, self.span(scope.span), self.span(scope.definition)]

    def span(self, span: Span | None) -> list[int] | None:
        if span is None:
            return None
        source = span.source
        return [self.sources.index(source, lambda: [source.name, source.text]), span.start, span.end]


def _encoded_fields(op: Op | Initializer) -> dict[str, Any]:
    return {name: _encoded(value) for name, value in op.arguments().items()}


def _encoded(value: object) -> object:
    if isinstance(value, tuple):
        return [_encoded(item) for item in value]
    return {value.kind: _encoded_fields(value)} if isinstance(value, Initializer) else value
