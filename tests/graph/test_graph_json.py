"""A graph as JSON: read back exactly, and with suspicion."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from archdsl.backends.python.python_source import to_python
from archdsl.backends.torch.fx import to_graph_module
from archdsl.base.source import Source, Span
from archdsl.diagnostics.problems import ArchError
from archdsl.graph.builder import GraphBuilder
from archdsl.graph.model import Graph, Node, Scope
from archdsl.views.stats import Stats
from tests.graph.sample_graphs import graphs, residual, shared_pair


@given(graphs())
def test_json_round_trip(graph: Graph) -> None:
    back = Graph.from_json(graph.to_json())
    assert back.to_json() == graph.to_json()
    assert back.text() == graph.text()
    assert back.digest() == graph.digest()
    assert [node.op for node in back.nodes] == [node.op for node in graph.nodes]
    assert [(node.type, node.path, node.module) for node in back.nodes] == [
        (node.type, node.path, node.module) for node in graph.nodes
    ]
    assert [scopes(node) for node in back.nodes] == [scopes(node) for node in graph.nodes]
    assert back.outputs == graph.outputs


def scopes(node: Node) -> list[tuple[str, str, str]]:
    return [(scope.kind, scope.name, scope.path) for scope in node.scope.ancestors()]


def test_json_keeps_places_settings_and_documentation() -> None:
    source = Source("tiny.arch", "network tiny {\n    input 3x8x8\n    relu # größer\n}\n")
    settings = {"a": 1, "b": 0.1, "c": None, "d": "x", "e": True}
    builder = GraphBuilder("tiny", settings=settings, doc="Says why.")
    builder.apply("relu", builder.input(3, 8, 8))
    root = Scope("network", "tiny", "", None, Span(source, 0, 12), Span(source, 8, 12))
    nodes = [replace(node, scope=root, span=Span(source, 35, 39)) for node in builder.finish().nodes]
    graph = replace(builder.finish(), root=root, nodes=tuple(nodes))
    back = Graph.from_json(graph.to_json())
    assert (back.name, back.settings, back.doc) == ("tiny", graph.settings, "Says why.")
    span = back.nodes[1].span
    assert span is not None
    assert (span.place, span.text, span.source.text) == ("tiny.arch:3:5", "relu", source.text)
    assert back.root.span is not None
    assert back.root.span.source is span.source
    assert back.root.definition is not None
    assert back.root.definition.text == "tiny"


def broken_documents() -> list[Any]:
    good = json.loads(residual(1).to_json())
    return [
        {}, [], None, 3, "text",
        {**good, "version": 2},
        {**good, "format": "other"},
        {**good, "ops": []},
        {**good, "ops": [["conv", {"out_channels": 0}], *good["ops"][1:]]},
        {**good, "ops": [["unknown", {}], *good["ops"][1:]]},
        {**good, "types": [[[4, 6, 7], "CHW"], *good["types"][1:]]},
        {**good, "nodes": good["nodes"][1:]},
        {**good, "nodes": [node[:-1] for node in good["nodes"]]},
        {**good, "outputs": [["output", 99, False]]},
        {key: value for key, value in good.items() if key != "scopes"},
        {**good, "name": 1e308},
        {**good, "name": "x = open('y')"},
        {**good, "settings": [0]},
        {**good, "scopes": [["network", [1, 2, 3], "", None, None, None]]},
        {**good, "scopes": [["network", "net", "", 0, None, None]]},
        {**good, "nodes": [[*node[:1], [-1], *node[2:]] for node in good["nodes"]]},
        {**good, "nodes": [[*node[:3], f"a = open({i})", *node[4:]] for i, node in enumerate(good["nodes"])]},
        {**good, "nodes": [[*node[:6], [0, 0, 1]] for node in good["nodes"]]},
        {**good, "sources": [["s", "abc"]], "nodes": [[*node[:6], [0, 2, 9]] for node in good["nodes"]]},
        {**good, "outputs": [["output", 1, 0]]},
        {**good, "outputs": [["a b", 1, False]]},
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, *map(json.dumps, broken_documents())])
def test_a_text_that_is_no_graph_is_a_diagnostic(text: str) -> None:
    with pytest.raises(ArchError) as caught:
        Graph.from_json(text)
    assert caught.value.diagnostics[0].code == "E002"


@given(st.data())
def test_a_graph_that_is_read_can_be_used(data: st.DataObject) -> None:
    """Whatever value stands in whatever place of the JSON: it is refused at once or is a graph."""
    document = json.loads(shared_pair().to_json())
    owner, key = data.draw(st.sampled_from(list(places(document))))
    owner[key] = data.draw(ANY_VALUE)
    try:
        graph = Graph.from_json(json.dumps(document))
    except ArchError as error:
        assert error.diagnostics[0].code == "E002"
        return
    with suppress(ArchError):
        Graph.from_json(graph.to_json()).digest()
        print(graph, Stats(graph).to_dicts(), to_python(graph))
        model = to_graph_module(graph, init=False, device="meta")
        model(*[torch.empty(1, *node.type.sizes, device="meta") for node in graph.inputs])


ANY_VALUE: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["input", "conv", "CHW", "a.b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a value inside a document: a container, and the index or key."""
    for key, inside in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(inside, dict | list):
            yield from places(inside)
