"""Tables and totals as GitHub's Markdown has them."""

from __future__ import annotations

from archdsl.views.forms.tables import Table, Totals


def markdown_table(table: Table) -> str:
    """The table; leading spaces, which show the tree, are kept."""
    rules = ["---:" if column.right else "---" for column in table.columns]
    titles = [_cell(title) for title in table.titles]
    lines = [titles, rules, *([_cell(cell) for cell in row] for row in table.rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(text: str) -> str:
    indent = len(text) - len(text.lstrip(" "))
    return "&nbsp;" * indent + text[indent:].replace("|", "\\|")


def totals_markdown(totals: Totals) -> str:
    """Names and values as a list."""
    return "".join(f"- {name.strip()}: {value}\n" for name, value in totals)
