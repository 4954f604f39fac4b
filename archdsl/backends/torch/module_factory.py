"""Torch modules from calls: made without drawing weights that are drawn again or loaded anyway."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache, partial
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from archdsl.backends import layers
from archdsl.backends.call_targets import resolve
from archdsl.backends.torch.initialisation import WITH_LARGE_WEIGHTS
from archdsl.backends.torch_private import OWN_BY_EACH, own_attributes, own_buffers, own_parameters
from archdsl.ops.contract.base import Op, OpError, ParameterSpec, Types
from archdsl.ops.contract.shapes import format_sizes
from archdsl.ops.contract.torch_call import ModuleCall


class ModuleFactory:
    """Makes modules on one device: each kind once by its constructor, the others as copies, which are fast.

    Large weights are left as the memory was; all else has the values that the constructor gives.
    """

    def __init__(self, device: torch.device, dtype: torch.dtype | None) -> None:
        self._device = device
        self._dtype = dtype
        self._prototypes: dict[tuple[Any, ...], _Prototype] = {}

    def maker(self, op: Op, call: ModuleCall, specs: Mapping[str, ParameterSpec]) -> Callable[[], nn.Module]:
        """What makes modules of the op's ``call``, whose parameters and buffers have the shapes in ``specs``."""
        if any("." in name for name in specs):
            # no prototype, as copies would share submodules; the op says how each parameter starts
            return lambda: self._with_submodules(call)
        names = op.size_attributes
        sizes = dict(zip(names, call.args, strict=False))
        rest = call.kwargs
        if names and "groups" in rest:
            sizes["groups"] = rest["groups"]
            rest = {name: value for name, value in rest.items() if name != "groups"}
        key = (call.target, call.args[len(names) :], *rest.items())
        prototype = self._prototypes.get(key)
        if prototype is None:
            prototype = self._prototypes[key] = _Prototype(self._constructed(call), self._device)
        return partial(prototype.copy, sizes, specs)

    def _with_submodules(self, call: ModuleCall) -> nn.Module:
        with torch.device("meta"):  # where drawing costs nothing and takes no random numbers
            module: nn.Module = resolve(call.target)(*call.args, **call.kwargs)
        module = module.to(self._dtype).to_empty(device=self._device)
        if isinstance(module, layers.RelativePositions):
            module.reset_buffers()
        return module

    def of_the_user(self, op: Op, call: ModuleCall, types: Types) -> nn.Module:
        """The module of an op of the user's own, made anew each time. Raises OpError E702."""
        try:
            with torch.device(self._device):
                module: object = resolve(call.target)(*call.args, **call.kwargs)
            if not isinstance(module, nn.Module):
                raise TypeError(f"it makes a {type(module).__name__}, which is no nn.Module")
            parameters = {name: value.shape for name, value in module.named_parameters(remove_duplicate=False)}
            buffers = {name: value.shape for name, value in module.state_dict().items() if name not in parameters}
            made = module.to(self._device, self._dtype)
        except Exception as error:
            message = f"`{call.target}` of `{op.kind}` cannot be made: {type(error).__name__}: {error}"
            raise OpError("E702", message) from error
        _require_promised(op, call, "parameters", parameters, op.parameters(types))
        _require_promised(op, call, "buffers", buffers, op.buffers(types))
        return made

    def _constructed(self, call: ModuleCall) -> nn.Module:
        module_class: type[nn.Module] = resolve(call.target)
        if not _takes_device(call.target):
            module = module_class(*call.args, **call.kwargs)
            has_tensors = any(True for _ in chain(module.parameters(), module.buffers()))
            return module.to(self._device, self._dtype) if has_tensors else module
        arguments = {**call.kwargs, "device": self._device, "dtype": self._dtype}
        if not issubclass(module_class, WITH_LARGE_WEIGHTS):
            return module_class(*call.args, **arguments)
        # a prototype's weights are never read
        module = _undrawn(call.target)(*call.args, **{**arguments, "device": "meta"})
        module.__class__ = module_class
        return module


def _require_promised(
    op: Op, call: ModuleCall, what: str, found: Mapping[str, tuple[int, ...]], said: Mapping[str, ParameterSpec]
) -> None:
    promised = {name: spec.shape for name, spec in said.items()}
    if [*found.items()] != [*promised.items()]:
        gave = f"`{what}` of `{op.kind}` gave {_named_shapes(promised)}"
        raise OpError("E702", f"{gave}, but `{call.target}` has {_named_shapes(found)}")


def _named_shapes(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {format_sizes(shape) or '()'}" for name, shape in shapes.items()) or "none"


@cache
def _takes_device(target: str) -> bool:
    return "device" in inspect.signature(resolve(target)).parameters


@cache
def _undrawn(target: str) -> type[nn.Module]:
    """The class with a constructor that draws nothing; instances get their own class back afterwards."""
    return type("Undrawn", (resolve(target),), {"reset_parameters": lambda self: None})


class _Prototype:
    """A module of which copies are made; it has no submodules."""

    def __init__(self, module: nn.Module, device: torch.device) -> None:
        attributes = own_attributes(module)
        large = isinstance(module, WITH_LARGE_WEIGHTS)
        self._class = type(module)
        self._plain = {name: value for name, value in attributes.items() if type(value) not in OWN_BY_EACH}
        self._copied = [(name, value) for name, value in attributes.items() if type(value) in OWN_BY_EACH]
        self._parameters = [(name, _like(value, large, device)) for name, value in module.named_parameters()]
        self._buffers = [(n, tuple(value.shape), _like(value, False, device)) for n, value in module.named_buffers()]

    def copy(self, sizes: Mapping[str, int], specs: Mapping[str, ParameterSpec]) -> nn.Module:
        """A module like the prototype but for its sizes."""
        copy = self._class.__new__(self._class)
        own = own_attributes(copy)
        own.update(self._plain)
        own.update(sizes)
        for name, value in self._copied:
            own[name] = value.copy()
        parameters, buffers = own_parameters(copy), own_buffers(copy)
        for name, fresh in self._parameters:
            parameters[name] = nn.Parameter(fresh(specs[name].shape))
        for name, shape, fresh in self._buffers:
            buffers[name] = fresh(specs[name].shape if name in specs else shape)
        return copy


def _like(tensor: Tensor, large: bool, device: torch.device) -> Callable[[tuple[int, ...]], Tensor]:
    """Makes tensors of a given shape: as the memory was if large, else with the tensor's values.

    A tensor of several values keeps its shape.
    """
    place: dict[str, Any] = {"dtype": tensor.dtype, "device": device}
    if large:
        return lambda shape: torch.empty(shape, **place)
    values = set(tensor.flatten().tolist()) if tensor.device.type != "meta" else {0}
    if len(values) > 1:
        return lambda shape: tensor.clone()
    filled = cache(partial(torch.full, fill_value=values.pop(), **place))
    return lambda shape: filled(shape).clone()  # faster than to fill each
