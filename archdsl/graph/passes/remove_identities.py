"""Without the nodes that pass their input on, in training as in evaluation."""

from __future__ import annotations

from archdsl.graph.model import Graph
from archdsl.graph.passes.rewrite import GraphRewrite, PassResult
from archdsl.ops.contract.base import Op
from archdsl.ops.merge import MulScalarOp
from archdsl.ops.regularization import Dropout2dOp, DropoutOp, DropPathOp
from archdsl.ops.reshape import IdentityOp, PermuteOp


def remove_identities(graph: Graph) -> PassResult:
    """The graph without ``identity``, dropout that drops nothing, a factor of 1, and axes that stay in order.

    What it computes stays the same to the bit; what adds 0 is not removed, as it makes -0.0 a 0.0.
    """
    rewrite = GraphRewrite(graph)
    for node in graph.nodes:
        if _passes_on(node.op):
            rewrite.bypass(node)
    return rewrite.result()


def _passes_on(op: Op) -> bool:
    match op:
        case IdentityOp():
            return True
        case DropoutOp(p=p) | Dropout2dOp(p=p) | DropPathOp(p=p):
            return p == 0
        case MulScalarOp(value=value):
            return value == 1
        case PermuteOp(axes=axes):
            return list(axes) == sorted(axes)
    return False
