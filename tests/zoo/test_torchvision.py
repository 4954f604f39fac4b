"""The bundled specs are what golden files made from torchvision say, which needs torchvision not.

``torchvision_goldens.py`` makes them; ``test_zoo.py`` compares all specs with torchvision itself.
"""

from __future__ import annotations

import json
from functools import cache
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

import archdsl
from archdsl.analysis.cost import cost
from archdsl.backends.torch.traced import traced_form
from archdsl.graph.canonical import canonical_form
from tests.backends.distributions import Distribution
from tests.zoo.torchvision_goldens import FOLDER, GOLDENS, check_distributions, count_macs, golden_text
from tests.zoo.zoo_models import MODELS

every_model = pytest.mark.parametrize("name", GOLDENS)
convolutional_models = pytest.mark.parametrize("name", [name for name in GOLDENS if MODELS[name].convolutional])
SAMPLE = {"resnet18", "densenet121", "googlenet", "mobilenet_v3_small", "convnext_tiny", "vit_b_32"}
sampled_models = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in SAMPLE else [pytest.mark.exhaustive]) for name in GOLDENS]
)


@cache
def golden(name: str) -> dict[str, Any]:
    """What torchvision's model is."""
    facts: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return facts


def load(name: str) -> archdsl.Graph:
    """The spec, with the settings of the model that the golden file is about."""
    return archdsl.load(name, **golden(name).get("settings", {}))


def build(name: str, device: str = "meta") -> nn.Module:
    return archdsl.build(name, device=device, **golden(name).get("settings", {}))


def test_every_golden_file_has_its_model() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(GOLDENS)


@sampled_models
def test_golden_file_is_what_torchvision_says(name: str, torchvision_models: ModuleType) -> None:
    assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == golden_text(name)


@convolutional_models
def test_graph_is_isomorphic(name: str) -> None:
    assert [node.as_json() for node in canonical_form(load(name))] == golden(name)["graph"]


@convolutional_models
def test_fx_graph_is_isomorphic(name: str) -> None:
    form = traced_form(build(name).eval(), golden(name)["input"])
    assert [node.as_json() for node in form] == golden(name)["graph"]


@every_model
def test_costs_are_the_published_ones(name: str) -> None:
    expected = golden(name)
    graph = load(name)
    total = cost(graph)
    assert [*graph.inputs[0].type.sizes] == expected["input"]
    assert total.parameters == expected["num_params"]
    assert total.macs == expected["macs"]
    assert round(total.macs / 1e9, 3) == expected["gmacs"]


@every_model
def test_macs_of_the_built_module(name: str) -> None:
    assert count_macs(build(name), golden(name)["input"]) == golden(name)["macs"]


@every_model
def test_state_dict_and_its_start(name: str) -> None:
    torch.manual_seed(0)
    module = build(name, device="cpu")
    rows = golden(name)["state_dict"]
    found = [[key, [*tensor.shape], str(tensor.dtype)] for key, tensor in module.state_dict().items()]
    assert found == [[key, shape, f"torch.{dtype}"] for key, shape, dtype, *_ in rows]
    check_distributions(module, {key: Distribution(*start) for key, _, _, *start in rows})


@every_model
def test_parameters_learn_and_buffers_do_not(name: str) -> None:
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    expected = [key for key, *_ in golden(name)["state_dict"] if not key.endswith(buffers)]
    assert [key for key, parameter in build(name).named_parameters() if parameter.requires_grad] == expected
