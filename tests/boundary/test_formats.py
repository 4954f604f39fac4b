"""Formats of artifacts, and the packages that they need."""

from __future__ import annotations

import pytest

from archdsl.boundary.formats import check_format
from archdsl.diagnostics.problems import ArchError


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archdsl.boundary.formats.find_spec", lambda name: None)
    with pytest.raises(ArchError, match="onnx is needed to write"):
        check_format("net.onnx")
    assert check_format("net.PY") == ".py"
