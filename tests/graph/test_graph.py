"""Graph: what it tells of itself, its text and digest, and the faults that verify finds."""

from __future__ import annotations

import pickle
import random
import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import networkx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from archdsl.graph.builder import GraphBuilder
from archdsl.graph.model import Graph, GraphError, Node, OutputRef, Scope
from archdsl.graph.structure import GraphStructure, new_node
from archdsl.ops.contract.init import KaimingNormal
from archdsl.ops.contract.shapes import TensorType
from archdsl.ops.conv import Conv2dOp
from archdsl.ops.merge import AddOp

# ---- what it tells -------------------------------------------------------------------------------
from tests.graph.sample_graphs import graphs, residual, shared_pair, with_node


def test_neither_a_graph_nor_its_nodes_can_be_changed() -> None:
    graph = residual(1)
    for thing, kind in ((graph, GraphStructure), (graph.nodes[0], Node)):
        for field in fields(kind):
            with pytest.raises(FrozenInstanceError):
                setattr(thing, field.name, None)


@given(graphs())
def test_nodes_made_fast_are_as_others(graph: Graph) -> None:
    for node in graph.nodes:
        values = [getattr(node, field.name) for field in fields(node)]
        made, usual = new_node(*values), Node(*values)
        assert type(made) is Node
        assert repr(made) == repr(usual)
        assert made != usual
        assert repr(replace(made, path="other")) == repr(replace(usual, path="other"))
        assert repr(pickle.loads(pickle.dumps(made))) == repr(usual)


@given(graphs())
def test_networkx_sees_the_same_wiring(graph: Graph) -> None:
    exported = graph.to_networkx()
    assert isinstance(exported, networkx.MultiDiGraph)
    assert sorted(exported) == [node.id for node in graph.nodes]
    for node in graph.nodes:
        edges = sorted(exported.in_edges(node.id, keys=True), key=lambda edge: edge[2])
        assert tuple(source for source, _, _ in edges) == node.inputs
        assert exported.nodes[node.id]["node"] is node


def test_inputs_in_order() -> None:
    builder = GraphBuilder("net")
    left, right = builder.input(3, 4, 4, name="left"), builder.input(3, 4, 4, name="right")
    graph = builder.finish(builder.apply("add", right, left, label="add1"))
    assert graph.inputs == (left, right)


def test_state_entries_are_in_torchs_order() -> None:
    """The order of a module tree whose modules were registered in the order of the nodes."""
    builder = GraphBuilder("net")
    x = builder.input(4, 6, 6)
    root = nn.Module()
    for kind, path in [
        ("relu", "opened.relu"), ("conv", "stem.conv"), ("conv", "late.conv"), ("bn", "stem.bn"), ("conv", "early"),
        ("conv", "opened.conv"), ("bn", "late.deep.bn"), ("conv", "stem.deep.conv"), ("conv", "late.conv2"),
    ]:  # fmt: skip
        x = builder.apply(kind, x, label=path, **MODULES[kind][0])
        register(root, path, MODULES[kind][1]())
    x = builder.apply("scale", x, label="late.factor")
    root.get_submodule("late").register_parameter("factor", nn.Parameter(torch.ones(4, 1, 1)))
    entries = builder.finish(x).state_entries()
    buffers = {name for name, _ in root.named_buffers()}
    expected = [(name, tuple(value.shape), name in buffers) for name, value in root.state_dict().items()]
    assert [(entry.key, entry.spec.shape, entry.is_buffer) for entry in entries] == expected
    assert all(entry.key.startswith(entry.node.path) for entry in entries)


MODULES: dict[str, tuple[dict[str, Any], Callable[[], nn.Module]]] = {
    "relu": ({}, nn.ReLU),
    "bn": ({}, lambda: nn.BatchNorm2d(4)),
    "conv": ({"out_channels": 4, "kernel_size": 3}, lambda: nn.Conv2d(4, 4, 3)),
}


def register(root: nn.Module, path: str, module: nn.Module) -> None:
    *containers, name = path.split(".")
    for container in containers:
        if container not in root._modules:
            root.add_module(container, nn.Module())
        root = root.get_submodule(container)
    root.add_module(name, module)


def test_shared_weights_are_listed_once() -> None:
    assert [entry.key for entry in shared_pair().state_entries()] == ["conv1.weight", "conv1.bias"]


# ---- text -----------------------------------------------------------------------------------


