"""Tables and totals as HTML, for notebooks."""

from __future__ import annotations

from html import escape

from archdsl.views.forms.tables import Table, TableColumn, Totals


def html_table(table: Table) -> str:
    """The table; leading spaces, which show the tree, are kept."""
    head = "".join(f"<th style='text-align: {_side(column)}'>{escape(column.title)}</th>" for column in table.columns)
    body = "".join(f"<tr>{''.join(map(_cell, row, table.columns))}</tr>\n" for row in table.rows)
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table>\n"


def totals_html(totals: Totals) -> str:
    """Names and values as a table without headings."""
    return html_table(Table([TableColumn(""), TableColumn("")], totals))


def _cell(text: str, column: TableColumn) -> str:
    indent = len(text) - len(text.lstrip(" "))
    return f"<td style='text-align: {_side(column)}'>{'&nbsp;' * indent}{escape(text[indent:])}</td>"


def _side(column: TableColumn) -> str:
    return "right" if column.right else "left"
