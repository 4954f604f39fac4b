"""Whole graphs: tests/golden/elaborate/*.arch beside the canonical text of what they build."""

from __future__ import annotations

from pathlib import Path

import pytest

import archdsl
from tests.goldens import check_golden, golden_cases


@pytest.mark.parametrize("path", golden_cases("elaborate"), ids=lambda path: path.stem)
def test_elaborated_graph(path: Path) -> None:
    graph = archdsl.load(path)
    graph.verify()
    check_golden(path, graph.text(), ".out")
