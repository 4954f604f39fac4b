"""A declarative language for convolutional networks, and its compiler.

``load`` gives the checked graph of a spec without importing torch; ``build`` gives the
``torch.fx.GraphModule``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archdsl.base.limits import Limits as Limits
    from archdsl.base.source import Source as Source
    from archdsl.compiler import build as build
    from archdsl.compiler import check as check
    from archdsl.compiler import compare as compare
    from archdsl.compiler import load as load
    from archdsl.compiler import stats as stats
    from archdsl.design.closed_forms import formulas as formulas
    from archdsl.design.solving import solve as solve
    from archdsl.diagnostics.model import Diagnostic as Diagnostic
    from archdsl.diagnostics.problems import ArchError as ArchError
    from archdsl.extensions.graph_files import read_graph as read_graph
    from archdsl.graph.builder import GraphBuilder as GraphBuilder
    from archdsl.graph.model import Graph as Graph
    from archdsl.graph.model import Node as Node
    from archdsl.zoo.bundled import bundled as bundled

__version__ = "0.1.0"

_HOMES = {
    "ArchError": "archdsl.diagnostics.problems",
    "Diagnostic": "archdsl.diagnostics.model",
    "Graph": "archdsl.graph.model",
    "GraphBuilder": "archdsl.graph.builder",
    "Limits": "archdsl.base.limits",
    "Node": "archdsl.graph.model",
    "Source": "archdsl.base.source",
    "build": "archdsl.compiler",
    "bundled": "archdsl.zoo.bundled",
    "check": "archdsl.compiler",
    "compare": "archdsl.compiler",
    "formulas": "archdsl.design.closed_forms",
    "load": "archdsl.compiler",
    "read_graph": "archdsl.extensions.graph_files",
    "solve": "archdsl.design.solving",
    "stats": "archdsl.compiler",
}
"""Where each public name stands: imported when first asked for, so that `archdsl --help` starts at once."""

__all__ = [*_HOMES]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'archdsl' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