def test_text_reads_like_the_spec() -> None:
    builder = GraphBuilder("tiny", settings={"classes": 10, "act": "relu", "deep": None})
    x = builder.apply("conv", builder.input(3, 8, 8), label="conv1", out_channels=4, kernel_size=3, bias=False)
    with builder.scope("block", "tail"):
        y = builder.apply("channels_last", builder.apply("relu", x), label="last")
        z = builder.apply("add", y, y)
    graph = builder.finish(z, auxiliary={"side": x})
    assert graph.text() == (
        'network tiny(classes=10, act="relu", deep=none)\n'
        '%0 = input(sizes=3x8x8, layout="CHW") : 3x8x8  # input\n'
        "%1 = conv(out_channels=4, kernel_size=3x3, padding=1x1, bias=false) %0 : 4x8x8  # conv1\n"
        "%2 = relu() %1 : 4x8x8  # tail.relu1\n"
        "%3 = channels_last() %2 : 8x8x4 HWC  # tail.last\n"
        "%4 = add() %3 %3 : 8x8x4 HWC  # tail.add1\n"
        "return output: %4, aux side: %1\n"
    )


# ---- digest --------------------------------------------------------------------------------------


@given(graphs(), st.randoms(use_true_random=False))
def test_digest_ignores_names_places_and_order(graph: Graph, rng: random.Random) -> None:
    assert renamed_and_shuffled(graph, rng).digest() == graph.digest()


def renamed_and_shuffled(graph: Graph, rng: random.Random) -> Graph:
    """The graph in another topological order, with other paths, scopes and equal ops that are other objects."""
    order: list[int] = []
    remaining = [node.id for node in graph.nodes]
    while remaining:
        ready = [id_ for id_ in remaining if set(graph.nodes[id_].inputs) <= set(order)]
        order.append(rng.choice(ready))
        remaining.remove(order[-1])
    place = {old: new for new, old in enumerate(order)}
    root = Scope("network", "other", "", None)
    nodes = []
    for old in order:
        node = graph.nodes[old]
        op = type(node.op)(**node.op.arguments())
        inputs = tuple(place[source] for source in node.inputs)
        path = f"x.y{old}" if inputs else f"y{old}"
        nodes.append(Node(place[old], op, inputs, node.type, path, path, root, None))
    shuffled = Graph("other", tuple(nodes), tuple(replace(o, node=place[o.node]) for o in graph.outputs), root)
    shuffled.verify()
    return shuffled


def two_inputs(first: str, **arguments: Any) -> GraphBuilder:
    builder = GraphBuilder("net")
    a, b = builder.input(4, 6, 6, name="a"), builder.input(4, 6, 6, name="b")
    x, y = (a, b) if first == "a" else (b, a)
    x = builder.apply("conv", x, label="conv1", **{"out_channels": 4, "kernel_size": 3, **arguments})
    builder.apply("concat", x, y, label="concat1")
    return builder


def test_digest_tells_networks_apart() -> None:
    several = [
        two_inputs("a").finish(),
        two_inputs("b").finish(),
        two_inputs("a", groups=2).finish(),
        two_inputs("a", init=KaimingNormal()).finish(),
        two_inputs("a", init=KaimingNormal(mode="fan_out")).finish(),
        replace(two_inputs("a").finish(), outputs=(OutputRef("other", 3),)),
        replace(two_inputs("a").finish(), outputs=(OutputRef("output", 2),)),
        shared_pair(),
        unshared_pair(),
        residual(1),
        residual(2),
    ]
    assert len({graph.digest() for graph in several}) == len(several)


def unshared_pair() -> Graph:
    graph = shared_pair()
    return with_node(graph, 2, module=graph.nodes[2].path)


# ---- verify --------------------------------------------------------------------------------------


def test_verify_accepts_every_name_that_a_label_can_be() -> None:
    builder = GraphBuilder("net")
    x = builder.input(3, name="_")
    builder.apply("relu", x, label="__")
    builder.finish().verify()
    for name in ("1x1", "größe", "a-b.0"):
        builder.apply("relu", x, label=name)
        builder.finish().verify()


@given(graphs())
def test_verify_accepts_what_is_right(graph: Graph) -> None:
    graph.verify()


def test_verify_accepts_shared_weights() -> None:
    shared_pair().verify()


def change(**fields: Any) -> Callable[[Graph], Graph]:
    """Sets fields of the graph's node 2."""

    def plant(graph: Graph) -> Graph:
        planted = replace(graph.nodes[2], **fields)
        return replace(graph, nodes=(*graph.nodes[:2], planted, *graph.nodes[3:]))

    return plant


