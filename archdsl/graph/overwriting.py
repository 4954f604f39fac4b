"""Which activations may overwrite their input."""

from __future__ import annotations

from archdsl.graph.model import Graph


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
    candidates = [node for node in graph.nodes if node.op.can_overwrite_input]
    for node in candidates:
        source = node.inputs[0]
        if reads[source] > 1 or not graph.nodes[source].op.output_can_be_overwritten:
            refused.add(node.module)
    return frozenset(node.id for node in candidates if node.module not in refused)
