"""docs/zoo.md has every bundled network, with the numbers that the specs give today."""

from __future__ import annotations

import re

import pytest

import archdsl
from archdsl.analysis.cost import cost
from tests.zoo_page import PAGE, spec_lines

ROW = re.compile(r"^\| (\w+) \| ([\d,]+) \| ([\d,]+) \| [^|]+ \| (\d+) \| (\d+) \|", re.MULTILINE)


def rows() -> dict[str, tuple[int, ...]]:
    found = ROW.findall(PAGE.read_text(encoding="utf-8"))
    return {name: tuple(int(number.replace(",", "")) for number in numbers) for name, *numbers in found}


def test_the_page_has_every_network() -> None:
    assert sorted(rows()) == sorted(archdsl.bundled())


@pytest.mark.parametrize("name", archdsl.bundled())
def test_the_page_has_the_specs_numbers(name: str) -> None:
    total = cost(archdsl.load(name))
    assert rows()[name] == (total.parameters, total.macs, *spec_lines(name))
