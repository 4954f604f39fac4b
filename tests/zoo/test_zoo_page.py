"""docs/zoo.md has every bundled network, with the numbers that the specs give today and what judges each."""

from __future__ import annotations

import re
from types import ModuleType

import pytest

import archdsl
from archdsl.zoo.citations import citation
from tests.zoo.zoo_models import MODELS
from tools.zoo_page import FROM_PAPER, HEADER, LARGEST_DIFFERENCE, PAGE, check_keys, known_cells, references

TEXT = PAGE.read_text(encoding="utf-8")
ROW = re.compile(r"^\| (?!network )(\w+) \|.*\|$", re.MULTILINE)
OUTPUTS = re.compile(r"(?:equal|within 1e-\d+, in float64 (?P<difference>0|1e-\d+),) at \d+")
ROWS = {row[1]: [cell.strip() for cell in row[0].strip("|").split("|")] for row in ROW.finditer(TEXT)}


def test_the_page_has_every_network_once() -> None:
    assert sorted(row[1] for row in ROW.finditer(TEXT)) == sorted(archdsl.bundled())


def test_the_page_begins_as_the_script_has_it() -> None:
    assert TEXT.startswith(HEADER)


def test_networks_are_grouped_by_family() -> None:
    sections = re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]
    found = {section.splitlines()[0]: {row[1] for row in ROW.finditer(section)} for section in sections}
    families = {name: citation(archdsl.load(name).doc).family for name in archdsl.bundled()}
    assert found == {family: {n for n, own in families.items() if own == family} for family in families.values()}
    assert list(found) == sorted(found, key=str.lower)


@pytest.mark.parametrize("name", archdsl.bundled())
def test_rows_have_what_specs_and_references_say(name: str, torchvision_models: ModuleType) -> None:
    *before, _, spec, blocks, _, remarks = ROWS[name]
    assert [*before, spec, blocks, remarks] == known_cells(archdsl.load(name))


@pytest.mark.parametrize("name", archdsl.bundled())
def test_outputs_are_as_near_as_the_tests_demand(name: str) -> None:
    found = OUTPUTS.fullmatch(ROWS[name][4])
    assert found, ROWS[name][4]
    assert float(found["difference"] or 0) <= LARGEST_DIFFERENCE
    demands_equality = name in MODELS or (references()[name].timm and references()[name].deviation == 0)
    assert not (demands_equality and found["difference"])


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row[3] == FROM_PAPER])
def test_judges_by_the_paper_have_our_keys(name: str, torchvision_models: ModuleType) -> None:
    check_keys(name)
