"""Code of the user's own in a Python file: carried along where its imports are all that it needs, else imported."""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import operator
import sys
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from archdsl.backends.call_targets import resolve
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError
from archdsl.graph.model import Graph
from archdsl.ops.contract.torch_call import TorchCall, local_name, parts

_OF_THE_FILE: dict[str, Any] = {
    "torch": torch, "Tensor": Tensor, "nn": nn, "functools": functools, "operator": operator, "OrderedDict": OrderedDict
}  # fmt: skip
"""What written files import."""
_ALWAYS_THERE = {**vars(builtins), "torch": torch, "Tensor": Tensor, "nn": nn}
_TAKEN = frozenset({*_OF_THE_FILE, *vars(builtins)})
"""Names that code of the user's own cannot have beside the file's."""
_CARRIED = sys.stdlib_module_names | {"torch"}
"""Packages whose imports go along with what uses them."""


class UserCode(NamedTuple):
    """What a file needs for the classes and functions that ops of the user's own call.

    ``imports`` are lines for what its ``definitions`` use and for what stays in the user's modules; ``left`` says of
    these why, by module. ``names`` are all that the file has by them.
    """

    imports: list[str]
    definitions: list[str]
    left: dict[str, list[str]]
    names: list[str]

    def refuse_names(self, graph: Graph, names: Iterable[str]) -> None:
        """Raises ArchError E606 where the file has one of these names by code of archdsl's."""
        for name in names:
            if name in self.names:
                raise _collision(graph, name, None)


def user_code(graph: Graph) -> UserCode:
    """The code of all targets. Raises ArchError E606 for two of one name, which no file can hold."""
    imports: dict[str, str] = {}
    code = UserCode([], [], {}, [])
    targets: dict[str, str] = {}
    for target in sorted({target for node in graph.nodes if node.op.is_user_op for target in _targets(graph, node.id)}):
        name = local_name(target)
        if name in _TAKEN or name in targets:
            raise _collision(graph, target, targets.get(name))
        targets[name] = target
    for target in targets.values():
        _carry(target, code, imports, targets)
    code.imports.extend(sorted(imports.values()))
    code.names.extend([*targets, *imports])
    return code


def _carry(target: str, code: UserCode, imports: dict[str, str], targets: dict[str, str]) -> None:
    """Adds the target's definition with its imports, or the import of the target itself."""
    module, _, name = target.partition(":")
    line = f"from {module} import {name}"
    if module.partition(".")[0] in _CARRIED:
        imports[name] = line
        return
    definition = _Definition.of(resolve(target))
    if definition is None or definition.name != name:
        why = f"`{name}` is no class or function that is written there"
    else:
        needed, foreign = definition.imports()
        clashes = {used for used, line in needed.items() if used in targets or imports.get(used, line) != line}
        if not foreign and not clashes:
            imports.update(needed)
            code.definitions.append(definition.text)
            return
        why = f"`{name}` uses {', '.join(f'`{used}`' for used in sorted(foreign or clashes))}"
    code.left.setdefault(module, []).append(why)
    code.imports.append(line)


def _collision(graph: Graph, target: str, other: str | None) -> ArchError:
    name = local_name(target)
    beside = f"`{other}`" if other else "what every such file has by that name"
    message = f"`{graph.name}` cannot be written as Python: `{target}` cannot stand beside {beside}"
    return ArchError(Diagnostic("E606", message, help=f"give one `{name}` another name"))


def _targets(graph: Graph, node: int) -> Iterator[str]:
    """What stands outside torch among the targets of a node's call."""
    for part in parts(graph.nodes[node].op.torch_call(graph.input_types(graph.nodes[node]))):
        if isinstance(part, TorchCall) and ":" in part.target:
            yield part.target


class _Definition(NamedTuple):
    """A class or function: its name, its source and the module that it stands in."""

    name: str
    text: str
    module: ModuleType

    @classmethod
    def of(cls, value: Any) -> _Definition | None:
        """None for what is written otherwise, as a variable or with decorators, or nowhere."""
        try:
            source = inspect.getsource(value).rstrip()
        except (OSError, TypeError):
            return None
        found = ast.parse(source).body if source.startswith(("class ", "def ")) else []
        named = [each for each in found if isinstance(each, ast.ClassDef | ast.FunctionDef)]
        if [each.name for each in named] != [value.__name__]:
            return None
        return cls(value.__name__, source, sys.modules[value.__module__])

    def imports(self) -> tuple[dict[str, str], set[str]]:
        """Import lines of the standard library and of torch that it uses, by name, and names that it has elsewhere."""
        (definition,) = ast.parse(self.text).body
        known, lines = vars(self.module), _import_lines(self.module)
        used = {node.id for node in ast.walk(definition) if isinstance(node, ast.Name)} & known.keys()
        foreign = {name for name in used if known[name] is not _ALWAYS_THERE.get(name, lines)} - {self.name}
        free = {name for name in foreign if name not in _TAKEN or known[name] is _OF_THE_FILE.get(name, lines)}
        needed = {name: lines[name] for name in free & lines.keys()}
        return needed, foreign - needed.keys()


def _import_lines(module: ModuleType) -> dict[str, str]:
    """By name, what a file can import as the module itself does."""
    lines: dict[str, str] = {}
    for statement in ast.parse(inspect.getsource(module)).body:
        if isinstance(statement, ast.Import):
            found: list[tuple[str, ast.alias, ast.stmt]]
            found = [(alias.name, alias, ast.Import([alias])) for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            source = statement.module
            found = [(source, alias, ast.ImportFrom(source, [alias], 0)) for alias in statement.names]
        else:
            continue
        for source, alias, alone in found:
            if source.partition(".")[0] in _CARRIED:
                lines[alias.asname or alias.name.partition(".")[0]] = ast.unparse(alone)
    return {name: line for name, line in lines.items() if _given_by(line).get(name) is vars(module).get(name)}


def _given_by(line: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(line, names)
    return names
