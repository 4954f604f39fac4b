"""Imports point one way, as docs and design say, and only what needs a heavy package loads it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]

FAULTS = {"base", "diagnostics", "boundary"}
CHECKED = FAULTS | {"ops", "graph"}
COMPILED = CHECKED | {"zoo", "language", "elaborate", "extensions"}

ROOMS: dict[str, set[str]] = {
    "base": set(),
    "zoo": {"base"},
    "diagnostics": {"base"},
    "boundary": {"base", "diagnostics"},
    "language": FAULTS,
    "ops": FAULTS,
    "graph": FAULTS | {"ops"},
    "analysis": CHECKED,
    "extensions": CHECKED,
    "elaborate": CHECKED | {"language", "zoo"},
    "views": CHECKED | {"analysis"},
    "backends": CHECKED,
    "weights": CHECKED,
    "request": COMPILED | {"analysis"},
    "compiler": COMPILED | {"request", "views", "backends", "weights"},
    "design": COMPILED | {"request", "analysis"},
    "": COMPILED | {"request", "compiler", "design"},
    "cli": COMPILED | {"", "analysis", "request", "compiler", "design", "views", "backends", "weights"},
}
"""Each room and the rooms it may import from; "" is ``archdsl/__init__.py``, the public names."""

AT_ONCE: dict[str, set[str]] = {"lark": {"language"}, "torch": {"backends", "weights"}, "typer": {"cli"}}
"""Packages that take long to import, and the parts that may import them at their top ..."""

ON_DEMAND: dict[str, set[str]] = {
    "torch": {"cli"},
    "rich": set(),
    "networkx": {"graph"},
    "safetensors": {"backends", "weights"},
    "onnx": {"backends"},
    "onnxscript": {"backends"},
}
"""... or inside the functions that need them."""

BACKENDS: dict[str, set[str]] = {
    "layers": set(),
    "torch_private": set(),
    "call_targets": {"layers"},
    "torch": {"layers", "call_targets", "torch_private"},
    "python": {"layers", "call_targets", "torch_private"},
    "export": {"python"},
}
"""Parts of ``archdsl.backends`` and the parts they may import from: a backend knows no other."""


class Import(NamedTuple):
    """``module`` imports ``target``; ``lazy`` inside a function, ``typed`` for type checkers alone."""

    module: str
    target: str
    lazy: bool
    typed: bool


def sources() -> dict[str, Path]:
    """The compiler's modules by dotted name below archdsl."""
    library = {path: path.relative_to(ROOT / "archdsl") for path in (ROOT / "archdsl").rglob("*.py")}
    commands = {path: path.relative_to(ROOT) for path in (ROOT / "cli").rglob("*.py")}
    named = {".".join(short.with_suffix("").parts): path for path, short in (library | commands).items()}
    return {name.removesuffix("__init__").rstrip("."): path for name, path in named.items()}


def imports(module: str, path: Path) -> Iterator[Import]:
    """All that a module imports, at its top or anywhere inside."""
    pending: list[tuple[ast.AST, bool, bool]] = [(ast.parse(path.read_text(encoding="utf-8")), False, False)]
    while pending:
        node, lazy, typed = pending.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (Import(module, target, lazy, typed) for target in targets(node, package_of(module, path)))
        lazy = lazy or isinstance(node, ast.FunctionDef)
        typed = typed or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        pending.extend((child, lazy, typed) for child in ast.iter_child_nodes(node))


def package_of(module: str, path: Path) -> list[str]:
    """The names that a relative import in this module starts from."""
    names = ["archdsl", *filter(None, module.split("."))]
    return names if path.name == "__init__.py" else names[:-1]


