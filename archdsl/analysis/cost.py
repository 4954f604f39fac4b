"""What a network costs: parameters, buffers, multiply-accumulates and depth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from archdsl.graph.model import Graph, Node, refused
from archdsl.ops.contract.base import Op, OpError, ParameterSpec, Types


class OpCost(NamedTuple):
    """One node's share: numbers of elements, and MACs for one example in eval mode."""

    parameters: int
    buffers: int
    macs: int
    is_layer: bool
    """Whether papers count it as a layer: it multiplies by weights (convolutions, linear, attention)."""


@dataclass(frozen=True, slots=True)
class Cost:
    """A network's totals, for one example.

    ``parameters`` are the trainable elements, ``buffers`` those of the rest of the state_dict. ``macs`` are
    multiply-accumulates of convolutions, matrix and attention products, as in torchvision's published ``_ops``
    and half of what torch's FlopCounterMode reports; auxiliary branches, computed in training only, have none
    (their parameters count). ``depth`` is the largest number of layers with weights
    on any path from an input to an output that is not auxiliary, as in the names of ResNet-50 (He et al. 2015)
    and VGG-16. ``nodes`` holds each node's share, by id; weights used several times belong to their first use.
    """

    parameters: int
    buffers: int
    macs: int
    depth: int
    nodes: tuple[OpCost, ...] = field(repr=False)

    @property
    def flops(self) -> int:
        """Floating-point operations: two for each MAC."""
        return 2 * self.macs


def cost(graph: Graph) -> Cost:
    """The cost of a network, in time linear in its nodes."""
    nodes = tuple(_node_costs(graph))
    return Cost(
        parameters=sum(node.parameters for node in nodes),
        buffers=sum(node.buffers for node in nodes),
        macs=sum(node.macs for node in nodes),
        depth=_depth(graph, nodes),
        nodes=nodes,
    )


def _node_costs(graph: Graph) -> Iterable[OpCost]:
    """Each node's cost; equal ops on equal types are counted once and looked up after."""
    known: dict[tuple[int, Types], OpCost] = {}
    nodes, auxiliary = graph.nodes, graph.auxiliary_nodes()
    for node in nodes:
        # not input_types(): this loop sets the pace for large graphs
        types = tuple([nodes[i].type for i in node.inputs])
        key = (id(node.op), types)
        found = known.get(key)
        if found is None:
            found = known[key] = _op_cost(node.op, types, node)
        if node.module != node.path:
            found = found._replace(parameters=0, buffers=0)
        yield found._replace(macs=0) if node.id in auxiliary else found


def _op_cost(op: Op, types: Types, node: Node) -> OpCost:
    parameters = _elements(op.parameters(types).values())
    macs = op.macs(types, node.type)
    return OpCost(parameters, _elements(op.buffers(types).values()), macs, parameters > 0 and macs > 0)


def _elements(specs: Iterable[ParameterSpec]) -> int:
    return sum(spec.elements for spec in specs)


def training_macs(graph: Graph) -> int:
    """Multiply-accumulates of one example's training step: forward, and the gradients of weights and activations.

    Each product is computed once forward, once for its weights, and once for its input where a gradient goes on from
    there, which it does not at a network's first layer. Auxiliary branches count, as training computes them.
    """
    total = 0
    needs_gradient: list[bool] = []
    known: dict[tuple[int, Types], tuple[bool, int, int]] = {}
    for node in graph.nodes:
        types = tuple([graph.nodes[i].type for i in node.inputs])
        key = (id(node.op), types)
        found = known.get(key)
        if found is None:
            macs = node.op.macs(types, node.type)
            learns = bool(node.op.parameters(types))
            found = known[key] = (learns, macs, _input_gradient_macs(node, types) if macs else 0)
        learns, macs, for_input = found
        reached = any(needs_gradient[i] for i in node.inputs)
        needs_gradient.append(learns or reached)
        backward = (2 * macs if reached else 2 * macs - for_input) if learns else macs * reached
        total += macs + backward
    return total


def _input_gradient_macs(node: Node, types: Types) -> int:
    try:
        return node.op.input_gradient_macs(types, node.type)
    except OpError as error:
        raise refused(error, node) from error


def _depth(graph: Graph, costs: tuple[OpCost, ...]) -> int:
    depths: list[int] = []
    for node, own in zip(graph.nodes, costs, strict=True):
        before = max([depths[i] for i in node.inputs], default=0)
        depths.append(before + 1 if own.is_layer else before)
    return max((depths[output.node] for output in graph.outputs if not output.auxiliary), default=0)
