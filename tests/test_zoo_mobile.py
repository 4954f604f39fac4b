"""The specs of MobileNet v2 and v3, MnasNet, ShuffleNet v2, EfficientNet and v2 are torchvision's models.

The ordinary run takes a small model of each family; ``-m exhaustive`` takes the others, and all at their own sizes.
"""

from __future__ import annotations

from types import ModuleType

import pytest
from torch import nn

import archdsl
from tests.zoo import check_costs, check_eval, check_same_state, check_start, check_train

MNASNETS = ("mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3")
MODELS = (
    "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", *MNASNETS,
    "shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0",
    "efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3", "efficientnet_b4", "efficientnet_b5",
    "efficientnet_b6", "efficientnet_b7", "efficientnet_v2_s", "efficientnet_v2_m", "efficientnet_v2_l",
)  # fmt: skip
SAMPLE = {
    "mobilenet_v2", "mobilenet_v3_small", "mnasnet0_5", "shufflenet_v2_x0_5", "efficientnet_b0", "efficientnet_v2_s"
}  # fmt: skip

every_model = pytest.mark.parametrize("name", MODELS)
sampled_models = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in SAMPLE else [pytest.mark.exhaustive]) for name in MODELS]
)


@pytest.fixture
def models(torchvision_models: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """torchvision's models; MNASNet loads state as any module does.

    Its own loader asks which of its versions saved a checkpoint. PyTorch's mark for any other module means its first
    one there, whose stem was not scaled. ``test_mnasnet_loads_what_bears_its_version`` is about that loader.
    """
    monkeypatch.delattr(torchvision_models.MNASNet, "_load_from_state_dict")
    return torchvision_models


def declared_size(name: str) -> int:
    """Height and width of the input that the spec declares."""
    return archdsl.load(name).inputs[0].type.sizes[-1]


@sampled_models
def test_state_is_the_same(name: str, models: ModuleType) -> None:
    check_same_state(models, name)


@sampled_models
def test_costs_are_the_published_ones(name: str, models: ModuleType) -> None:
    check_costs(models, name)


@every_model
def test_declared_size_is_the_published_one(name: str, models: ModuleType) -> None:
    weights = next(iter(models.get_model_weights(name)))
    assert declared_size(name) == weights.transforms.keywords["crop_size"]


@sampled_models
def test_eval_outputs_are_equal(name: str, models: ModuleType) -> None:
    check_eval(models, name, size=64)


@pytest.mark.exhaustive
@every_model
def test_eval_outputs_are_equal_at_the_declared_size(name: str, models: ModuleType) -> None:
    check_eval(models, name, declared_size(name))


@sampled_models
def test_training_step_is_equal(name: str, models: ModuleType) -> None:
    check_train(models, name, size=33)


@pytest.mark.exhaustive
@every_model
def test_training_step_is_equal_on_larger_images(name: str, models: ModuleType) -> None:
    check_train(models, name, size=96)


@sampled_models
def test_start_is_the_same(name: str, models: ModuleType) -> None:
    check_start(models, name)


@pytest.mark.parametrize("name", MNASNETS)
def test_mnasnet_loads_what_bears_its_version(name: str, torchvision_models: ModuleType) -> None:
    theirs: nn.Module = torchvision_models.get_model(name)
    state = archdsl.build(name, init=False).state_dict()
    state._metadata[""]["version"] = theirs._version  # type: ignore[attr-defined]
    theirs.load_state_dict(state, strict=True)
