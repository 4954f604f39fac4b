"""A declarative language for convolutional networks, and its compiler.

``load`` gives the checked graph of a spec without importing torch; ``build`` gives the
``torch.fx.GraphModule``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archdsl.analysis.cost import cost as cost
    from archdsl.backends.export import export as export
    from archdsl.backends.python.python_source import to_python as to_python
    from archdsl.backends.torch.fx import to_graph_module as to_graph_module
    from archdsl.backends.torch.traced import traced_form as traced_form
    from archdsl.base.limits import Limits as Limits
    from archdsl.base.source import Source as Source
    from archdsl.compiler import build as build
    from archdsl.compiler import check as check
    from archdsl.compiler import compare as compare
    from archdsl.compiler import load as load
    from archdsl.compiler import stats as stats
    from archdsl.design.closed_forms import formulas as formulas
    from archdsl.design.solving import solve as solve
    from archdsl.diagnostics.exchange import render_json as render_json
    from archdsl.diagnostics.exchange import render_sarif as render_sarif
    from archdsl.diagnostics.model import Diagnostic as Diagnostic
    from archdsl.diagnostics.problems import ArchError as ArchError
    from archdsl.diagnostics.rendering import render_text as render_text
    from archdsl.extensions.graph_files import read_graph as read_graph
    from archdsl.extensions.user_ops import UserOp as UserOp
    from archdsl.graph.builder import GraphBuilder as GraphBuilder
    from archdsl.graph.canonical import canonical_form as canonical_form
    from archdsl.graph.model import Graph as Graph
    from archdsl.graph.model import GraphError as GraphError
    from archdsl.graph.model import Node as Node
    from archdsl.graph.passes.fold_batch_norm import fold_batch_norm as fold_batch_norm
    from archdsl.graph.passes.remove_auxiliaries import remove_auxiliaries as remove_auxiliaries
    from archdsl.graph.passes.remove_identities import remove_identities as remove_identities
    from archdsl.graph.passes.rewrite import GraphRewrite as GraphRewrite
    from archdsl.graph.passes.runner import run_passes as run_passes
    from archdsl.request import Request as Request
    from archdsl.views.stats import Stats as Stats
    from archdsl.weights.migrate import migrate_weights as migrate_weights
    from archdsl.weights.read import load_weights as load_weights
    from archdsl.zoo.bundled import bundled as bundled

__version__ = "0.1.0"

_HOMES = {
    "ArchError": "archdsl.diagnostics.problems",
    "Diagnostic": "archdsl.diagnostics.model",
    "Graph": "archdsl.graph.model",
    "GraphBuilder": "archdsl.graph.builder",
    "GraphError": "archdsl.graph.model",
    "GraphRewrite": "archdsl.graph.passes.rewrite",
    "Limits": "archdsl.base.limits",
    "Node": "archdsl.graph.model",
    "Request": "archdsl.request",
    "Source": "archdsl.base.source",
    "Stats": "archdsl.views.stats",
    "UserOp": "archdsl.extensions.user_ops",
    "build": "archdsl.compiler",
    "bundled": "archdsl.zoo.bundled",
    "canonical_form": "archdsl.graph.canonical",
    "check": "archdsl.compiler",
    "compare": "archdsl.compiler",
    "cost": "archdsl.analysis.cost",
    "export": "archdsl.backends.export",
    "fold_batch_norm": "archdsl.graph.passes.fold_batch_norm",
    "formulas": "archdsl.design.closed_forms",
    "load": "archdsl.compiler",
    "load_weights": "archdsl.weights.read",
    "migrate_weights": "archdsl.weights.migrate",
    "read_graph": "archdsl.extensions.graph_files",
    "remove_auxiliaries": "archdsl.graph.passes.remove_auxiliaries",
    "remove_identities": "archdsl.graph.passes.remove_identities",
    "render_json": "archdsl.diagnostics.exchange",
    "render_sarif": "archdsl.diagnostics.exchange",
    "render_text": "archdsl.diagnostics.rendering",
    "run_passes": "archdsl.graph.passes.runner",
    "solve": "archdsl.design.solving",
    "stats": "archdsl.compiler",
    "to_graph_module": "archdsl.backends.torch.fx",
    "to_python": "archdsl.backends.python.python_source",
    "traced_form": "archdsl.backends.torch.traced",
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
