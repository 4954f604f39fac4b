"""Code of the user's own in a Python file: carried along where it needs torch alone, else imported."""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from archdsl.backends.modules import resolve
from archdsl.backends.torch_calls import FunctionCall, ModuleCall, torch_call
from archdsl.graph import Graph

_IMPORTED = {"torch": torch, "Tensor": Tensor, "nn": nn}
"""What every written file imports."""


def user_code(graph: Graph) -> tuple[list[str], list[str]]:
    """Import lines and definitions for the classes and functions that ops of the user's own call."""
    imports, definitions = [], []
    for target in sorted({target for node in graph.nodes if node.op.is_user_op for target in _targets(graph, node.id)}):
        module, _, name = target.partition(":")
        value = resolve(target)
        source = _source(value)
        if source is not None and _needs_torch_alone(source, vars(sys.modules[value.__module__])):
            definitions.append(source)
        else:
            imports.append(f"from {module} import {name}")
    return imports, definitions


def _targets(graph: Graph, node: int) -> Iterator[str]:
    """What stands outside torch among the targets of a node's call."""
    pending: list[Any] = [torch_call(graph.nodes[node].op, graph.input_types(graph.nodes[node]))]
    while pending:
        call = pending.pop()
        if isinstance(call, FunctionCall | ModuleCall):
            if ":" in call.target:
                yield call.target
            pending += [*call.args, *call.kwargs.values()]
        elif isinstance(call, list | tuple):
            pending += call


def _source(value: Any) -> str | None:
    try:
        source = inspect.getsource(value)
    except (OSError, TypeError):
        return None
    return source.rstrip() if source.startswith(("class ", "def ")) else None


def _needs_torch_alone(source: str, module: dict[str, Any]) -> bool:
    (definition,) = ast.parse(source).body
    names = {node.id for node in ast.walk(definition) if isinstance(node, ast.Name)}
    foreign = {name for name in names if name in module and name not in vars(builtins)}
    foreign.discard(getattr(definition, "name", ""))
    return all(name in _IMPORTED and module[name] is _IMPORTED[name] for name in foreign)
