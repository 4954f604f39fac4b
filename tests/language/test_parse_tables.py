"""The parse tables that come with the package are the grammar's, and give way to those of another grammar."""

from __future__ import annotations

from pathlib import Path

import pytest

from archdsl.language.parser import grammar_compiler, grammar_tables, kinds
from archdsl.language.parser.grammar_tables import GRAMMAR, TABLES, load_tables, read_grammar
from archdsl.language.parser.lalr_tables import Tables
from tools.parse_tables import FILE, made

load_afresh = load_tables.__wrapped__


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of grammar and tables in place of the package's own."""
    for name in (GRAMMAR, TABLES):
        (tmp_path / name).write_bytes(FILE.with_name(name).read_bytes())
    monkeypatch.setattr(grammar_tables, "resource_folder", {"grammar": tmp_path}.__getitem__)
    return tmp_path


def forbid_lark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grammar_compiler, "compile_grammar", lambda grammar: pytest.fail("compiled"))


def test_the_file_is_that_of_the_grammar() -> None:
    """Otherwise: ``python -m tools.parse_tables``."""
    assert FILE.read_text(encoding="utf-8") == made()


def test_kept_tables_are_the_compiled_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = grammar_compiler.compile_grammar(read_grammar())
    forbid_lark(monkeypatch)
    assert load_afresh() == compiled


def test_a_line_holds_a_state() -> None:
    lines = FILE.read_text(encoding="utf-8").splitlines()
    tables = load_tables()
    rows = len(tables.moves) + len(tables.rules) + len(tables.terminals) + len(tables.ignored)
    assert rows < len(lines) < rows + 20


def spellings(tables: Tables) -> set[str]:
    return {terminal.spelling for terminal in tables.terminals}


def test_another_grammar_is_compiled(folder: Path) -> None:
    grammar = folder / GRAMMAR
    grammar.write_text(grammar.read_text(encoding="utf-8").replace('"network"', '"architecture"'), encoding="utf-8")
    assert spellings(load_afresh()) ^ spellings(load_tables()) == {"network", "architecture"}


@pytest.mark.parametrize("name", [GRAMMAR, TABLES])
def test_line_ends_do_not_matter(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As git writes them where it is told to."""
    forbid_lark(monkeypatch)
    (folder / name).write_bytes((folder / name).read_bytes().replace(b"\n", b"\r\n"))
    assert load_afresh() == load_tables()


def test_kinds_are_terminals_of_the_grammar() -> None:
    groups = [
        kinds.LITERALS, kinds.OPENERS, kinds.CLOSERS, kinds.STATEMENT_ENDS, kinds.LABELS, kinds.EXPRESSION,
        kinds.SECTIONS, kinds.STARTERS, kinds.CONTINUATIONS, kinds.COMPARISONS,
    ]  # fmt: skip
    terminals = {terminal.name for terminal in load_tables().terminals}
    assert {kind for group in groups for kind in group} <= terminals | kinds.FAULTS.keys()
