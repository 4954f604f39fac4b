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

from archdsl.backends.torch import layers
from archdsl.graph.model import Node, refused
from archdsl.ops.contract.base import Op, OpError, ParameterSpec, Types
from archdsl.ops.contract.init import Initializer
from archdsl.ops.contract.shapes import format_sizes
from archdsl.ops.contract.torch_call import FoldCall, FunctionCall, ModuleCall, TorchCall, parts, torch_call

_LIBRARIES: dict[str, Any] = {
    "nn": nn, "F": nn.functional, "torch": torch, "operator": operator, "layers": layers, "Tensor": Tensor
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
        module, _, name = target.partition(":")
        return getattr(import_module(module), name)
    library, _, name = target.partition(".")
    return operator.attrgetter(name)(_LIBRARIES[library])


def call_of(node: Node, types: Types, *, in_place: bool = False) -> TorchCall:
    """The node's call. Raises ArchError E702 for an op of the user's own whose call names what is not there."""
    try:
        call = torch_call(node.op, types, in_place=in_place)
        if node.op.is_user_op:
            for part in parts(call):
                if isinstance(part, ModuleCall | FunctionCall | FoldCall):
                    _check_target(node.op, part)
    except OpError as error:
        raise refused(error, node) from error
    return call


def _check_target(op: Op, call: TorchCall) -> None:
    try:
        found = resolve(call.target)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise OpError(
            "E702", f"`torch_call` of `{op.kind}` gave `{call.target}`, which cannot be had: {why}"
        ) from error
    is_module = isinstance(found, type) and issubclass(found, nn.Module)
    if not callable(found):
        raise OpError("E702", f"`torch_call` of `{op.kind}` gave `{call.target}`, which cannot be called")
    if is_module and not isinstance(call, ModuleCall):
        message = f"`torch_call` of `{op.kind}` gave the module `{call.target}` as a function"
        raise OpError("E702", message, help=f'write `ModuleCall("{call.target}", ...)`')


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
        _compare(op, call, "parameters", parameters, op.parameters(types))
        _compare(op, call, "buffers", buffers, op.buffers(types))
        return made

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


def _compare(
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
