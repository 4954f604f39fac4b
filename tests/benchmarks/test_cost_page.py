"""docs/cost.md has torchvision's classifiers, with the numbers that the specs give today, and every op with MACs."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import archdsl
from archdsl.analysis.cost import cost, training_macs
from archdsl.ops import ALL_OPS
from archdsl.ops.contract.base import CostFreeOp
from tests.zoo.zoo import published
from tests.zoo.zoo_models import MODELS

PAGE = Path(__file__).parents[2] / "docs" / "cost.md"
TEXT = PAGE.read_text(encoding="utf-8")


def table(title: str) -> dict[str, list[str]]:
    """The last table below a heading: its rows by their first cell, that of its head as ``""``."""
    section = re.split(rf"^##+ {re.escape(title)}$", TEXT, flags=re.MULTILINE)[1]
    section = re.split(r"^##+ ", section, flags=re.MULTILINE)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {"": head, **{row[0]: row[1:] for row in rows}}


NETWORKS = table("Every network")
HEAD = NETWORKS.pop("")[1:]
TRAINED = {name: row for name, row in table("A training step").items() if name}


def test_every_op_with_products_has_its_formula() -> None:
    listed = {name.strip("`") for name in table("Formulas") if name}
    assert listed == {kind for kind, op in ALL_OPS.items() if not issubclass(op, CostFreeOp)}


def test_every_classifier_has_its_row() -> None:
    assert list(NETWORKS) == sorted(MODELS)
    assert len(NETWORKS) == TEXT.count("\n| ", TEXT.index("### Every network")) - 1


@pytest.mark.parametrize("name", sorted(MODELS))
def test_rows_have_what_specs_and_torchvision_say(name: str, torchvision_models: ModuleType) -> None:
    row, model = dict(zip(HEAD, NETWORKS[name], strict=True)), MODELS[name]
    settings: dict[str, Any] = dict(model.published_settings)
    total = cost(archdsl.load(name, **settings))
    assert (row["archdsl"], row["parameters"]) == (f"{total.macs:,}", f"{total.parameters:,}")
    meta = published(torchvision_models, name, model.weights).meta
    assert (row["published"], row["image"]) == (f"{meta['_ops']:.3f}", str(model.evaluated))


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_what_differs_from_the_published_number_is_bold(name: str) -> None:
    row = dict(zip(HEAD, NETWORKS[name], strict=True))
    tools = HEAD[HEAD.index("published") + 1 :]
    for number in (row[tool] for tool in tools if row[tool] != "not run"):
        assert number.startswith("**") == (number.strip("*") != row["published"])


@pytest.mark.parametrize("name", TRAINED)
def test_training_steps_are_today_s_and_torch_s_with_its_groups_mended(name: str) -> None:
    ours, _, mended = TRAINED[name]
    assert ours == f"{training_macs(archdsl.load(name)):,}" == mended


def test_every_difference_is_explained() -> None:
    tools = {name: row for name, row in table("Other tools").items() if name not in ("", "archdsl")}
    assert set(tools) == set(HEAD[HEAD.index("published") + 1 :])
    for ran, _, _, explained in tools.values():
        assert explained == f"{ran} of {ran}"
