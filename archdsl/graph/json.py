"""A graph as JSON and back, exactly: ops, types, scopes and sources stand in tables, nodes refer to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping
from itertools import takewhile
from typing import Any

from archdsl.base.source import Source, Span
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError
from archdsl.graph.model import Graph, GraphError, Node, OutputRef, Scope
from archdsl.ops import ALL_OPS
from archdsl.ops.contract.base import Op, OpError
from archdsl.ops.contract.init import INITIALIZERS, Initializer
from archdsl.ops.contract.shapes import TensorType

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


def to_json(graph: Graph) -> str:
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


def from_json(text: str, user_ops: Mapping[str, type[Op]]) -> Graph:
    """See ``Graph.from_json``."""
    try:
        document = json.loads(text)
        if document["format"] != FORMAT or document["version"] != VERSION:
            raise ValueError(f"its format is {document['format']} {document['version']}, not {FORMAT} {VERSION}")
        known = {kind: _known(kind, user_ops) for kind, _ in document["ops"]}
        graph = _read(document, known)
        graph.verify()
    except _REFUSED as error:
        cause = error.__cause__
        if isinstance(cause, OpError) and cause.code == "E702":
            raise ArchError(Diagnostic("E702", cause.message, help=cause.help)) from error
        message = f"this is no graph that archdsl wrote: {type(error).__name__}: {error}"
        raise ArchError(Diagnostic("E002", message)) from error
    return graph


def _known(kind: str, user_ops: Mapping[str, type[Op]]) -> type[Op]:
    """Raises ArchError E002 for an op of one's own that is not given."""
    found = ALL_OPS.get(kind) or user_ops.get(kind)
    if found is None:
        message = f"the graph has the op `{kind}`, which archdsl does not have"
        help_ = f'give the file, the module or the class of `{kind}`, as to `load`: `ops=["my_ops.py"]`'
        raise ArchError(Diagnostic("E002", message, help=help_))
    return found


_REFUSED = (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError, OpError, GraphError)
"""Whatever reading a text that is no graph runs into."""


def _read(document: dict[str, Any], known: Mapping[str, type[Op]]) -> Graph:
    sources = [Source(name, text) for name, text in document["sources"]]
    scopes = _read_scopes(document["scopes"], sources)
    ops = [known[kind](**_decoded_fields(arguments)) for kind, arguments in document["ops"]]
    types = [TensorType(tuple(sizes), layout) for sizes, layout in document["types"]]
    nodes: list[Node] = []
    for op, inputs, type_, path, module, scope, span in document["nodes"]:
        place = scopes[scope], _read_span(span, sources)
        nodes.append(Node(len(nodes), ops[op], tuple(inputs), types[type_], path, module or path, *place))
    outputs = tuple([OutputRef(name, node, auxiliary) for name, node, auxiliary in document["outputs"]])
    return Graph(document["name"], tuple(nodes), outputs, scopes[0], document["settings"], document["doc"])


def _read_scopes(rows: list[Any], sources: list[Source]) -> list[Scope]:
    scopes: list[Scope] = []
    for kind, name, path, parent, span, definition in rows:
        places = _read_span(span, sources), _read_span(definition, sources)
        scopes.append(Scope(kind, name, path, None if parent is None else scopes[parent], *places))
    return scopes


def _decoded_fields(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: _decoded(value) for name, value in arguments.items()}


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_decoded, value))
    if isinstance(value, dict):
        ((kind, arguments),) = value.items()
        return INITIALIZERS[kind](**arguments)
    return value


def _read_span(span: list[int] | None, sources: list[Source]) -> Span | None:
    return None if span is None else Span(sources[span[0]], span[1], span[2])
