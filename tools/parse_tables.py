"""``python -m tools.parse_tables`` writes ``grammar/tables.json``, by which specs are parsed."""

from __future__ import annotations

from pathlib import Path

from archdsl.language.parser.grammar_compiler import compile_grammar
from archdsl.language.parser.grammar_tables import TABLES, read_grammar
from archdsl.language.parser.lalr_tables import tables_text

FILE = Path(__file__).parent.parent / "grammar" / TABLES


def made() -> str:
    """What the file holds if it is of the grammar as it stands."""
    grammar = read_grammar()
    return tables_text(compile_grammar(grammar), grammar)


if __name__ == "__main__":
    FILE.write_text(made(), encoding="utf-8", newline="\n")
