"""Diagnostics as text for people, and as JSON and SARIF 2.1.0 for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from archdsl.base.source import Span
from archdsl.diagnostics.excerpts import Row, Style, excerpts, visible
from archdsl.diagnostics.model import Diagnostic, Label

DEFAULT_WIDTH = 140
"""Columns of a source line before it is cut around its marks."""

_RESET = "\x1b[0m"
_COLOURS: dict[Style, str] = {"bold": "\x1b[1m", "gutter": "\x1b[34m", "secondary": "\x1b[36m", "help": "\x1b[32m"}
_SEVERITY_COLOURS = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m"}

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def render_text(diagnostic: Diagnostic, *, color: bool = False, width: int | None = None) -> str:
    """The diagnostic as it is printed, ending in a line end.

    ``color`` adds ANSI colours; source lines longer than ``width`` columns (140) are cut around their marks.
    """
    digits, rows = excerpts(diagnostic, max(width or DEFAULT_WIDTH, 20))
    remarks = [*diagnostic.notes, *(f"help: {text}" for text in diagnostic.help)]
    if rows and remarks:
        rows.append([(" " * digits + " |", "gutter")])
    for remark in remarks:
        rows.extend(_remark_rows(remark, digits))
    kind = f"{diagnostic.severity}[{diagnostic.code}]"
    title: Row = [(kind, "severity"), (f": {visible(diagnostic.message)}", "bold")]
    colours = {**_COLOURS, "severity": _SEVERITY_COLOURS[diagnostic.severity]} if color else {}
    return "".join(_painted(row, colours) + "\n" for row in [title, *rows])


def _remark_rows(remark: str, digits: int) -> Iterable[Row]:
    """A note or help below the excerpts; its further lines stand below its first."""
    style: Style = "help" if remark.startswith("help: ") else "plain"
    for number, line in enumerate(remark.split("\n")):
        lead = " " * digits + (" = " if number == 0 else "   " + " " * (len("help: ") if style == "help" else 0))
        yield [(lead, "gutter"), (visible(line), style)]


def _painted(row: Row, colours: dict[Style, str]) -> str:
    pieces = [f"{colours[style]}{text}{_RESET}" if text and style in colours else text for text, style in row]
    return "".join(pieces).rstrip()


def render_json(diagnostics: Iterable[Diagnostic]) -> str:
    """A JSON list: code, severity, message, place, labels, notes and help of each diagnostic.

    Lines and columns count from 1, columns count code points, ends are exclusive; places are null where no text
    is involved.
    """
    return json.dumps([_json_object(diagnostic) for diagnostic in diagnostics], indent=2, ensure_ascii=False) + "\n"


def _json_object(diagnostic: Diagnostic) -> dict[str, Any]:
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "place": _json_label(diagnostic.primary) if diagnostic.primary else None,
        "labels": [_json_label(label) for label in diagnostic.labels],
        "notes": list(diagnostic.notes),
        "help": list(diagnostic.help),
    }


def _json_label(label: Label) -> dict[str, Any]:
    line, column, end_line, end_column = _region(label.span)
    place = {"file": label.span.source.name, "line": line, "column": column}
    return {**place, "end_line": end_line, "end_column": end_column, "text": label.text}


def _region(span: Span) -> tuple[int, int, int, int]:
    return (*span.source.position(span.start), *span.source.position(span.end))


def render_sarif(diagnostics: Iterable[Diagnostic]) -> str:
    """A SARIF 2.1.0 log of one run, as code hosts and editors read it (OASIS standard, errata 01)."""
    found = list(diagnostics)
    codes = sorted({diagnostic.code for diagnostic in found})
    run = {
        "tool": {"driver": {"name": "archdsl", "rules": [_sarif_rule(code) for code in codes]}},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(diagnostic, codes.index(diagnostic.code)) for diagnostic in found],
    }
    log = {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _sarif_rule(code: str) -> dict[str, Any]:
    from archdsl.diagnostics.explanations import explain, titles

    return {"id": code, "shortDescription": {"text": titles()[code]}, "help": {"text": explain(code)}}


def _sarif_result(diagnostic: Diagnostic, rule: int) -> dict[str, Any]:
    remarks = [*diagnostic.notes, *(f"help: {text}" for text in diagnostic.help)]
    result: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "ruleIndex": rule,
        "level": diagnostic.severity,
        "message": {"text": "\n".join([diagnostic.message, *remarks])},
    }
    if diagnostic.primary:
        result["locations"] = [_sarif_location(diagnostic.primary)]
    if diagnostic.labels:
        result["relatedLocations"] = [_sarif_location(label) for label in diagnostic.labels]
    return result


def _sarif_location(label: Label) -> dict[str, Any]:
    line, column, end_line, end_column = _region(label.span)
    region = {"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column}
    artifact = {"uri": _uri(label.span.source.name)}
    location: dict[str, Any] = {"physicalLocation": {"artifactLocation": artifact, "region": region}}
    if label.text:
        location["message"] = {"text": label.text}
    return location


def _uri(name: str) -> str:
    path = PurePath(name)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
