"""Which activations may overwrite their input."""

from __future__ import annotations

from archdsl.graph.model import Graph

IN_PLACE_KINDS = frozenset({"relu", "relu6", "silu", "hardswish"})
"""Activations that can overwrite their input (``inplace=True``)."""

FRESH_OUTPUT_KINDS = frozenset(
    {
        "conv", "dwconv", "conv1d", "conv_transpose", "linear", "bn", "ln", "gn", "instance_norm", "maxpool",
        "avgpool", "add", "concat",
    }
)  # fmt: skip
"""Ops whose output is new memory that their own backward pass does not read."""


def overwriting_nodes(graph: Graph) -> frozenset[int]:
    """Ids of the nodes that may write their result over their first input, as torchvision's models do.

    That input has no other reader, is no output of the network, and comes from an op whose output
    is new memory that its own backward pass does not read. A module used several times (``shared``)
    overwrites only if every use may.
    """
    reads = [0] * len(graph.nodes)
    for node in graph.nodes:
        for i in node.inputs:
            reads[i] += 1
    for output in graph.outputs:
        reads[output.node] += 1
    refused = set()
    candidates = [node for node in graph.nodes if node.op.kind in IN_PLACE_KINDS]
    for node in candidates:
        source = node.inputs[0]
        if reads[source] > 1 or graph.nodes[source].op.kind not in FRESH_OUTPUT_KINDS:
            refused.add(node.module)
    return frozenset(node.id for node in candidates if node.module not in refused)
