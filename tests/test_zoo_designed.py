"""The specs of RegNet X and Y and of ConvNeXt are torchvision's models.

The ordinary run takes a small model of each family; ``-m exhaustive`` takes the others, and all at their own sizes.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

import archdsl
from archdsl.analysis.cost import cost
from archdsl.backends.fx import to_graph_module
from archdsl.backends.python_source import to_python
from tests import zoo
from tests.torchvision_goldens import count_macs

SIZES = ("400mf", "800mf", "1_6gf", "3_2gf", "8gf", "16gf", "32gf")
REGNETS = (*(f"regnet_x_{size}" for size in SIZES), *(f"regnet_y_{size}" for size in SIZES))
CONVNEXTS = ("convnext_tiny", "convnext_small", "convnext_base", "convnext_large")
MODELS = (*REGNETS, *CONVNEXTS)
LARGEST = "regnet_y_128gf"
"""Compared without its weights."""

SAMPLE = {"regnet_x_400mf", "regnet_y_400mf", "convnext_tiny"}

every_model = pytest.mark.parametrize("name", MODELS)
sampled_models = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in SAMPLE else [pytest.mark.exhaustive]) for name in MODELS]
)


# ---- the published models ------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*MODELS, LARGEST])
def test_state_is_the_same(name: str, torchvision_models: ModuleType) -> None:
    zoo.check_same_state(torchvision_models, name)


@sampled_models
def test_costs_are_the_published_ones(name: str, torchvision_models: ModuleType) -> None:
    zoo.check_costs(torchvision_models, name)


def test_the_largests_costs_are_those_at_the_constructors_size(torchvision_models: ModuleType) -> None:
    """Its first published weights are for 384x384 images."""
    published = torchvision_models.get_model_weights(LARGEST).IMAGENET1K_SWAG_LINEAR_V1
    graph = archdsl.load(LARGEST)
    sizes = graph.inputs[0].type.sizes
    assert sizes[-1] == published.transforms.keywords["crop_size"]
    total = cost(graph)
    assert (total.parameters, round(total.macs / 1e9, 3)) == (published.meta["num_params"], published.meta["_ops"])
    assert count_macs(to_graph_module(graph, device="meta"), sizes) == total.macs


@every_model
def test_declared_size_is_the_published_one(name: str, torchvision_models: ModuleType) -> None:
    weights = next(iter(torchvision_models.get_model_weights(name)))
    assert archdsl.load(name).inputs[0].type.sizes[-1] == weights.transforms.keywords["crop_size"]


@sampled_models
def test_eval_outputs_are_equal(name: str, torchvision_models: ModuleType) -> None:
    zoo.check_eval(torchvision_models, name, size=64)


@pytest.mark.exhaustive
@every_model
def test_eval_outputs_are_equal_at_the_declared_size(name: str, torchvision_models: ModuleType) -> None:
    zoo.check_eval(torchvision_models, name, size=224)


@sampled_models
def test_training_step_is_equal(name: str, torchvision_models: ModuleType) -> None:
    """With four images some blocks of some images are dropped."""
    zoo.check_train(torchvision_models, name, size=33, batch=4)


@pytest.mark.exhaustive
@every_model
def test_training_step_is_equal_on_larger_images(name: str, torchvision_models: ModuleType) -> None:
    zoo.check_train(torchvision_models, name, size=96)


@sampled_models
def test_start_is_the_same(name: str, torchvision_models: ModuleType) -> None:
    zoo.check_start(torchvision_models, name)


# ---- RegNet's rule with other numbers ------------------------------------------------------------


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
