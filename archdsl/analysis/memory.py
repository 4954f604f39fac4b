"""How much memory a network takes: its weights, what training keeps of each layer, the worst moment of inference."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from archdsl.analysis.memory_run import Pass, run
from archdsl.boundary.choices import known_name
from archdsl.boundary.units import batch_size
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError
from archdsl.graph.model import Graph, Node, refused
from archdsl.ops.contract.base import Op, OpError, ParameterSpec, Types
from archdsl.ops.memory.tape import Device

ITEM_BYTES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}
"""Bytes of an element, by the name of torch's type. Indices and counters stay int64, of 8."""

OPTIMIZERS = {
    "sgd": (0, 0), "momentum": (1, 0), "adam": (2, 4), "adamw": (2, 4), "rmsprop": (1, 4), "adagrad": (1, 4)
}  # fmt: skip
"""What torch.optim's holds: numbers for each element of a parameter, and bytes for each parameter (its step).

``momentum`` is SGD with momentum; each is as its other arguments leave it.
"""

DEVICES: tuple[Device, ...] = ("cpu", "cuda")


class NodeMemory(NamedTuple):
    """One node's share, in bytes.

    ``parameters`` and ``buffers`` are its own, at their first use. ``kept`` is what it made that training keeps until
    the backward pass, and ``kept_by`` the ids of the nodes that need it there (an activation in place lies in the
    memory of the node before it). ``live`` is the most that is in use at a time in inference while it is computed,
    weights apart. Both are None where an op of the user's own does not say.
    """

    parameters: int
    buffers: int
    kept: int | None
    kept_by: tuple[int, ...]
    live: int | None


@dataclass(frozen=True, slots=True)
class Memory:
    """A network's memory for one batch, in bytes. ``nodes`` holds each node's share, by id.

    ``parameters`` and ``buffers`` are the module's own, shared weights once, constants outside the state_dict included.
    ``gradients`` and ``optimizer_state`` are there from the first step on.

    ``activations`` is what the forward pass of training keeps for the backward pass, each piece of memory once: byte
    for byte what ``torch.autograd.graph.saved_tensors_hooks`` sees on the CPU, but for the module's own parameters and
    buffers. The batch itself is among it where a layer with weights reads it, as its gradient is computed from it.
    ``concatenations`` is the part of it that concatenations made, which grows with the square of a DenseNet's depth.

    ``inference_peak`` is the most that is in use at a time in eval mode without gradients, weights apart: the batch,
    which the caller holds, what later nodes still read, what the node at work makes on its way. ``peak_node`` is where.
    It counts tensors; what a kernel takes for itself (cuDNN's workspaces, the fused attention of
    nn.MultiheadAttention in eval mode) only torch's libraries know.

    For ``device="cuda"`` the rules differ where torch's functions do: dropout keeps a byte for each element, norms
    their statistics in 32 bits at least. They are read from torch's sources and await a comparison on a GPU. What
    cuDNN's batch norm reserves is left out, and so is what an allocator rounds up.

    ``unknown`` are the nodes of ops of the user's own that do not say what they take; then ``activations``,
    ``concatenations``, ``inference_peak`` and what is computed from them are None.
    """

    batch: int
    dtype: str
    device: Device
    optimizer: str
    is_training: bool
    parameters: int
    buffers: int
    gradients: int
    optimizer_state: int
    activations: int | None
    concatenations: int | None
    inference_peak: int | None
    peak_node: int | None
    unknown: tuple[int, ...]
    nodes: tuple[NodeMemory, ...] = field(repr=False)

    @property
    def training(self) -> int | None:
        """All that is there when the forward pass of a training step ends, from the second step on.

        A lower bound of what the step needs, as the backward pass makes gradients of activations while it frees these.
        """
        if self.activations is None:
            return None
        return self.parameters + self.buffers + self.gradients + self.optimizer_state + self.activations

    @property
    def inference(self) -> int | None:
        """The weights and the worst moment of inference."""
        return None if self.inference_peak is None else self.parameters + self.buffers + self.inference_peak

    @property
    def total(self) -> int | None:
        """``training`` or ``inference``, as was asked for."""
        return self.training if self.is_training else self.inference


def check_settings(batch: object, dtype: str, optimizer: str, device: str) -> None:
    """Raises ArchError E801 for what a memory cannot be for."""
    batch_size(batch)
    known_name(dtype, ITEM_BYTES, "type of numbers")
    known_name(optimizer, OPTIMIZERS, "optimiser")
    known_name(device, DEVICES, "device")


