"""GraphModules that cost no more than they must: code at first use, and no graph that keeps a dropped one alive."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import fx, nn
from typing_extensions import override

_MADE_BY_RECOMPILE = ("forward", "_code", "_lineno_map", "_prologue_start")
"""Attributes that ``recompile`` sets, of the module's own class or of the module."""

_NEEDING_CODE = ("__reduce__", "__reduce_package__")
"""Methods that copy the module's attributes before they recompile it."""


class WeaklyOwnedGraph(fx.Graph):
    """A graph that does not keep its module alive.

    fx's own graphs and modules hold each other, so that a module that nobody needs any more keeps its weights until
    Python next looks for cycles: too late where networks are built one after another, on a GPU above all.
    """

    _owner: weakref.ref[fx.GraphModule] | None

    @property
    def _owning_module(self) -> fx.GraphModule | None:
        """Where torch's Graph has its module, as an attribute."""
        return self._owner() if self._owner is not None else None

    @_owning_module.setter
    def _owning_module(self, module: fx.GraphModule | None) -> None:
        self._owner = weakref.ref(module) if module is not None else None

    @override
    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> fx.Graph:
        copied = super().__deepcopy__(memo)
        module = vars(copied).pop("_owning_module")
        copied.__class__ = WeaklyOwnedGraph
        copied.owning_module = module
        return copied


def empty_module(name: str) -> fx.GraphModule:
    """A GraphModule without nodes, whose class has this name; it waits for ``set_graph``."""
    module = fx.GraphModule.__new__(fx.GraphModule)
    with _without_code(module):
        module.__init__(nn.Module(), WeaklyOwnedGraph(), class_name=name)  # type: ignore[misc]
    return module


def set_graph(module: fx.GraphModule, graph: fx.Graph) -> None:
    """``module.graph = graph``, but for the code, which is generated when something first asks for it.

    A network of hundreds of nodes spends a third of its construction on compiling a ``forward`` that nobody
    may call: weights are loaded or counted first. A GraphModule has a class of its own, so stand-ins on that class
    see every access, torch.compile's, torch.export's and pickle's included.
    """
    with _without_code(module):
        module.graph = graph
    for name in (*_MADE_BY_RECOMPILE, *_NEEDING_CODE):
        setattr(type(module), name, _GeneratesCode(module, name))


@contextmanager
def _without_code(module: fx.GraphModule) -> Iterator[None]:
    """What would recompile the module does not."""
    own_class: Any = type(module)
    own_class.recompile = lambda self: None
    try:
        yield
    finally:
        del own_class.recompile


class _GeneratesCode:
    """Stands for an attribute until it is read; then there is code, and the attribute is what torch makes it."""

    def __init__(self, module: fx.GraphModule, name: str) -> None:
        self._module = weakref.ref(module)
        self._name = name

    def __get__(self, instance: object, owner: type) -> Any:
        module = self._module()
        if module is not None:
            module.recompile()
            _remove(owner)
        return getattr(owner if instance is None else instance, self._name)


def _remove(owner: type) -> None:
    """Take the remaining stand-ins away; another thread may have done so."""
    for name, value in list(vars(owner).items()):
        if isinstance(value, _GeneratesCode):
            delattr(owner, name)
