"""The specs of torchvision's ResNets, ResNeXts, Wide ResNets and DenseNets are torchvision's models.

The first half judges by golden files made from torchvision and needs torchvision not; the second half by
torchvision itself, for a few models, or for all with ``-m exhaustive``.
"""

from __future__ import annotations

import json
from functools import cache
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archdsl
from archdsl.analysis.cost import cost
from tests.canonical import from_graph
from tests.distributions import Distribution
from tests.torchvision_goldens import FOLDER, INPUT, MODELS, check_distributions, count_macs, golden_text
from tests.traced import from_module

SAMPLE = {"resnet18", "resnet50", "resnext50_32x4d", "wide_resnet50_2", "densenet121"}

every_model = pytest.mark.parametrize("name", MODELS)
sampled_models = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in SAMPLE else [pytest.mark.exhaustive]) for name in MODELS]
)
image_sizes = pytest.mark.parametrize("size", [64, *(pytest.param(n, marks=pytest.mark.exhaustive) for n in (97, 224))])


@cache
def golden(name: str) -> dict[str, Any]:
    """What torchvision's model is; see ``torchvision_goldens.py``."""
    facts: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return facts


# ---- by golden files -----------------------------------------------------------------------------


def test_every_golden_file_has_its_model() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(MODELS)


@every_model
def test_graph_is_isomorphic(name: str) -> None:
    form = [node.as_json() for node in from_graph(archdsl.load(name))]
    assert form == golden(name)["graph"]


@every_model
def test_fx_graph_is_isomorphic(name: str) -> None:
    module = archdsl.build(name, device="meta")
    assert [node.as_json() for node in from_module(module, INPUT)] == golden(name)["graph"]


@every_model
def test_costs_are_the_published_ones(name: str) -> None:
    expected = golden(name)
    total = cost(archdsl.load(name))
    assert total.parameters == expected["num_params"]
    assert total.macs == expected["macs"]
    assert round(total.macs / 1e9, 3) == expected["gmacs"]


@every_model
def test_macs_of_the_built_module(name: str) -> None:
    assert count_macs(archdsl.build(name, device="meta"), INPUT) == golden(name)["macs"]


@every_model
def test_state_dict_and_its_start(name: str) -> None:
    torch.manual_seed(0)
    module = archdsl.build(name)
    rows = golden(name)["state_dict"]
    found = [[key, [*tensor.shape], str(tensor.dtype)] for key, tensor in module.state_dict().items()]
    assert found == [[key, shape, f"torch.{dtype}"] for key, shape, dtype, *_ in rows]
    check_distributions(module, {key: Distribution(*start) for key, _, _, *start in rows})


@every_model
def test_parameters_learn_and_buffers_do_not(name: str) -> None:
    module = archdsl.build(name, device="meta")
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    expected = [key for key, *_ in golden(name)["state_dict"] if not key.endswith(buffers)]
    assert [key for key, parameter in module.named_parameters() if parameter.requires_grad] == expected


# ---- by torchvision itself -----------------------------------------------------------------------


def randomized(model: nn.Module, seed: int = 0) -> nn.Module:
    """The model with norms that do something: at its start each is nearly the identity in eval mode."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                for tensor in (module.weight, module.running_var):
                    assert tensor is not None
                    tensor.uniform_(0.5, 1.5, generator=generator)
                for tensor in (module.bias, module.running_mean):
                    assert tensor is not None
                    tensor.normal_(0, 0.1, generator=generator)
    return model


def pair(models: ModuleType, name: str) -> tuple[nn.Module, nn.Module]:
    """Our model and torchvision's, with the same weights."""
    theirs = randomized(models.get_model(name))
    ours = archdsl.build(name, init=False)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return ours, theirs


def images(size: int, batch: int = 2) -> Tensor:
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(1))


def differing(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> list[str]:
    """Names whose tensors are not the same to the bit."""
    assert list(ours) == list(theirs)
    return [name for name, tensor in ours.items() if not torch.equal(tensor, theirs[name])]


def gradients(model: nn.Module) -> dict[str, Tensor]:
    found = {name: parameter.grad for name, parameter in model.named_parameters()}
    return {name: gradient for name, gradient in found.items() if gradient is not None}


@sampled_models
def test_golden_file_is_what_torchvision_says(name: str, torchvision_models: ModuleType) -> None:
    assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == golden_text(name)


@sampled_models
def test_checkpoints_load_both_ways(name: str, torchvision_models: ModuleType) -> None:
    ours, theirs = pair(torchvision_models, name)
    other = torchvision_models.get_model(name)
    other.load_state_dict(ours.state_dict(), strict=True)
    assert differing(other.state_dict(), theirs.state_dict()) == []


@image_sizes
@sampled_models
def test_eval_outputs_are_equal(name: str, size: int, torchvision_models: ModuleType) -> None:
    ours, theirs = (model.eval() for model in pair(torchvision_models, name))
    with torch.no_grad():
        assert torch.equal(ours(images(size)), theirs(images(size)))


@image_sizes
@sampled_models
def test_training_step_is_equal(name: str, size: int, torchvision_models: ModuleType) -> None:
    ours, theirs = pair(torchvision_models, name)
    outputs = []
    for model in (ours, theirs):
        output = model.train()(images(size))
        nn.functional.cross_entropy(output, torch.tensor([3, 7])).backward()
        outputs.append(output.detach())
    assert torch.equal(*outputs)
    assert len(gradients(theirs)) == len(list(theirs.parameters()))
    assert differing(gradients(ours), gradients(theirs)) == []
    assert differing(ours.state_dict(), theirs.state_dict()) == []
