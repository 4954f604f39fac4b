"""A diagnostic says the same however its parts are given."""

from __future__ import annotations

import pickle
from copy import deepcopy
from dataclasses import FrozenInstanceError, replace

import pytest

from archdsl.base.source import Source, Span
from archdsl.diagnostics.model import Diagnostic, Label


@pytest.mark.parametrize(
    ("given", "kept"),
    [("", ()), ("do", ("do",)), (("", "do", ""), ("do",)), (["one", "two"], ("one", "two")), ((), ())],
)
def test_help_is_one_text_or_several_and_none_is_empty(given: str | list[str], kept: tuple[str, ...]) -> None:
    assert Diagnostic("E001", "m", help=given).help == kept


def test_a_bare_span_is_a_place() -> None:
    span = Span(Source("s", "text"), 0, 4)
    assert Diagnostic("E001", "m", span) == Diagnostic("E001", "m", Label(span))
    assert Diagnostic("E001", "m", None).span is None


def test_a_diagnostic_stays_as_it_is() -> None:
    diagnostic = Diagnostic("E001", "m", help="h", notes=["n"])
    with pytest.raises(FrozenInstanceError):
        diagnostic.message = "other"  # type: ignore[misc]
    assert replace(diagnostic, message="other").help == ("h",)
    assert deepcopy(diagnostic) == pickle.loads(pickle.dumps(diagnostic)) == diagnostic
    assert hash(deepcopy(diagnostic)) == hash(diagnostic)
