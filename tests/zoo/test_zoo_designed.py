"""RegNet's rule with other numbers than the published ones, against torchvision's."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

import archdsl
from archdsl.backends.python.python_source import to_python
from archdsl.backends.torch.fx import to_graph_module
from tests.zoo import zoo


def regnet(numbers: dict[str, float]) -> archdsl.Graph:
    written = ", ".join(f"{name} = {value}" for name, value in numbers.items())
    return archdsl.load(f'from "blocks/regnet.arch" import regnet\nnetwork n = regnet({written})')


def torchvisions_regnet(models: ModuleType, numbers: dict[str, float]) -> nn.Module:
    renamed: dict[str, Any] = {"se_ratio" if name == "squeeze" else name: n for name, n in numbers.items()}
    module: nn.Module = models.RegNet(models.regnet.BlockParams.from_init_params(**renamed))
    return module


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param({"depth": 13, "w_0": 24, "w_a": 36.44, "w_m": 2.49, "group_width": 8}, id="200mf"),
        pytest.param({"depth": 5, "w_0": 24, "w_a": 8, "w_m": 2.5, "group_width": 64}, id="narrower than a group"),
        pytest.param({"depth": 9, "w_0": 40, "w_a": 30, "w_m": 2.1, "group_width": 48}, id="widths that groups move"),
        pytest.param({"depth": 6, "w_0": 8, "w_a": 60, "w_m": 2.0, "group_width": 8}, id="a power passed over"),
        pytest.param({"depth": 9, "w_0": 8, "w_a": 1, "w_m": 1.25, "group_width": 8}, id="powers of one width"),
        pytest.param({"depth": 3, "w_0": 16, "w_a": 0, "w_m": 2.0, "group_width": 8}, id="one stage"),
        pytest.param(
            {"depth": 4, "w_0": 24, "w_a": 30.1, "w_m": 2.2, "group_width": 8, "squeeze": 0.3}, id="another squeeze"
        ),
    ],
)
def test_widths_depths_and_groups_are_torchvisions(torchvision_models: ModuleType, numbers: dict[str, float]) -> None:
    theirs = torchvisions_regnet(torchvision_models, numbers)
    ours = to_graph_module(regnet(numbers), init=False)
    assert entries(ours) == entries(theirs)
    ours.load_state_dict(zoo.randomized(theirs).state_dict())
    images = zoo.images(64, 2)
    with torch.no_grad():
        assert torch.equal(ours.eval()(images), theirs.eval()(images))


def entries(module: nn.Module) -> list[tuple[str, tuple[int, ...]]]:
    return [(name, tuple(value.shape)) for name, value in module.state_dict().items()]


# ---- what is made of a small one -----------------------------------------------------------------


def test_python_source_of_names_with_a_hyphen() -> None:
    graph = regnet({"depth": 3, "w_0": 16, "w_a": 16, "w_m": 2, "group_width": 8, "squeeze": 0.25})
    module = to_graph_module(graph)
    namespace: dict[str, Any] = {"__name__": "written"}
    exec(to_python(graph), namespace)
    written = namespace["N"]()
    assert entries(written) == entries(module)
    written.load_state_dict(module.state_dict())
    images = zoo.images(32, 2)
    assert torch.equal(written.eval()(images), module.eval()(images))
