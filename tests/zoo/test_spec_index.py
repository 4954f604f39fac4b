"""The index of the bundled networks says what the specs say."""

from __future__ import annotations

import pytest

from archdsl.zoo import index as spec_index
from archdsl.zoo.bundled import bundled_file, bundled_paths
from archdsl.zoo.index import digest, index_text
from cli import list as list_command
from cli.list import computed_summaries, summaries
from tools.spec_index import FILE


def test_the_index_is_that_of_the_specs() -> None:
    """Otherwise: ``python -m tools.spec_index``."""
    assert FILE.read_text(encoding="utf-8") == index_text(computed_summaries())


def test_summaries_come_from_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_command, "computed_summaries", lambda: pytest.fail("worked out anew"))
    assert len(summaries()) > 130


@pytest.mark.parametrize("change", ["edit", "name", "order"])
def test_other_specs_are_worked_out_anew(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    before, paths = digest(), bundled_paths()
    if change == "edit":
        files = {path: bundled_file(path) for path in paths}
        swapped = {**files, "resnet18.arch": files["resnet34.arch"]}
        monkeypatch.setattr(spec_index, "bundled_file", lambda path: swapped.get(path, FILE))
    elif change == "name":
        monkeypatch.setattr(spec_index, "bundled_paths", lambda: [*paths, "index.json"])
    else:
        monkeypatch.setattr(spec_index, "bundled_paths", lambda: paths[::-1])
    assert digest() != before
    made: list[object] = []
    monkeypatch.setattr(list_command, "computed_summaries", lambda: made)
    assert summaries() is made
