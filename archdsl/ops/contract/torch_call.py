"""What an op is in torch, as data: the fx backend instantiates the call, the Python backend prints it.

Nothing here imports torch. A target's first word names where it is looked up: ``nn`` (torch.nn),
``F`` (torch.nn.functional), ``torch``, ``Tensor`` (its methods), ``operator``, ``layers``
(archdsl.backends.layers); ``module:name`` stands in any other module, as ops of the user's own have it. Sizes of
batch and image stay out of the calls wherever torch can work them out, so that a built model takes other ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Input:
    """Stands for the op's input of this index."""

    index: int


@dataclass(frozen=True, slots=True)
class OwnParameter:
    """Stands for the parameter of an op that holds just one, at its own path."""


X = Input(0)

Argument = Any
"""A literal, Input, OwnParameter, FunctionCall, or a list, tuple or slice of such."""


@dataclass(frozen=True, slots=True)
class ModuleCall:
    """A submodule, made with these arguments and called with the op's inputs in order."""

    target: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function of the inputs; arguments may be further calls."""

    target: str
    args: tuple[Argument, ...] = ()
    kwargs: Mapping[str, Argument] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FoldCall:
    """A function of two tensors over all inputs, from left to right."""

    target: str


TorchCall = ModuleCall | FunctionCall | FoldCall


def local_name(target: str) -> str:
    """How a Python file names a target that it imports or carries: ``DropPath`` for ``layers.DropPath``."""
    return target.rpartition(":")[2].removeprefix("layers.")


def parts(argument: Argument) -> Iterator[Argument]:
    """The call or argument and all that stands in it, from the outside in."""
    yield argument
    if isinstance(argument, FunctionCall):
        for inner in (*argument.args, *argument.kwargs.values()):
            yield from parts(inner)
    elif isinstance(argument, list | tuple):
        for inner in argument:
            yield from parts(inner)


def module_call(target: str, *args: Any, **kwargs: Any) -> ModuleCall:
    """Pairs of equal numbers are written once, as a person would; arguments that equal torch's default stay."""
    return ModuleCall(target, tuple(map(_once, args)), {name: _once(value) for name, value in kwargs.items()})


def _once(value: Any) -> Any:
    """``3`` for ``(3, 3)``, which torch's windows take alike."""
    return value[0] if type(value) is tuple and len(value) == 2 and value[0] == value[1] else value


def permute_call(axes: tuple[int, ...]) -> FunctionCall:
    """The input's axes in another order; the batch is not counted."""
    return FunctionCall("torch.permute", (X, (0, *[axis + 1 for axis in axes])))


def overwriting(call: TorchCall) -> TorchCall:
    """The call of an activation, which overwrites its input."""
    return replace(call, kwargs={**call.kwargs, "inplace": True}) if isinstance(call, ModuleCall) else call
