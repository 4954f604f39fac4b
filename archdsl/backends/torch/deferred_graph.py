"""GraphModules that cost no more than they must: graph and code at first use, and no graph that keeps a dropped one
alive."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from torch import fx, nn
from typing_extensions import override

_MADE_BY_RECOMPILE = ("forward", "_code", "_lineno_map", "_prologue_start")
"""Attributes that ``recompile`` sets, of the module's own class or of the module."""

_NEEDING_CODE = ("__reduce__", "__reduce_package__", "__deepcopy__")
"""Methods that read the module's attributes at once, instead of asking for each."""


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
    """A GraphModule without a graph, whose class has this name; it waits for ``defer_graph``."""
    module = fx.GraphModule.__new__(fx.GraphModule)
    own_class: Any = type(module)
    with _without_code(own_class):
        module.__init__(nn.Module(), WeaklyOwnedGraph(), class_name=name)  # type: ignore[misc]
    del vars(module)["_graph"]
    vars(module)["_graphmodule_cls_name"] = name  # what unpickling names it
    return module


def defer_graph(module: fx.GraphModule, make: Callable[[], fx.Graph]) -> None:
    """``module.graph = make()``, when something first asks for the graph or for its code.

    A network of hundreds of nodes spends more time on its graph and on compiling a ``forward`` than on its modules, and
    nobody may need them: weights are loaded or counted first. A GraphModule has a class of its own, so stand-ins on
    that class see every access, torch.compile's, torch.export's and pickle's included. ``make`` must not hold the
    module.
    """
    own_class: Any = type(module)
    own_class._graph = _MakesGraph(module, make)
    for name in (*_MADE_BY_RECOMPILE, *_NEEDING_CODE):
        setattr(own_class, name, _GeneratesCode(module, name))


@contextmanager
def _without_code(own_class: Any) -> Iterator[None]:
    """What would recompile modules of the class does not."""
    own_class.recompile = lambda self: None
    try:
        yield
    finally:
        del own_class.recompile


class _MakesGraph:
    """Stands for the graph until it is read; afterwards the module has one."""

    def __init__(self, module: fx.GraphModule, make: Callable[[], fx.Graph]) -> None:
        self._module = weakref.ref(module)
        self._make: Callable[[], fx.Graph] | None = make
        self._lock = threading.Lock()

    def __get__(self, instance: object, owner: type) -> Any:
        attributes = vars(_alive(self._module()))
        with self._lock:
            if self._make is not None:
                graph = self._make()
                graph.owning_module = self._module()
                attributes.setdefault("_graph", graph)
                self._make = None
        return attributes["_graph"]


class _GeneratesCode:
    """Stands for an attribute until it is read; then there is code, and the attribute is what torch makes it."""

    def __init__(self, module: fx.GraphModule, name: str) -> None:
        self._module = weakref.ref(module)
        self._name = name

    def __get__(self, instance: object, owner: type) -> Any:
        module = _alive(self._module())
        module.recompile()
        _remove(type(module))
        return getattr(owner if instance is None else instance, self._name)


def _alive(module: fx.GraphModule | None) -> fx.GraphModule:
    if module is None:
        raise AttributeError("the module is gone")
    return module


def _remove(own_class: type) -> None:
    """Take the remaining stand-ins for code away; another thread may have done so."""
    for name, value in list(vars(own_class).items()):
        if isinstance(value, _GeneratesCode):
            with suppress(AttributeError):
                delattr(own_class, name)
