"""What torch itself says of memory: tensors saved for a backward pass, and storages alive during a forward pass."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from typing_extensions import override


def own_storages(module: nn.Module) -> set[int]:
    """Addresses of the memory of a module's parameters and buffers."""
    tensors = [*module.parameters(), *module.buffers()]
    return {tensor.untyped_storage().data_ptr() for tensor in tensors}


def saved_bytes(module: nn.Module, inputs: Sequence[Tensor]) -> int:
    """Bytes of memory, each piece once, that a training forward keeps for the backward pass, weights apart."""
    own = own_storages(module)
    seen: dict[int, int] = {}
    alive: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.nbytes() and storage.data_ptr() not in own:
            seen[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor.detach())  # so that no other tensor comes to lie there
        return tensor.detach()  # a result that its own node saved would keep that node, and so itself, for ever

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        outputs = module.train()(*inputs)
    del outputs
    return sum(seen.values())


class LiveStorages(TorchDispatchMode):
    """Adds up the memory that is in use, from the making of each storage to its end."""

    def __init__(self, module: nn.Module, inputs: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._known: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        self._own = own_storages(module)
        self.live = self.peak = 0
        for tensor in inputs:
            self._count(tensor)

    @override
    def __torch_dispatch__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._count(leaf)
        return result

    def _count(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage in self._known or storage.data_ptr() in self._own:
            return
        size = self._known[storage] = storage.nbytes()
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._end, size)

    def _end(self, size: int) -> None:
        self.live -= size


def inference_peak(module: nn.Module, inputs: Sequence[Tensor]) -> int:
    """The most bytes in use at a time in eval mode without gradients, the inputs included, weights apart."""
    module.eval()
    with collection_off(), torch.no_grad(), LiveStorages(module, inputs) as mode:
        outputs = module(*inputs)
        del outputs
    peak: int = mode.peak
    return peak


@contextmanager
def collection_off() -> Iterator[None]:
    """Memory is free when its last reference goes, and never because cycles were looked for."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def optimizer_bytes(module: nn.Module, make: Callable[[Any], torch.optim.Optimizer]) -> int:
    """Bytes of what an optimiser holds after a step."""
    optimizer = make(module.parameters())
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    leaves = [leaf for state in optimizer.state.values() for leaf in tree_leaves(state)]
    return sum(leaf.untyped_storage().nbytes() for leaf in leaves if isinstance(leaf, Tensor))
