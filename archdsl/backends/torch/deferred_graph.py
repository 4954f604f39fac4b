"""GraphModules that cost no more than they must: graph and code at first use, and no graph that keeps a dropped one
alive."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from torch import fx, nn

from archdsl.backends.torch_private import (
    CLASS_NAME,
    GRAPH,
    MADE_BY_RECOMPILE,
    NEEDING_CODE,
    WeaklyOwnedGraph,
    own_attributes,
)

EAGER_VARIABLE = "ARCHDSL_EAGER"
"""Set to 1 in the environment, it has graphs and their code made at once."""


def empty_module(name: str) -> fx.GraphModule:
    """A GraphModule without a graph, whose class has this name; it waits for ``give_graph``."""
    module = fx.GraphModule.__new__(fx.GraphModule)
    own_class: Any = type(module)
    with _without_code(own_class):
        module.__init__(nn.Module(), WeaklyOwnedGraph(), class_name=name)  # type: ignore[misc]
    del own_attributes(module)[GRAPH]
    own_attributes(module)[CLASS_NAME] = name
    return module


def give_graph(module: fx.GraphModule, make: Callable[[], fx.Graph]) -> None:
    """``module.graph = make()``, at once or when something first asks for the graph or for its code.

    A network of hundreds of nodes spends more time on its graph and on compiling a ``forward`` than on its modules, and
    nobody may need them: weights are loaded or counted first. A GraphModule has a class of its own, so stand-ins on
    that class see every access, torch.compile's, torch.export's and pickle's included. ``make`` must not hold the
    module.
    """
    if os.environ.get(EAGER_VARIABLE) == "1":
        module.graph = make()
        return
    own_class = type(module)
    setattr(own_class, GRAPH, _MakesGraph(module, make))
    for name in (*MADE_BY_RECOMPILE, *NEEDING_CODE):
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
        attributes = own_attributes(_alive(self._module()))
        with self._lock:
            if self._make is not None:
                graph = self._make()
                graph.owning_module = self._module()
                attributes.setdefault(GRAPH, graph)
                self._make = None
        return attributes[GRAPH]


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
