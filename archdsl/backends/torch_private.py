"""Every private name of torch that archdsl leans on; no other file of the package reaches for one.

``tests/backends/test_torch_private.py`` holds each to what torch does, and says what breaks here once torch changes it.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from torch import Tensor, fx, nn
from typing_extensions import override

# ---- modules -------------------------------------------------------------------------------------

OWN_BY_EACH = (dict, set, OrderedDict)
"""Types of the attributes that two modules must not share: parameters, buffers, submodules, hooks."""

OUTPUT_PROJECTION = "nn.modules.linear.NonDynamicallyQuantizableLinear"
"""The class of ``nn.MultiheadAttention().out_proj``, as a call's target."""


def own_attributes(module: nn.Module) -> dict[str, Any]:
    """All that makes the module, so that a copy of it is one of the module."""
    return module.__dict__


def own_modules(module: nn.Module) -> dict[str, nn.Module | None]:
    """The module's children by name. What is put in needs no call of ``add_module``, whose checks take long."""
    return module._modules


def own_parameters(module: nn.Module) -> dict[str, nn.Parameter | None]:
    """The same for its parameters."""
    return module._parameters


def own_buffers(module: nn.Module) -> dict[str, Tensor | None]:
    """The same for its buffers."""
    return module._buffers


# ---- graph modules -------------------------------------------------------------------------------

GRAPH = "_graph"
"""The attribute in which a GraphModule has its graph."""

CLASS_NAME = "_graphmodule_cls_name"
"""Beside the other attributes, what unpickling names the GraphModule's class."""

MADE_BY_RECOMPILE = ("forward", "_code", "_lineno_map", "_prologue_start")
"""Attributes that ``recompile`` sets, of the GraphModule's own class or of the module, and that are read before it."""

NEEDING_CODE = ("__reduce__", "__reduce_package__", "__deepcopy__")
"""Methods of a GraphModule that read its attributes at once, instead of asking for each."""

set_arguments: Callable[[fx.Node, tuple[Any, ...]], None] = fx.Node.args.fset  # type: ignore[attr-defined]
"""``node.args = ...`` without a look at the graph's index of nodes, which does not hang on arguments.

``create_node`` takes arguments, too, but searches them for symbolic sizes. Either takes as long as all else.
"""


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
