"""A declarative language for convolutional networks, and its compiler.

``load`` gives the checked graph of a spec without importing torch; ``build`` gives the
``torch.fx.GraphModule``.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

_ROOT = Path(__file__).resolve().parent.parent
if (_ROOT / "grammar" / "arch.lark").is_file():
    __path__.append(str(_ROOT))

if TYPE_CHECKING:
    from archdsl.bundled_specs import bundled as bundled
    from archdsl.closed_forms import formulas as formulas
    from archdsl.compiler import build as build
    from archdsl.compiler import check as check
    from archdsl.compiler import load as load
    from archdsl.compiler import stats as stats
    from archdsl.diagnostics import ArchError as ArchError
    from archdsl.diagnostics import Diagnostic as Diagnostic
    from archdsl.graph import Graph as Graph
    from archdsl.graph import Node as Node
    from archdsl.limits import Limits as Limits
    from archdsl.solving import solve as solve
    from archdsl.source import Source as Source

__version__ = "0.1.0"

_HOMES = {
    "ArchError": "archdsl.diagnostics",
    "Diagnostic": "archdsl.diagnostics",
    "Graph": "archdsl.graph",
    "Limits": "archdsl.limits",
    "Node": "archdsl.graph",
    "Source": "archdsl.source",
    "build": "archdsl.compiler",
    "bundled": "archdsl.bundled_specs",
    "check": "archdsl.compiler",
    "formulas": "archdsl.closed_forms",
    "load": "archdsl.compiler",
    "solve": "archdsl.solving",
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