def targets(node: ast.Import | ast.ImportFrom, package: list[str]) -> Iterable[str]:
    """Modules that a statement names; names taken from a package may be modules of it."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    start = package[: len(package) + 1 - node.level] if node.level else []
    source = ".".join([*start, *filter(None, [node.module])])
    submodules = [f"{source}.{alias.name}" for alias in node.names]
    known = {f"archdsl.{name}" for name in sources()}
    return [name for name in submodules if name in known] or [source]


def part(module: str) -> str:
    """The room that a module below archdsl stands in."""
    return "cli" if module == "__main__" else module.split(".")[0]


@cache
def every_import() -> list[Import]:
    return [found for module, path in sources().items() for found in imports(module, path)]


@cache
def all_imports() -> list[Import]:
    """What is imported when a module runs; imports for type checkers do not count."""
    return [found for found in every_import() if not found.typed]


def test_files_form_no_cycle() -> None:
    """Nor by imports in functions or for type checkers: who reads one file of a ring reads all of them."""
    knows: dict[str, set[str]] = {module: set() for module in sources()}
    for found in every_import():
        knows[found.module].add(found.target.removeprefix("archdsl").removeprefix("."))
    waiting = {module: (known & knows.keys()) - {module, ""} for module, known in knows.items()}
    while done := {module for module, known in waiting.items() if not known}:
        waiting = {module: known - done for module, known in waiting.items() if module not in done}
    rings = [{module for module in waiting if module in reached(start, waiting) and start in reached(module, waiting)}
             for start in waiting]  # fmt: skip
    assert [ring for ring in rings if ring] == []


def reached(start: str, knows: dict[str, set[str]]) -> set[str]:
    """What a file needs, directly or through others."""
    found: set[str] = set()
    pending = [start]
    while pending:
        new = knows[pending.pop()] - found
        found |= new
        pending.extend(new)
    return found


def test_every_module_has_its_part() -> None:
    assert {part(module) for module in sources()} <= ROOMS.keys()


def test_imports_point_one_way() -> None:
    inside = [found for found in all_imports() if found.target.split(".")[0] == "archdsl"]
    pairs = {found: (part(found.module), part(found.target.partition(".")[2])) for found in inside}
    wrong = [
        found
        for found, (importer, imported) in pairs.items()
        if importer != imported and imported not in ROOMS[importer]
    ]
    assert wrong == []


def test_parts_form_no_cycle() -> None:
    done: set[str] = set()
    while len(done) < len(ROOMS):
        ready = {name for name, allowed in ROOMS.items() if allowed <= done} - done
        assert ready, f"a cycle among {sorted(ROOMS.keys() - done)}"
        done |= ready


def test_heavy_packages_stay_where_they_are_needed() -> None:
    def allowed(found: Import, package: str) -> bool:
        importer = part(found.module)
        return importer in AT_ONCE.get(package, ()) or (found.lazy and importer in ON_DEMAND.get(package, ()))

    packages = [(found, found.target.split(".")[0]) for found in all_imports()]
    heavy = [(found, package) for found, package in packages if package in AT_ONCE.keys() | ON_DEMAND.keys()]
    assert [found for found, package in heavy if not allowed(found, package)] == []


def test_backends_do_not_know_each_other() -> None:
    below = "archdsl.backends."
    pairs = {
        found: (found.module.split(".")[1], found.target.removeprefix(below).split(".")[0])
        for found in all_imports()
        if found.module.startswith("backends.") and found.target.startswith(below)
    }
    assert {name for pair in pairs.values() for name in pair} == BACKENDS.keys()
    assert [found for found, (importer, name) in pairs.items() if name not in BACKENDS[importer] | {importer}] == []


@pytest.mark.parametrize(
    "statement",
    ["import archdsl", "import archdsl; archdsl.load('resnet50')", "import archdsl; archdsl.check('resnet50')"],
)
def test_nothing_heavy_is_loaded_up_to_the_graph(statement: str) -> None:
    unwanted = {"torch", "networkx", "rich", "typer", "numpy", "lark"}
    script = f"import sys\n{statement}\nprint(*sorted({unwanted!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
