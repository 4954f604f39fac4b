"""For inference: batch norms that follow a convolution become part of its weights."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from archdsl.graph.model import Graph, Node
from archdsl.graph.passes.rewrite import GraphRewrite, PassResult
from archdsl.ops.contract.base import Op
from archdsl.ops.conv import Conv1dOp, Conv2dOp, ConvTranspose2dOp, DepthwiseConv2dOp
from archdsl.ops.linear import LinearOp
from archdsl.ops.norm import BatchNormOp


def fold_batch_norm(graph: Graph) -> PassResult:
    """The graph whose convolutions and linear layers scale and shift as the batch norms behind them did.

    In evaluation it computes the same up to rounding; it is not for training. A batch norm stays where it uses the
    batch's own statistics, where something else reads the convolution, and where either is shared. Jacob et al. 2018,
    arXiv:1712.05877, section 3.2.
    """
    rewrite = GraphRewrite(graph)
    reads = Counter([*(i for node in graph.nodes for i in node.inputs), *(output.node for output in graph.outputs)])
    uses = Counter(node.module for node in graph.nodes)
    ops: dict[Op, Op] = {}
    for norm in graph.nodes:
        if not isinstance(norm.op, BatchNormOp) or not norm.op.track_running_stats:
            continue
        conv = graph.nodes[norm.inputs[0]]
        axis = _output_axis(conv)
        if axis is not None and reads[conv.id] == uses[conv.module] == uses[norm.module] == 1:
            rewrite.bypass(norm)
            rewrite.replace_op(conv, ops.setdefault(conv.op, _with_bias(conv.op)))
            _compute(rewrite, conv, norm, norm.op, axis)
    return rewrite.result()


def _output_axis(node: Node) -> int | None:
    """The axis of the weight that holds the output's channels; None where nothing can be folded."""
    match node.op:
        case Conv2dOp() | DepthwiseConv2dOp() | Conv1dOp():
            return 0
        case ConvTranspose2dOp(groups=1):
            return 1
        case LinearOp():
            return 0 if node.type.layout == "C" else None
    return None


def _with_bias(op: Op) -> Op:
    return type(op)(**{**op.arguments(), "bias": True})


def _compute(rewrite: GraphRewrite, conv: Node, norm: Node, op: BatchNormOp, axis: int) -> None:
    has_bias: bool = conv.op.arguments()["bias"]
    affine = [f"{norm.module}.weight", f"{norm.module}.bias"] if op.affine else []
    mean, variance = f"{norm.module}.running_mean", f"{norm.module}.running_var"
    weight, bias = f"{conv.module}.weight", f"{conv.module}.bias"
    rewrite.compute(weight, FoldedWeight(op.eps, axis), weight, variance, *affine[:1])
    rewrite.compute(bias, FoldedBias(op.eps, has_bias), mean, variance, *affine, *([bias] if has_bias else []))


@dataclass(frozen=True, slots=True)
class FoldedWeight:
    """A convolution's weight times the factor of the batch norm behind it."""

    eps: float
    axis: int

    def __call__(self, weight: Any, variance: Any, scale: Any = 1) -> Any:
        shape = [-1 if axis == self.axis else 1 for axis in range(weight.ndim)]
        return weight * (scale * (variance + self.eps) ** -0.5).reshape(shape)


@dataclass(frozen=True, slots=True)
class FoldedBias:
    """A convolution's bias, if it has one, through the batch norm behind it."""

    eps: float
    has_bias: bool

    def __call__(self, mean: Any, variance: Any, *affine_and_bias: Any) -> Any:
        affine = affine_and_bias[:-1] if self.has_bias else affine_and_bias
        scale, shift = affine or (1, 0)
        bias = affine_and_bias[-1] if self.has_bias else 0
        return (bias - mean) * (variance + self.eps) ** -0.5 * scale + shift
