"""One form for a network, whoever built it, so that two graphs are isomorphic if and only if their forms are equal.

The form is a list of nodes. It is reached from any graph of ops by these rules:

* Ops carry the language's names (``conv``, ``bn``, ...) and all their hyper-parameters as numbers, input channels
  included, a pair for each of height and width. In-place, functional and module calls are the same op.
* ``dwconv`` is a ``conv`` of as many groups as channels; adaptive average pooling to 1x1 is ``global_avgpool``.
* What does nothing in training or evaluation is dropped: ``identity``, ``dropout(p = 0)``, a ``concat`` of one tensor.
* A ``concat`` that feeds a ``concat`` gives way to its own operands.
* The nodes that the output needs stand in the order in which a depth-first walk from the output finishes them,
  following each node's inputs in order. Operands are never reordered: ``a + b`` differs from ``b + a``.

Ops with weights carry the path of their module. Shapes exclude the batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from archdsl.graph import Graph, Node
from archdsl.ops import (
    AdaptiveAvgPoolOp,
    BatchNormOp,
    Conv2dOp,
    DepthwiseConv2dOp,
    LinearOp,
    Op,
)

Argument = bool | int | float | str | None | list[int]
Arguments = dict[str, Argument]

_NO_HYPER_PARAMETERS = frozenset({"init", "bias_init", "multiplier", "sizes", "layout"})
"""How weights start is compared by itself; depthwise multipliers and input sizes show in channels and shapes."""


@dataclass(frozen=True, slots=True)
class CanonicalNode:
    """One op: ``inputs`` are positions of earlier nodes, ``path`` is "" for ops without weights."""

    op: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    path: str = ""
    arguments: Arguments = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """The node as a golden file holds it."""
        fields: dict[str, object] = {"op": self.op, "inputs": list(self.inputs), "shape": list(self.shape)}
        if self.path:
            fields["path"] = self.path
        return fields | self.arguments


def canonical_form(nodes: Mapping[int, CanonicalNode], output: int) -> list[CanonicalNode]:
    """The canonical form of a graph of ops, given by any numbers for its nodes."""
    wiring = {number: _operands(nodes, number) for number in nodes}
    order = _depth_first(wiring, _skip(nodes, output))
    position = {number: place for place, number in enumerate(order)}
    return [replace(nodes[number], inputs=tuple(position[i] for i in wiring[number])) for number in order]


def from_graph(graph: Graph) -> list[CanonicalNode]:
    """The canonical form of an archdsl graph with one output."""
    nodes = {node.id: _from_node(graph, node) for node in graph.nodes}
    (output,) = (output for output in graph.outputs if not output.auxiliary)
    return canonical_form(nodes, output.node)


def _does_nothing(node: CanonicalNode) -> bool:
    return (
        node.op == "identity"
        or (node.op == "dropout" and node.arguments["p"] == 0)
        or (node.op == "concat" and len(node.inputs) == 1)
    )


def _skip(nodes: Mapping[int, CanonicalNode], number: int) -> int:
    """The node whose tensor ``number`` passes on unchanged."""
    while _does_nothing(nodes[number]):
        (number,) = nodes[number].inputs
    return number


def _operands(nodes: Mapping[int, CanonicalNode], number: int) -> list[int]:
    """A node's inputs without what does nothing and without concats of concats."""
    operands: list[int] = []
    pending = [*nodes[number].inputs]
    while pending:
        operand = _skip(nodes, pending.pop(0))
        if nodes[number].op == nodes[operand].op == "concat":
            pending[:0] = nodes[operand].inputs
        else:
            operands.append(operand)
    return operands


def _depth_first(wiring: Mapping[int, Sequence[int]], output: int) -> list[int]:
    """What ``output`` needs, each node after its inputs."""
    order: dict[int, None] = {}
    pending = [(output, False)]
    while pending:
        number, inputs_done = pending.pop()
        if inputs_done:
            order[number] = None
        elif number not in order:
            pending.append((number, True))
            pending.extend((i, False) for i in reversed(wiring[number]))
    return list(order)


def _from_node(graph: Graph, node: Node) -> CanonicalNode:
    types = graph.input_types(node)
    in_channels = types[0].sizes[0] if types else 0
    kind, arguments = _described(node.op, in_channels)
    path = node.module if node.op.parameters(types) else ""
    return CanonicalNode(kind, node.inputs, node.type.sizes, path, arguments)


def _described(op: Op, in_channels: int) -> tuple[str, Arguments]:
    """The canonical name and hyper-parameters of an op on an input of ``in_channels`` channels."""
    arguments = {name: _plain(value) for name, value in op.arguments().items() if name not in _NO_HYPER_PARAMETERS}
    match op:
        case Conv2dOp() | DepthwiseConv2dOp():
            out_channels, groups = op.channels_and_groups(in_channels)
            channels: Arguments = {"in_channels": in_channels, "out_channels": out_channels, "groups": groups}
            return "conv", arguments | channels
        case BatchNormOp():
            return "bn", arguments | {"channels": in_channels}
        case LinearOp():
            return "linear", arguments | {"in_features": in_channels}
        case AdaptiveAvgPoolOp(output_size=(1, 1)):
            return "global_avgpool", {}
        case _:
            return op.kind, arguments


def _plain(value: Argument | tuple[int, ...]) -> Argument:
    return list(value) if isinstance(value, tuple) else value