def memory(
    graph: Graph,
    *,
    batch: int = 1,
    dtype: str = "float32",
    training: bool = True,
    optimizer: str = "sgd",
    device: str = "cpu",
) -> Memory:
    """The memory of a network for ``batch`` examples, in time linear in its nodes.

    ``dtype`` is that of weights and activations alike. Without ``training`` there are no gradients, optimiser's state
    or kept activations. Raises ArchError E801 for a batch below 1 and for names that are not in ``ITEM_BYTES``,
    ``OPTIMIZERS`` and ``DEVICES``.
    """
    check_settings(batch, dtype, optimizer, device)
    item, (copies, step) = ITEM_BYTES[dtype], OPTIMIZERS[optimizer]
    place: Device = "cuda" if device == "cuda" else "cpu"
    weights = list(_weights(graph, item))
    parameters, tensors = sum(own.parameters for own in weights), sum(own.tensors for own in weights)
    inference = run(graph, batch, item, place, training=False)
    forward = run(graph, batch, item, place, training=True) if training else None
    unknown = inference.unknown
    return Memory(
        batch=batch,
        dtype=dtype,
        device=place,
        optimizer=optimizer,
        is_training=training,
        parameters=parameters,
        buffers=sum(own.buffers for own in weights),
        gradients=parameters if training else 0,
        optimizer_state=copies * parameters + step * tensors if training else 0,
        activations=None if unknown else sum(forward.kept) if forward else 0,
        concatenations=None if unknown else _of_kind(graph, forward, "concat"),
        inference_peak=None if unknown else inference.peak,
        peak_node=None if unknown else inference.peak_node,
        unknown=unknown,
        nodes=tuple(_shares(weights, inference, forward)),
    )


MOST_EXAMPLES = 2**62
"""A batch larger than torch can count the elements of."""


def largest_batch(
    graph: Graph,
    budget: int,
    *,
    dtype: str = "float32",
    training: bool = True,
    optimizer: str = "sgd",
    device: str = "cpu",
) -> int:
    """The most examples whose ``total`` is within ``budget`` bytes.

    Raises ArchError E801 as ``memory`` does, E802 where none fits, where every one does, and where an op does not say
    what it takes.
    """

    def total(batch: int) -> int:
        found = memory(graph, batch=batch, dtype=dtype, training=training, optimizer=optimizer, device=device)
        if found.total is None:
            raise _unknown(graph.nodes[found.unknown[0]])
        return found.total

    if total(1) > budget:
        message = f"one example takes {total(1):,} bytes, and {budget:,} are given"
        hint = "a smaller input, another `dtype` or another optimiser takes less"
        raise ArchError(Diagnostic("E802", message, help=hint))
    if total(MOST_EXAMPLES) <= budget:
        message = f"{total(1):,} bytes are taken whatever the batch is: every batch fits"
        raise ArchError(Diagnostic("E802", message, help="nothing here is kept for training, as nothing is trained"))
    return _largest(total, budget)


def _largest(total: Callable[[int], int], budget: int) -> int:
    """The largest batch within the budget; batches from 2 on take the same for each example, or nearly so."""
    slope = max(total(3) - total(2), 1)
    fits, excess = 1, max(2 + (budget - total(2)) // slope, 1) + 1
    while total(excess) <= budget:
        fits, excess = excess, 2 * excess
    if excess - 1 > fits and total(excess - 1) <= budget:
        return excess - 1
    while excess - fits > 1:
        middle = (fits + excess) // 2
        fits, excess = (middle, excess) if total(middle) <= budget else (fits, middle)
    return fits


class _Weights(NamedTuple):
    """Bytes of a node's parameters and buffers, and how many parameters it has."""

    parameters: int
    buffers: int
    tensors: int


def _weights(graph: Graph, item: int) -> Iterable[_Weights]:
    """Each node's; equal ops on equal types are asked once."""
    known: dict[tuple[int, Types], _Weights] = {}
    for node in graph.nodes:
        types = graph.input_types(node)
        key = (id(node.op), types)
        if key not in known:
            try:
                known[key] = _op_weights(node.op, types, item)
            except OpError as error:
                raise refused(error, node) from error
        yield known[key] if node.module == node.path else _Weights(0, 0, 0)


def _op_weights(op: Op, types: Types, item: int) -> _Weights:
    parameters = op.parameters(types)
    buffers = [*op.buffers(types).values(), *op.constants(types).values()]
    return _Weights(_bytes(parameters.values(), item), _bytes(buffers, item), len(parameters))


def _bytes(specs: Iterable[ParameterSpec], item: int) -> int:
    return sum([spec.elements * (8 if spec.dtype == "int64" else item) for spec in specs])


def _shares(weights: list[_Weights], inference: Pass, forward: Pass | None) -> Iterable[NodeMemory]:
    unknown = set(inference.unknown)
    for i, own in enumerate(weights):
        kept = forward.kept[i] if forward else 0
        kept_by = tuple(sorted(forward.kept_by[i])) if forward and i in forward.kept_by else ()
        known = i not in unknown
        yield NodeMemory(
            own.parameters, own.buffers, kept if known else None, kept_by, inference.live[i] if known else None
        )


def _of_kind(graph: Graph, forward: Pass | None, kind: str) -> int:
    return sum(forward.kept[node.id] for node in graph.nodes if node.op.kind == kind) if forward else 0


def _unknown(node: Node) -> ArchError:
    message = f"`{node.op.kind}` does not say what memory it takes, so no batch is known to fit"
    hint = f"give its class a method `memory`: {node.path} is one"
    return ArchError(Diagnostic("E802", message, node.span, help=hint))
