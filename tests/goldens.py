"""Golden files: ``tests/golden/<stage>/<case>.arch`` beside what the stage is expected to make of it.

A missing expectation is written, and the test fails all the same, so that nothing is accepted unread.
``ARCHDSL_UPDATE_GOLDENS=1`` rewrites those that differ, and fails for each.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "golden"
UPDATE = "ARCHDSL_UPDATE_GOLDENS"


def golden_cases(stage: str) -> list[Path]:
    """The stage's ``.arch`` files, sorted."""
    return sorted((FOLDER / stage).glob("*.arch"))


def orphans(stage: str) -> list[str]:
    """Expectations in the stage's folder whose ``.arch`` file is gone."""
    cases = {path.stem for path in golden_cases(stage)}
    return sorted(path.name for path in (FOLDER / stage).iterdir() if path.is_file() and path.stem not in cases)


def check_golden(path: Path, actual: str, suffix: str) -> None:
    """Fails unless the file beside ``path`` with ``suffix`` holds exactly ``actual``."""
    expectation = path.with_suffix(suffix)
    known = expectation.read_text(encoding="utf-8") if expectation.exists() else None
    if known == actual:
        return
    if known is None or os.environ.get(UPDATE) == "1":
        expectation.write_text(actual, encoding="utf-8")
        pytest.fail(f"{expectation.name} was {'missing' if known is None else 'different'}; written anew: read it")
    assert actual == known, f"{path.name} differs from {expectation.name}; {UPDATE}=1 rewrites it"
