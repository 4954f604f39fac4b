"""How each op's multiply-accumulates are counted, in words that can be computed."""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import NamedTuple

from archdsl.graph.model import Node
from archdsl.ops import ALL_OPS
from archdsl.ops.contract.base import CostFreeOp, Op, Types
from archdsl.ops.contract.shapes import TensorType
from archdsl.views.stats import Stats

_CONV = "out_channels * in_channels / groups * kernel * out_places"

FORMULAS: dict[str, str] = {
    "conv": _CONV,
    "conv1d": _CONV,
    "dwconv": "out_channels * kernel * out_places",
    "conv_transpose": "out_channels * in_channels / groups * kernel * in_places",
    "linear": "out_channels * in_channels * in_places",
    "attention": "4 * in_places * in_channels ** 2 + 2 * in_places ** 2 * in_channels",
    "dot_product_attention": "in_places * keys * (in_channels + out_channels)",
    "window_attention": "4 * padded * in_channels ** 2 + 2 * padded * kernel * in_channels"
    " + bias_offsets * 512 * (2 + heads)",
    "relative_attention": "4 * in_places * in_channels ** 2 + 2 * in_places * kernel * in_channels",
    "blurpool": "in_channels * kernel ** 2 * out_places",
}
"""By the op's kind; of others nothing is counted, as they have no products of convolutions, matrices or attention.

``places`` are the elements of a channel, ``keys`` the tokens that queries are compared with, ``kernel`` the elements of
a kernel or window, ``padded`` the places of a feature map padded to whole windows, ``bias_offsets`` the distances
within a window for which Swin v2's network, of 512 hidden units, computes biases once for a batch (0 without
``cosine``).
"""


def formula(kind: str) -> str:
    """The op's formula; ``0`` for those without products."""
    return FORMULAS.get(kind, "0")


def variables(op: Op, inputs: Types, output: TensorType) -> dict[str, int]:
    """What the formula's names are worth for one node."""
    given = inputs[0]
    channels = [type_.sizes[type_.channel_axis or 0] for type_ in (given, output)]
    kernel = prod(_pair(getattr(op, "kernel_size", getattr(op, "window", 1))))
    found = {
        "in_channels": channels[0],
        "out_channels": channels[1],
        "in_places": prod(given.sizes) // channels[0],
        "out_places": prod(output.sizes) // channels[1],
        "kernel": kernel,
        "groups": getattr(op, "groups", 1),
    }
    if op.kind == "dot_product_attention":
        found["keys"] = inputs[1].sizes[-2]
    if op.kind == "window_attention":
        rows, columns = _pair(op.window)  # type: ignore[attr-defined]
        height, width, _ = given.sizes
        found["padded"] = -(-height // rows) * rows * (-(-width // columns) * columns)
        found["heads"] = op.heads  # type: ignore[attr-defined]
        found["bias_offsets"] = (2 * rows - 1) * (2 * columns - 1) if op.cosine else 0  # type: ignore[attr-defined]
    return found


def _pair(value: object) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (int(value),)  # type: ignore[call-overload]


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
    rows = [
        ExplainedCost(kind, uses[kind], auxiliary_uses[kind], macs[kind], _formula_text(kind, stats.graph.nodes))
        for kind in macs
    ]
    return sorted(rows, key=lambda row: -row.macs)


def _formula_text(kind: str, nodes: tuple[Node, ...]) -> str:
    if kind in ALL_OPS:
        return formula(kind)
    op = next(node.op for node in nodes if node.op.kind == kind)
    return "0" if isinstance(op, CostFreeOp) else f"as {type(op).__name__}.macs says"
