"""The parse tables of the language: made from the grammar by Lark, kept beside it as plain data.

Lark takes 100 ms to import and analyse the grammar; its tables as JSON load in one.
"""

from __future__ import annotations

from functools import cache

from archdsl.base.resources import resource_folder
from archdsl.language.parser.lalr_tables import Tables, tables_of

GRAMMAR = "arch.lark"
TABLES = "tables.json"
"""The file beside the grammar that ``python -m tools.parse_tables`` writes."""


@cache
def load_tables() -> Tables:
    """The tables of the grammar, which are made anew where it is not the one that the kept ones were made from."""
    grammar = read_grammar()
    tables = tables_of((resource_folder("grammar") / TABLES).read_text(encoding="utf-8"), grammar)
    if tables is None:
        from archdsl.language.parser.grammar_compiler import compile_grammar

        return compile_grammar(grammar)
    return tables


def read_grammar() -> str:
    """The grammar, with the same line ends on every system."""
    return (resource_folder("grammar") / GRAMMAR).read_text(encoding="utf-8")
