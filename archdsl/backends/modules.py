"""Torch modules from calls: made without drawing weights that are drawn again or loaded anyway."""

from __future__ import annotations

import inspect
import operator
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from importlib import import_module
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from archdsl import layers
from archdsl.backends.torch_calls import ModuleCall
from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.ops.base import ParameterSpec
from archdsl.ops.init import Initializer
from archdsl.shapes import format_sizes

_LIBRARIES: dict[str, Any] = {
    "nn": nn, "F": nn.functional, "torch": torch, "operator": operator, "layers": layers
}  # fmt: skip
_WITH_LARGE_WEIGHTS = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
"""Modules whose constructor's own draws cost time. The others' defaults (ones, zeros) are cheap and kept."""
_SIZES = {
    "nn.Conv1d": ("in_channels", "out_channels"),
    "nn.Conv2d": ("in_channels", "out_channels"),
    "nn.Linear": ("in_features", "out_features"),
    "nn.BatchNorm1d": ("num_features",),
    "nn.BatchNorm2d": ("num_features",),
}
"""Attributes that hold the first arguments; with ``groups`` and the shapes of the parameters, all that depends on
channels."""
_WITH_SUBMODULES = frozenset(
    {"layers.SelfAttention", "layers.WindowAttention", "layers.CosineWindowAttention", "layers.RelativeAttention"}
)
"""Modules that are no prototypes, as copies would share submodules. Their ops say how each parameter starts."""
_COPIED = (dict, set, OrderedDict)
"""Types of attributes that modules must not share: parameters, buffers, hooks."""


@cache
def resolve(target: str) -> Any:
    """What a call's target names: ``nn.Conv2d``, ``torch.add``, ``my_ops:GlobalResponseNorm``, ..."""
    if ":" in target:
        return _of_other_module(target)
    library, name = target.split(".")
    return getattr(_LIBRARIES[library], name)


def _of_other_module(target: str) -> Any:
    module, _, name = target.partition(":")
    try:
        return getattr(import_module(module), name)
    except Exception as error:
        message = f"an op's `{target}` cannot be had: {type(error).__name__}: {error}"
        raise ArchError(Diagnostic("E702", message)) from error


class ModuleFactory:
    """Makes modules on one device: each kind once by its constructor, the others as copies, which are fast.

    Large weights are left as the memory was; all else has the values that the constructor gives.
    """

    def __init__(self, device: torch.device, dtype: torch.dtype | None) -> None:
        self._device = device
        self._dtype = dtype
        self._prototypes: dict[tuple[Any, ...], _Prototype] = {}

    def maker(self, call: ModuleCall, specs: Mapping[str, ParameterSpec]) -> Callable[[], nn.Module]:
        """What makes modules of ``call``, whose parameters and buffers have the shapes in ``specs``."""
        if call.target in _WITH_SUBMODULES:
            return lambda: self._with_submodules(call)
        if ":" in call.target:
            return lambda: self._of_the_user(call, specs)
        names = _SIZES.get(call.target, ())
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

    def _of_the_user(self, call: ModuleCall, specs: Mapping[str, ParameterSpec]) -> nn.Module:
        module_class = resolve(call.target)
        try:
            with torch.device(self._device):
                module: nn.Module = module_class(*call.args, **call.kwargs)
        except Exception as error:
            message = f"`{call.target}` cannot be made: {type(error).__name__}: {error}"
            raise ArchError(Diagnostic("E702", message)) from error
        found = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
        promised = {name: spec.shape for name, spec in specs.items()}
        if list(found.items()) != list(promised.items()):
            message = f"`{call.target}` holds {_listed(found)}, but its op says {_listed(promised)}"
            raise ArchError(Diagnostic("E702", message))
        return module.to(self._device, self._dtype)

    def _constructed(self, call: ModuleCall) -> nn.Module:
        module_class: type[nn.Module] = resolve(call.target)
        if not _takes_device(call.target):
            module = module_class(*call.args, **call.kwargs)
            has_tensors = any(True for _ in chain(module.parameters(), module.buffers()))
            return module.to(self._device, self._dtype) if has_tensors else module
        arguments = {**call.kwargs, "device": self._device, "dtype": self._dtype}
        if not issubclass(module_class, _WITH_LARGE_WEIGHTS):
            return module_class(*call.args, **arguments)
        # a prototype's weights are never read
        module = _undrawn(call.target)(*call.args, **{**arguments, "device": "meta"})
        module.__class__ = module_class
        return module


def _listed(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {format_sizes(shape)}" for name, shape in shapes.items()) or "nothing"


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
        attributes = module.__dict__
        large = isinstance(module, _WITH_LARGE_WEIGHTS)
        self._class = type(module)
        self._plain = {name: value for name, value in attributes.items() if type(value) not in _COPIED}
        self._copied = [(name, value) for name, value in attributes.items() if type(value) in _COPIED]
        self._parameters = [(name, _like(value, large, device)) for name, value in module.named_parameters()]
        self._buffers = [(n, tuple(value.shape), _like(value, False, device)) for n, value in module.named_buffers()]

    def copy(self, sizes: Mapping[str, int], specs: Mapping[str, ParameterSpec]) -> nn.Module:
        """A module like the prototype but for its sizes."""
        copy = self._class.__new__(self._class)
        own = copy.__dict__
        own.update(self._plain)
        own.update(sizes)
        for name, value in self._copied:
            own[name] = value.copy()
        for name, fresh in self._parameters:
            own["_parameters"][name] = nn.Parameter(fresh(specs[name].shape))
        for name, shape, fresh in self._buffers:
            own["_buffers"][name] = fresh(specs[name].shape if name in specs else shape)
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


def initialise(module: nn.Module, specs: Mapping[str, ParameterSpec]) -> None:
    """Start each parameter once: as its spec says, else as the module's own ``reset_parameters`` does."""
    inits = {name: spec.init for name, spec in specs.items() if spec.init is not None}
    if len(inits) < len(specs) and isinstance(module, _WITH_LARGE_WEIGHTS):
        if inits:
            _reset_parameters_without(module, inits)
        else:
            module.reset_parameters()
    for name, init in inits.items():
        start(module.get_parameter(name), init)


def start(parameter: Tensor, initializer: Initializer) -> None:
    """Fill by torch's function of the initialiser's name."""
    getattr(nn.init, f"{initializer.kind}_")(parameter, **_init_arguments(initializer))


def _init_arguments(initializer: Initializer) -> dict[str, Any]:
    arguments = initializer.arguments()
    return {"val": arguments["value"]} if initializer.kind == "constant" else arguments


def _reset_parameters_without(module: nn.Module, names: Iterable[str]) -> None:
    """``module.reset_parameters()``, with stand-ins on meta for parameters that get another start.

    The stand-ins have their shapes (a bias's default depends on its weight's), cost nothing and
    take no random numbers.
    """
    own = dict(module._parameters)
    for name in names:
        parameter = own[name]
        if parameter is not None:
            module._parameters[name] = nn.Parameter(torch.empty(parameter.shape, device="meta"))
    try:
        module.reset_parameters()  # type: ignore[operator]
    finally:
        module._parameters.update(own)
