"""A graph from its JSON: every field is held to its type, every name to what the language can make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from annotated_types import Ge
from pydantic import FiniteFloat, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from archdsl.base.source import Source, Span
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError
from archdsl.graph.structure import GraphError, GraphStructure, Node, OutputRef, Scope, ScopeKind, new_node
from archdsl.graph.verify import verify
from archdsl.ops import ALL_OPS
from archdsl.ops.contract.base import Op, OpError
from archdsl.ops.contract.init import INITIALIZERS
from archdsl.ops.contract.shapes import Layout, TensorType

Made = TypeVar("Made", bound=GraphStructure)

Index = Annotated[int, Ge(0)]
SpanRow = tuple[Index, Index, Index]


class ScopeRow(NamedTuple):
    kind: ScopeKind
    name: str
    path: str
    parent: Index | None
    span: SpanRow | None
    definition: SpanRow | None


class NodeRow(NamedTuple):
    op: Index
    inputs: tuple[Index, ...]
    type: Index
    path: str
    module: str | None
    scope: Index
    span: SpanRow | None


class GraphDocument(TypedDict):
    """What ``to_json`` writes."""

    format: Literal["archdsl-graph"]
    version: Literal[1]
    name: str
    doc: str
    settings: dict[str, int | FiniteFloat | bool | str | None]
    sources: list[tuple[str, str]]
    scopes: list[ScopeRow]
    ops: list[tuple[str, dict[str, Any]]]
    types: list[tuple[tuple[Index, ...], Layout]]
    nodes: list[NodeRow]
    outputs: list[tuple[str, Index, bool]]


@cache
def _schema() -> TypeAdapter[GraphDocument]:
    return TypeAdapter(GraphDocument)


def from_json(text: str, ops: Mapping[str, type[Op]], make: Callable[..., Made]) -> Made:
    """See ``Graph.from_json``; ``make`` is the class of the graph."""
    try:
        document = _schema().validate_json(text, strict=True)
        known = {kind: _known(kind, ops) for kind, _ in document["ops"]}
        graph = make(**_fields(document, known))
        verify(graph)
    except _REFUSED as error:
        raise _refusal(error) from error
    return graph


_REFUSED = (KeyError, TypeError, ValueError, IndexError, OpError, GraphError)
"""Whatever reading a text that is no graph runs into."""


def _known(kind: str, ops: Mapping[str, type[Op]]) -> type[Op]:
    """Raises ArchError E002 for an op of one's own that is not given."""
    found = ALL_OPS.get(kind) or ops.get(kind)
    if found is None:
        message = f"the graph has the op `{kind}`, which archdsl does not have"
        help_ = f'give `archdsl.read_graph` the file, the module or the class of `{kind}`: `ops=["my_ops.py"]`'
        raise ArchError(Diagnostic("E002", message, help=help_))
    return found


def _refusal(error: Exception) -> ArchError:
    cause = error.__cause__
    if isinstance(cause, OpError) and cause.code == "E702":
        return ArchError(Diagnostic("E702", cause.message, help=cause.help))
    return ArchError(Diagnostic("E002", f"this is no graph that archdsl wrote: {_reason(error)}"))


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return ": ".join([*filter(None, [".".join(map(str, first["loc"]))]), first["msg"]])
    return str(error) if isinstance(error, GraphError | OpError) else f"{type(error).__name__}: {error}"


def _fields(document: GraphDocument, known: Mapping[str, type[Op]]) -> dict[str, Any]:
    """What the graph is made of, by name."""
    sources = [Source(name, text) for name, text in document["sources"]]
    scopes = _read_scopes(document["scopes"], sources)
    return {
        "name": document["name"],
        "nodes": _read_nodes(document, known, scopes, sources),
        "outputs": tuple([OutputRef(*row) for row in document["outputs"]]),
        "root": scopes[0],
        "settings": document["settings"],
        "doc": document["doc"],
    }


def _read_nodes(
    document: GraphDocument, known: Mapping[str, type[Op]], scopes: list[Scope], sources: list[Source]
) -> tuple[Node, ...]:
    ops = [known[kind](**_decoded_fields(arguments)) for kind, arguments in document["ops"]]
    types = [TensorType(*row) for row in document["types"]]
    nodes: list[Node] = []
    for op, inputs, type_, path, module, scope, span in document["nodes"]:
        place = scopes[scope], _read_span(span, sources)
        nodes.append(new_node(len(nodes), ops[op], inputs, types[type_], path, module or path, *place))
    return tuple(nodes)


def _read_scopes(rows: list[ScopeRow], sources: list[Source]) -> list[Scope]:
    scopes: list[Scope] = []
    for kind, name, path, parent, span, definition in rows:
        places = _read_span(span, sources), _read_span(definition, sources)
        scopes.append(Scope(kind, name, path, None if parent is None else scopes[parent], *places))
    return scopes


def _read_span(span: SpanRow | None, sources: list[Source]) -> Span | None:
    if span is None:
        return None
    source, start, end = span
    if not start <= end <= len(sources[source].text):
        raise ValueError(f"the text of {sources[source].name} has no place from {start} to {end}")
    return Span(sources[source], start, end)


def _decoded_fields(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: _decoded(value) for name, value in arguments.items()}


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_decoded, value))
    if isinstance(value, dict):
        ((kind, arguments),) = value.items()
        return INITIALIZERS[kind](**arguments)
    return value
