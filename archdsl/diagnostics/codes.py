"""The codes of diagnostics; the letter says how grave one is."""

from __future__ import annotations

from typing import Literal

ErrorCode = Literal[
    # files and text
    "E001", "E002", "E003",
    # syntax
    "E101", "E102", "E103", "E104", "E105", "E106",
    # names
    "E201", "E202", "E203", "E204", "E205", "E206", "E207",
    # arguments and values
    "E211", "E212", "E213", "E214", "E215", "E221", "E222", "E223", "E224", "E225", "E226", "E227",
    # shapes
    "E301", "E302", "E303", "E304", "E305", "E306", "E307", "E308", "E309",
    # imports and networks
    "E401", "E402", "E403", "E404", "E405", "E406", "E407", "E408", "E409", "E410", "E411", "E412",
    # limits
    "E501", "E502", "E503", "E504", "E505",
    # weights, artifacts, devices
    "E601", "E602", "E603", "E604", "E605", "E606", "E607",
    # ops of one's own
    "E701", "E702",
    # analysis
    "E801", "E802", "E803", "E804",
]  # fmt: skip
"""What makes a spec, a file or a request wrong: no graph comes of it."""

WarningCode = Literal["W401"]
"""What is most likely not meant, and costs nothing: the graph is made all the same."""

NoteCode = Literal["N401"]
"""What is as it should be, and good to know."""

Code = ErrorCode | WarningCode | NoteCode
"""Every code. docs/errors.md has a heading for each, tests/golden/diagnostics an example."""

Severity = Literal["error", "warning", "note"]

_SEVERITIES: dict[str, Severity] = {"E": "error", "W": "warning", "N": "note"}


def severity_of(code: Code) -> Severity:
    """What the letter of a code says."""
    return _SEVERITIES[code[0]]
