"""One forward pass on a tape, node by node, as the built GraphModule computes it."""

from __future__ import annotations

from dataclasses import dataclass

from archdsl.graph.model import Graph, Node, refused
from archdsl.graph.overwriting import overwriting_nodes
from archdsl.ops.contract.base import OpError
from archdsl.ops.contract.shapes import TensorType
from archdsl.ops.memory.tape import Device, Recipe, Tape, Tensor

_FEW_INPUTS = 3
"""Ops on fewer need all their inputs to the end, so that what they do to memory depends on nothing else."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What a pass found, in bytes, by node.

    ``kept`` is what each node made that is kept for the backward pass, ``kept_by`` the nodes that keep it. ``live`` is
    the most in use at a time while the node is computed; ``peak`` the most of all, at ``peak_node``. ``unknown`` are
    the nodes whose ops do not say.
    """

    kept: list[int]
    kept_by: dict[int, set[int]]
    live: list[int]
    peak: int
    peak_node: int
    unknown: tuple[int, ...]


def run(graph: Graph, batch: int, item: int, device: Device, *, training: bool) -> Pass:
    """A pass in training mode with a backward pass after it, or in eval mode without gradients.

    In eval mode an auxiliary branch gets no examples, as in the built module.
    """
    return _Run(graph, batch, Tape(item, training=training, grad=training, device=device)).run()


class _Run:
    def __init__(self, graph: Graph, batch: int, tape: Tape) -> None:
        self._graph = graph
        self._batch = batch
        self._tape = tape
        self._auxiliary = frozenset() if tape.training else graph.auxiliary_nodes()
        self._last = _last_readers(graph, self._auxiliary)
        self._overwriting = overwriting_nodes(graph)
        self._values: list[Tensor] = []
        self._live: list[int] = []
        self._unknown: list[int] = []
        self._recipes: dict[tuple[object, ...], Recipe] = {}

    def run(self) -> Pass:
        # all inputs are there before the first node is computed
        inputs = {node.id: self._input(node) for node in self._graph.inputs}
        for node in self._graph.nodes:
            value = inputs[node.id] if node.id in inputs else self._computed(node)
            self._values.append(value)
            self._live.append(self._tape.live if node.id in inputs else self._tape.node_peak)
            if self._last[node.id] == -1:
                self._tape.release(value)
        return self._found()

    def _input(self, node: Node) -> Tensor:
        tape = self._tape
        tape.begin(node.id, [], False)
        value = tape.empty((self._batch, *node.type.sizes))
        tape.end(value)
        value.storage.holders += 1  # the caller's
        return value

    def _computed(self, node: Node) -> Tensor:
        tape = self._tape
        tensors = tuple([self._read(source, node) for source in node.inputs])
        in_place = node.id in self._overwriting
        tape.begin(node.id, self._dying(node), in_place)
        key = (id(node.op), in_place, *[(tensor.sizes, tensor.strides, tensor.grad) for tensor in tensors])
        recipe = self._recipes.get(key)
        value: Tensor | None
        if recipe is not None:
            value = recipe.followed(tape, tensors)
        else:
            try:
                value = node.op.memory(self._graph.input_types(node), tensors, tape)
            except OpError as error:
                raise refused(error, node) from error
            if len(tensors) < _FEW_INPUTS and value is not None:
                self._recipes[key] = Recipe.of(tape, tensors, value)
        if value is None:
            self._unknown.append(node.id)
            value = tape.empty((self._batch, *node.type.sizes), grad=tape.grad)
        tape.end(value)
        return value

    def _read(self, source: int, reader: Node) -> Tensor:
        """The tensor of ``source`` as ``reader`` sees it: empty where an auxiliary branch begins."""
        if reader.id not in self._auxiliary or source in self._auxiliary:
            return self._values[source]
        return _empty(self._graph.nodes[source].type)

    def _dying(self, node: Node) -> list[Tensor | None]:
        """The inputs by position that nothing reads later, each where the node itself reads it last."""
        dying: list[Tensor | None] = []
        for position, source in enumerate(node.inputs):
            last = self._last[source] == node.id and source not in node.inputs[position + 1 :]
            dying.append(self._values[source] if last else None)
        return dying

    def _found(self) -> Pass:
        kept, kept_by = [0] * len(self._graph.nodes), dict[int, set[int]]()
        for storage in self._tape.kept:
            kept[storage.node] += storage.bytes
            kept_by.setdefault(storage.node, set()).update(storage.kept_by)
        return Pass(kept, kept_by, self._live, self._tape.peak, self._tape.peak_node, tuple(self._unknown))


def _empty(type_: TensorType) -> Tensor:
    return Tape(0, training=False, grad=False).empty((0, *type_.sizes))


def _last_readers(graph: Graph, auxiliary: frozenset[int]) -> list[int]:
    """For each node the last to read what it makes: -1 if none does, the number of nodes if it is an output.

    The auxiliary branches read a tensor from outside once, where the first of them begins.
    """
    last, gates = [-1] * len(graph.nodes), set[int]()
    for node in graph.nodes:
        for source in node.inputs:
            if node.id in auxiliary and source not in auxiliary:
                if source in gates:
                    continue
                gates.add(source)
            last[source] = node.id
    for output in graph.outputs:
        last[output.node] = len(graph.nodes)
    return last