FAULTS: list[tuple[str, Callable[[Graph], Graph]]] = [
    ("stands at position 2", change(id=7)),
    ("stands at position 0", lambda graph: replace(graph, nodes=graph.nodes[::-1])),
    ("reads node 2, which does not stand before it", change(inputs=(2,))),
    ("reads node 99", change(inputs=(99,))),
    ("reads node -1", change(inputs=(-1,))),
    ("has 2 inputs, but takes 1", change(inputs=(0, 1))),
    ("has 0 inputs, but takes 1", change(inputs=())),
    ("has 1 inputs, but takes two or more", change(op=AddOp())),
    ("has type 4x6x5 CHW, but makes 4x6x6 CHW", change(type=TensorType((4, 6, 5), "CHW"))),
    ("has type 4x6x6 free, but makes 4x6x6 CHW", change(type=TensorType((4, 6, 6), "free"))),
    ("cannot take its inputs", change(op=Conv2dOp(out_channels=4, kernel_size=(9, 9), padding=(0, 0)))),
    ("has a path that another has", change(path="block0.conv1", module="block0.conv1")),
    ("has a path that is empty", change(path="", module="")),
    ("cannot be the name of a network", lambda graph: replace(graph, name="a b")),
    ("a path that no step can have", change(path="a = open('x')")),
    ("a path that no step can have", change(path="a..b")),
    ("a path that no step can have", change(path="a.")),
    ("a path that no step can have", change(path=".a")),
    ("a path that no step can have", change(path="a.-b")),
    ("a path that no step can have", change(path="a\nb")),
    ("a path that no input can have", lambda graph: with_node(graph, 0, path="a.b", module="a.b")),
    ("cannot be the name of an output", lambda graph: replace(graph, outputs=(OutputRef("a b", 1),))),
    ("which none can have", lambda graph: with_node(graph, 1, scope=Scope("block", "a b", "", graph.root))),
    ("which none can have", lambda graph: with_node(graph, 1, scope=Scope("block", "", "a b", graph.root))),
    ("stands inside", change(path="block0.conv1.bn", module="block0.conv1.bn")),
    ("stands inside", change(path="block0.conv1.a.b.c", module="block0.conv1.a.b.c")),
    ("which no node before it has", change(module="elsewhere")),
    ("that does not fit it", change(module="block0.conv1")),
    ("outside the network", change(scope=Scope("block", "lost", "", None))),
    ("the network has no output", lambda graph: replace(graph, outputs=())),
    ("the network has no output", lambda graph: replace(graph, outputs=(OutputRef("side", 1, True),))),
    ("two outputs have one name", lambda graph: replace(graph, outputs=(OutputRef("a", 1), OutputRef("a", 2)))),
    (
        "an auxiliary output stands before",
        lambda graph: replace(graph, outputs=(OutputRef("side", 1, True), OutputRef("output", 2))),
    ),
    ("which does not exist", lambda graph: replace(graph, outputs=(OutputRef("a", 99),))),
]


@pytest.mark.parametrize("said, plant", FAULTS)
def test_verify_finds_each_planted_fault(said: str, plant: Callable[[Graph], Graph]) -> None:
    with pytest.raises(GraphError, match=re.escape(said)):
        plant(residual(2)).verify()


# ---- size ----------------------------------------------------------------------------------------

USES: dict[str, Callable[[Graph], object]] = {
    "verify": Graph.verify,
    "text": Graph.text,
    "digest": Graph.digest,
    "state_entries": Graph.state_entries,
    "round trip": lambda graph: Graph.from_json(graph.to_json()),
}


def test_deep_scopes_and_wide_merges_meet_no_limit() -> None:
    builder = GraphBuilder("net")
    image = builder.input(1, 1, 1)
    leaves = [image]
    with ExitStack() as scopes:
        for _ in range(3_000):
            scopes.enter_context(builder.scope("stage"))
            leaves.append(builder.apply("relu", image))
        builder.apply("concat", *leaves)
    graph = builder.finish()
    assert len(list(graph.nodes[-1].scope.ancestors())) > 3_000
    graph.verify()
    assert Graph.from_json(graph.to_json()).digest() == graph.digest()


# ---- how it shows itself -------------------------------------------------------------------------


def test_a_graph_shows_itself_in_a_line_and_prints_itself_whole() -> None:
    builder = GraphBuilder("pair")
    left, right = builder.input(3, 8, 8, name="left"), builder.input(4, name="right")
    graph = builder.finish({"a": builder.apply("relu", left), "b": builder.apply("tanh", right)})
    assert repr(graph) == "<Graph pair: 4 nodes, 3x8x8, 4 to 3x8x8, 4>"
    assert str(graph) == graph.text()


def test_a_node_shows_itself_without_what_is_around() -> None:
    builder = GraphBuilder("net")
    with builder.scope("block", "deep", block="unit"):
        shown = repr(builder.apply("relu", builder.input(3), label="a"))
    assert "path='deep.a'" in shown
    assert "Scope" not in shown
