"""What torch allocates and keeps while it computes a network, in numbers alone: no element is ever made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Literal, NamedTuple

from archdsl.ops.memory.strides import Sizes, Strided, contiguous, of_copy, of_pointwise

Device = Literal["cpu", "cuda"]


class Storage:
    """A piece of memory: its size in bytes, the node that made it, and the nodes that keep it for their backward."""

    __slots__ = ("bytes", "holders", "kept_by", "node")

    def __init__(self, size: int, node: int) -> None:
        self.bytes = size
        self.node = node
        self.kept_by: list[int] = []
        self.holders = 0
        """How many of the network's tensors lie in it."""


class Tensor(NamedTuple):
    """A tensor without its elements, batch included; views share their ``storage``.

    ``grad`` is whether its gradient is computed, as it depends on a parameter.
    """

    sizes: Sizes
    strides: Sizes
    storage: Storage
    grad: bool

    @property
    def place(self) -> Strided:
        return Strided(self.sizes, self.strides)

    def view(self, sizes: Sizes, strides: Sizes) -> Tensor:
        """The same memory, read otherwise."""
        return Tensor(sizes, strides, self.storage, self.grad)


class Tape:
    """Records the memory of one forward pass; the ops say, step by step, what each of them makes and keeps.

    ``training`` is the mode of the modules; ``grad`` whether there will be a backward pass. ``item`` is the size of an
    element in bytes. ``device`` decides where the CPU's and the GPU's functions differ. While an op is asked,
    ``in_place`` is whether it writes its result over its first input.

    What an op makes lives until the op is done unless it drops it before; only its result outlives it. So it has to
    drop what torch's code drops, when that does.
    """

    def __init__(self, item: int, *, training: bool, grad: bool, device: Device = "cpu") -> None:
        self.item = item
        self.training = training
        self.grad = grad
        self.device: Device = device
        self.in_place = False
        self.live = 0
        self.peak = 0
        self.peak_node = 0
        self.node_peak = 0
        self.kept: list[Storage] = []
        self.node = 0
        self.node_start = 0
        self.node_kept = 0
        self._made: list[Storage] = []
        self._dying: list[Tensor | None] = []

    @property
    def statistic_item(self) -> int:
        """Bytes of a mean or variance that a norm keeps: on a GPU they have 32 bits at least."""
        return max(self.item, 4) if self.device == "cuda" else self.item

    @contextmanager
    def elements_of(self, item: int) -> Iterator[None]:
        """What is made meanwhile has elements of ``item`` bytes."""
        before, self.item = self.item, item
        try:
            yield
        finally:
            self.item = before

    def empty(
        self, sizes: Sizes, strides: Sizes | None = None, *, item: int | None = None, grad: bool = False
    ) -> Tensor:
        """A new tensor, contiguous unless it has other strides, of elements of ``item`` bytes."""
        storage = Storage(prod(sizes) * (self.item if item is None else item), self.node)
        self._made.append(storage)
        self.live += storage.bytes
        if self.live > self.node_peak:
            self.node_peak = self.live
        return Tensor(sizes, contiguous(sizes) if strides is None else strides, storage, grad)

    def copy(self, tensor: Tensor) -> Tensor:
        """``clone``: its axes keep their order in memory."""
        return self.empty(tensor.sizes, of_copy(tensor.sizes, tensor.strides), grad=tensor.grad)

    def pointwise(self, *tensors: Tensor, with_number: bool = False) -> Tensor:
        """The result of a pointwise function of tensors that broadcast, and maybe a number."""
        sizes, strides = of_pointwise(tuple([tensor.place for tensor in tensors]), with_number)
        return self.empty(sizes, strides, grad=any(tensor.grad for tensor in tensors))

    def keep(self, tensor: Tensor, when: bool = True) -> None:
        """The tensor's memory is kept for the backward pass, if there is one."""
        if when and self.grad:
            if not tensor.storage.kept_by:
                self.kept.append(tensor.storage)
            if self.node not in tensor.storage.kept_by[-1:]:
                tensor.storage.kept_by.append(self.node)

    def drop(self, *tensors: Tensor) -> None:
        """These are not needed any more: what the op itself made of them is free. Others need them still."""
        for tensor in tensors:
            if tensor.storage in self._made:
                self._made.remove(tensor.storage)
                self.live -= tensor.storage.bytes

    def done(self, position: int) -> None:
        """The op's input of this position is not read again, though the op goes on."""
        dying = self._dying[position]
        if dying is not None:
            self._dying[position] = None
            self.release(dying)

    def begin(self, node: int, dying: list[Tensor | None], in_place: bool) -> None:
        """A node is computed next; ``dying`` are those of its inputs, by position, that nothing reads later."""
        self.node, self._dying, self.in_place = node, dying, in_place
        self.node_peak = self.node_start = self.live
        self.node_kept = len(self.kept)

    def end(self, result: Tensor) -> None:
        """The node is done, and its result is held."""
        if self.node_peak > self.peak:
            self.peak, self.peak_node = self.node_peak, self.node
        result.storage.holders += 1
        for storage in self._made:
            if storage is not result.storage:
                self.live -= storage.bytes
        self._made.clear()
        for position in range(len(self._dying)):
            self.done(position)

    def release(self, tensor: Tensor) -> None:
        """One holder fewer; memory that nobody holds is free."""
        tensor.storage.holders -= 1
        if not tensor.storage.holders:
            self.live -= tensor.storage.bytes


class Recipe(NamedTuple):
    """What a node does to memory, for all nodes of the same op on inputs that lie alike."""

    rise: int
    """The most in use at a time, beyond what was in use before."""
    source: int | None
    """The position of the input in whose memory the result lies; None for memory of its own, of ``size`` bytes."""
    size: int
    sizes: Sizes
    strides: Sizes
    grad: bool
    keeps_result: bool
    kept_inputs: tuple[int, ...]
    kept_others: tuple[int, ...]
    """Bytes of each further piece of memory that is made and kept."""

    @classmethod
    def of(cls, tape: Tape, tensors: tuple[Tensor, ...], result: Tensor) -> Recipe:
        """What the tape's node has just done."""
        storage = result.storage
        source = next((i for i, tensor in enumerate(tensors) if tensor.storage is storage), None)
        made = [kept for kept in tape.kept[tape.node_kept :] if kept.node == tape.node]
        return cls(
            rise=tape.node_peak - tape.node_start,
            source=source,
            size=storage.bytes,
            sizes=result.sizes,
            strides=result.strides,
            grad=result.grad,
            keeps_result=source is None and bool(storage.kept_by),
            kept_inputs=tuple([i for i, tensor in enumerate(tensors) if tensor.storage.kept_by[-1:] == [tape.node]]),
            kept_others=tuple([kept.bytes for kept in made if kept is not storage]),
        )

    def followed(self, tape: Tape, tensors: tuple[Tensor, ...]) -> Tensor:
        """The same for another node."""
        storage = Storage(self.size, tape.node) if self.source is None else tensors[self.source].storage
        result = Tensor(self.sizes, self.strides, storage, self.grad)
        tape.node_peak = tape.live + self.rise
        if self.source is None:
            tape.live += self.size
        for position in self.kept_inputs:
            tape.keep(tensors[position])
        tape.keep(result, self.keeps_result)
        for size in self.kept_others:
            other = Storage(size, tape.node)
            other.kept_by.append(tape.node)
            tape.kept.append(other)
        return result
