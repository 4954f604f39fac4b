"""Graphs for tests: random ones, residual ones, one with shared weights."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from archdsl.graph.builder import GraphBuilder
from archdsl.graph.model import Graph
from archdsl.ops.activation import ReluOp
from archdsl.ops.contract.init import KaimingNormal
from archdsl.ops.conv import Conv2dOp
from archdsl.ops.norm import BatchNormOp

STEPS: list[tuple[str, dict[str, Any]]] = [
    ("conv", {"out_channels": 4, "kernel_size": 3}),
    ("conv", {"out_channels": 4, "kernel_size": (1, 3), "bias": False, "init": KaimingNormal(mode="fan_out")}),
    ("bn", {}),
    ("relu", {}),
    ("dropout", {"p": 0.25}),
    ("mul_scalar", {"value": 0.1}),
]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Random DAGs of ops that keep a 4x6x6 image, in scopes that open and close."""
    builder = GraphBuilder("random")
    tensors = [builder.input(4, 6, 6)]
    scopes: list[ExitStack] = []
    for step in range(draw(st.integers(1, 12))):
        if draw(st.booleans()) and scopes:
            scopes.pop().close()
        if draw(st.booleans()):
            scopes.append(ExitStack())
            scopes[-1].enter_context(builder.scope("block", f"b{step}", block="block"))
        sources = draw(st.lists(st.sampled_from(tensors), min_size=1, max_size=3))
        if len(sources) > 1:
            tensors.append(builder.apply("add", *sources, label=f"n{step}"))
        else:
            kind, arguments = draw(st.sampled_from(STEPS))
            tensors.append(builder.apply(kind, *sources, label=f"n{step}", **arguments))
    return builder.finish({"last": tensors[-1], "any": draw(st.sampled_from(tensors))})


def residual(blocks: int, name: str = "net") -> Graph:
    """A residual network of four nodes a block, its ops shared as elaboration shares them."""
    builder = GraphBuilder(name)
    conv, bn, relu = Conv2dOp(out_channels=4, kernel_size=(3, 3)), BatchNormOp(), ReluOp()
    tensor = builder.input(4, 6, 6)
    for block in range(blocks):
        with builder.scope("block", f"block{block}", block="residual"):
            branch = builder.apply(conv, tensor, label="conv1")
            branch = builder.apply(relu, builder.apply(bn, branch, label="bn1"), label="relu1")
            tensor = builder.apply("add", branch, tensor, label="add1")
    return builder.finish()


def shared_pair() -> Graph:
    builder = GraphBuilder("net")
    first = builder.apply("conv", builder.input(4, 6, 6), label="conv1", out_channels=4, kernel_size=3)
    return builder.finish(builder.apply_shared(first, first, label="conv2"))


def with_node(graph: Graph, id_: int, **fields: Any) -> Graph:
    """The graph with these fields of one node."""
    nodes = [replace(node, **fields) if node.id == id_ else node for node in graph.nodes]
    return replace(graph, nodes=tuple(nodes))
