"""Which ops a network's multiply-accumulates are in, and how each counts them."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from archdsl.ops.contract.base import Op
from archdsl.views.stats import Stats


class ExplainedCost(NamedTuple):
    """A kind of op in a network: its formula, and what its uses come to in evaluation.

    ``auxiliary_uses`` are in branches that training alone computes; ``uses`` and ``macs`` are without them.
    """

    op: str
    uses: int
    auxiliary_uses: int
    macs: int
    formula: str


def explained(stats: Stats) -> list[ExplainedCost]:
    """Each kind of op in the network, those with most MACs first."""
    auxiliary = stats.graph.auxiliary_nodes()
    uses, auxiliary_uses, macs = Counter[str](), Counter[str](), Counter[str]()
    for node, own in zip(stats.graph.nodes, stats.cost.nodes, strict=True):
        (auxiliary_uses if node.id in auxiliary else uses)[node.op.kind] += 1
        macs[node.op.kind] += own.macs
    ops = {node.op.kind: node.op for node in stats.graph.nodes}
    rows = [
        ExplainedCost(kind, uses[kind], auxiliary_uses[kind], macs[kind], op.mac_formula or _by_code(op))
        for kind, op in ops.items()
    ]
    return sorted(rows, key=lambda row: -row.macs)


def _by_code(op: Op) -> str:
    return f"as {type(op).__name__}.macs says"
