"""Texts parsed that are known to be right, or wrong."""

from __future__ import annotations

from archdsl.base.limits import Limits
from archdsl.base.source import Source
from archdsl.diagnostics.model import Diagnostic
from archdsl.language import syntax
from archdsl.language.parser import parse


def faults(text: str, limits: Limits | None = None) -> tuple[Diagnostic, ...]:
    """The diagnostics of a text, which must be wrong."""
    found = parse(Source("test.arch", text), limits or Limits()).diagnostics
    assert found
    return found


def module_of(text: str, limits: Limits | None = None) -> syntax.Module:
    """The tree of a text, which must be right."""
    parsed = parse(Source("test.arch", text), limits or Limits())
    assert parsed.diagnostics == ()
    return parsed.module
