"""The public names: all can be had, types know them, and the documents need no deeper paths."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import archdsl
from archdsl import extensions

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("name", archdsl.__all__)
def test_each_can_be_had_and_says_what_it_is(name: str) -> None:
    assert getattr(archdsl, name).__doc__
    assert name in dir(archdsl)


def test_type_checkers_know_each_from_its_home() -> None:
    tree = ast.parse(Path(archdsl.__file__).read_text(encoding="utf-8"))
    found = [node for each in tree.body if isinstance(each, ast.If) for node in each.body]
    imports = {alias.name: node.module for node in found if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert imports == archdsl._HOMES


def test_what_a_module_of_ops_needs_can_be_had() -> None:
    assert all(hasattr(extensions, name) for name in extensions.__all__)
    assert extensions.UserOp is archdsl.UserOp


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_documents_show_no_deeper_paths(page: Path) -> None:
    """Entry points name a group, which is no module."""
    text = page.read_text(encoding="utf-8")
    deep = re.findall(r"(?:from|import) archdsl\.(?!(?:extensions|ops) import)[\w.]+|\barchdsl\.\w+\.\w+\.\w+", text)
    assert deep == []


@pytest.mark.parametrize("name", ["Request", "Stats", "cost", "UserOp", "render_text", "formulas", "solve"])
def test_what_needs_no_torch_loads_none(name: str) -> None:
    script = f"import sys, archdsl; archdsl.{name}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
