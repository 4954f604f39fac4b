"""One form for a network, whoever built it, so that two graphs are isomorphic if and only if their forms are equal.

The form is a list of nodes. It is reached from any graph of ops by these rules:

* Ops carry the language's names (``conv``, ``bn``, ...) and all their hyper-parameters as numbers, input channels
  included, a pair for each of height and width. In-place, functional and module calls, and methods, are the same op.
* ``dwconv`` is a ``conv`` of as many groups as channels; adaptive average pooling to 1x1 is ``global_avgpool``.
* What is made of other ops stands as those: ``channels_last``, ``channels_first`` and a transposition are a
  ``permute``; ``ln2d`` is ``permute``, ``ln``, ``permute``; ``channel_shuffle`` is ``reshape``, ``permute``,
  ``reshape``; a mean over height and width is ``global_avgpool``, ``flatten``. A view is a ``reshape``, and a reshape
  to one axis is ``flatten``.
* What does nothing in training or evaluation is dropped: ``identity``, ``dropout`` and ``drop_path`` with p = 0, a
  ``concat`` of one tensor; so is a copy to contiguous memory.
* A ``concat`` that feeds a ``concat`` gives way to its own operands.
* The nodes that the output needs stand in the order in which a depth-first walk from the output finishes them,
  following each node's inputs in order. Operands are never reordered: ``a + b`` differs from ``b + a``.

Ops with weights carry the path of their module, or of their parameter if they have no module. Shapes and axes exclude
the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from archdsl.graph.model import Graph, Node
from archdsl.ops.contract.base import Op
from archdsl.ops.conv import Conv2dOp, DepthwiseConv2dOp
from archdsl.ops.linear import LinearOp
from archdsl.ops.norm import BatchNormOp, LayerNorm2dOp, ScaleOp
from archdsl.ops.pooling import AdaptiveAvgPoolOp
from archdsl.ops.reshape import ChannelsFirstOp, ChannelsLastOp, PermuteOp, ReshapeOp
from archdsl.ops.slicing import ChannelShuffleOp

FormArgument = bool | int | float | str | None | list[int]
FormArguments = dict[str, FormArgument]

_NO_HYPER_PARAMETERS = frozenset({"init", "bias_init", "multiplier", "sizes", "layout"})
"""How weights start is compared by itself; depthwise multipliers and input sizes show in channels and shapes."""

CHANNELS_LAST, CHANNELS_FIRST = (1, 2, 0), (2, 0, 1)
"""The axes of ``C x H x W`` as ``H x W x C``, and back."""


@dataclass(frozen=True, slots=True)
class CanonicalNode:
    """One op: ``inputs`` are positions of earlier nodes, ``path`` is "" for ops without weights."""

    op: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    path: str = ""
    arguments: FormArguments = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """The node as a golden file holds it."""
        fields: dict[str, object] = {"op": self.op, "inputs": list(self.inputs), "shape": list(self.shape)}
        if self.path:
            fields["path"] = self.path
        return fields | self.arguments


class FormDraft:
    """A graph of ops on its way to the form: methods add ops, mostly on node ``x``, and give the result's number."""

    def __init__(self) -> None:
        self.nodes: list[CanonicalNode] = []

    def add(self, node: CanonicalNode) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1

    def permute(self, x: int, axes: Sequence[int]) -> int:
        shape = tuple(self.nodes[x].shape[axis] for axis in axes)
        return self.add(CanonicalNode("permute", (x,), shape, arguments={"axes": list(axes)}))

    def reshape(self, x: int, sizes: Sequence[int]) -> int:
        return self.add(CanonicalNode("flatten" if len(sizes) == 1 else "reshape", (x,), tuple(sizes)))

    def channel_shuffle(self, x: int, groups: int) -> int:
        channels, *image = self.nodes[x].shape
        grouped = self.reshape(x, (groups, channels // groups, *image))
        return self.reshape(self.permute(grouped, (1, 0, 2, 3)), (channels, *image))

    def layer_norm(self, x: int, path: str, arguments: FormArguments) -> int:
        return self.add(CanonicalNode("ln", (x,), self.nodes[x].shape, path, arguments))

    def spatial_mean(self, x: int) -> int:
        channels = self.nodes[x].shape[0]
        return self.reshape(self.add(CanonicalNode("global_avgpool", (x,), (channels, 1, 1))), (channels,))

    def form(self, output: int) -> list[CanonicalNode]:
        """The canonical form of what node ``output`` needs."""
        wiring = [self._operands(number) for number in range(len(self.nodes))]
        order = _depth_first(wiring, self._skip(output))
        position = {number: place for place, number in enumerate(order)}
        return [replace(self.nodes[number], inputs=tuple(position[i] for i in wiring[number])) for number in order]

    def _skip(self, number: int) -> int:
        """The node whose tensor ``number`` passes on unchanged."""
        while _does_nothing(self.nodes[number]):
            (number,) = self.nodes[number].inputs
        return number

    def _operands(self, number: int) -> list[int]:
        """A node's inputs without what does nothing and without concats of concats."""
        operands: list[int] = []
        pending = [*self.nodes[number].inputs]
        while pending:
            operand = self._skip(pending.pop(0))
            if self.nodes[number].op == self.nodes[operand].op == "concat":
                pending[:0] = self.nodes[operand].inputs
            else:
                operands.append(operand)
        return operands


def canonical_form(graph: Graph) -> list[CanonicalNode]:
    """The canonical form of an archdsl graph with one output."""
    draft = FormDraft()
    numbers: dict[int, int] = {}
    for node in graph.nodes:
        numbers[node.id] = _add_node(draft, graph, node, tuple(numbers[i] for i in node.inputs))
    (output,) = (output for output in graph.outputs if not output.auxiliary)
    return draft.form(numbers[output.node])


def _does_nothing(node: CanonicalNode) -> bool:
    return (
        node.op == "identity"
        or (node.op in ("dropout", "drop_path") and node.arguments["p"] == 0)
        or (node.op == "concat" and len(node.inputs) == 1)
    )


def _depth_first(wiring: Sequence[Sequence[int]], output: int) -> list[int]:
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


def _add_node(draft: FormDraft, graph: Graph, node: Node, inputs: tuple[int, ...]) -> int:
    types = graph.input_types(node)
    path = node.module if node.op.parameters(types) else ""
    match node.op:
        case ChannelsLastOp() | ChannelsFirstOp() | PermuteOp() as op:
            return draft.permute(inputs[0], _axes(op, len(node.type.sizes)))
        case ReshapeOp():
            return draft.reshape(inputs[0], node.type.sizes)
        case ChannelShuffleOp(groups=groups):
            return draft.channel_shuffle(inputs[0], groups)
        case LayerNorm2dOp(eps=eps):
            last = draft.permute(inputs[0], CHANNELS_LAST)
            norm = draft.layer_norm(last, path, {"eps": eps, "affine": True, "bias": True})
            return draft.permute(norm, CHANNELS_FIRST)
        case op:
            kind, arguments = _described(op, types[0].sizes if types else ())
            return draft.add(CanonicalNode(kind, inputs, node.type.sizes, path, arguments))


def _axes(op: ChannelsLastOp | ChannelsFirstOp | PermuteOp, rank: int) -> tuple[int, ...]:
    if isinstance(op, PermuteOp):
        return op.axes
    axes = range(rank)
    return (*axes[1:], 0) if isinstance(op, ChannelsLastOp) else (axes[-1], *axes[:-1])


def _described(op: Op, sizes: tuple[int, ...]) -> tuple[str, FormArguments]:
    """The canonical name and hyper-parameters of an op on an input of these sizes."""
    arguments = {name: _plain(value) for name, value in op.arguments().items() if name not in _NO_HYPER_PARAMETERS}
    match op:
        case Conv2dOp() | DepthwiseConv2dOp():
            out_channels, groups = op.channels_and_groups(sizes[0])
            channels: FormArguments = {"in_channels": sizes[0], "out_channels": out_channels, "groups": groups}
            return "conv", arguments | channels
        case BatchNormOp():
            return "bn", arguments | {"channels": sizes[0]}
        case LinearOp():
            return "linear", arguments | {"in_features": sizes[-1]}
        case AdaptiveAvgPoolOp(output_size=(1, 1)):
            return "global_avgpool", {}
        case ScaleOp():
            return "scale", {}  # its value is how it starts
        case _:
            return op.kind, arguments


def _plain(value: FormArgument | tuple[int, ...]) -> FormArgument:
    return list(value) if isinstance(value, tuple) else value
