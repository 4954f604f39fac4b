"""For inference: without the branches that are computed in training only."""

from __future__ import annotations

from archdsl.graph.model import Graph
from archdsl.graph.passes.rewrite import GraphRewrite, PassResult


def remove_auxiliaries(graph: Graph) -> PassResult:
    """The graph without its auxiliary outputs and what only they need; inputs stay.

    In evaluation it computes what it did. Its weights are fewer.
    """
    rewrite = GraphRewrite(graph)
    rewrite.set_outputs(output for output in graph.outputs if not output.auxiliary)
    rewrite.remove(graph.auxiliary_nodes() - {node.id for node in graph.inputs})
    return rewrite.result()
