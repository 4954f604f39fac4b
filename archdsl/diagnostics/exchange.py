"""Diagnostics for programs: JSON, and SARIF 2.1.0."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from archdsl.base.source import Span
from archdsl.diagnostics.explanations import explain, titles
from archdsl.diagnostics.model import Diagnostic, Label

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


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
