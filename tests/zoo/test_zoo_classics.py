"""What GoogLeNet and Inception v3 alone have: auxiliary classifiers."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch

import archdsl

with_auxiliaries = pytest.mark.parametrize(
    ("name", "auxiliary"), [("googlenet", ["aux1", "aux2"]), ("inception_v3", ["AuxLogits"])]
)


@with_auxiliaries
def test_same_state_without_auxiliary_classifiers(
    name: str, auxiliary: list[str], torchvision_models: ModuleType
) -> None:
    with torch.device("meta"):
        theirs = torchvision_models.get_model(name, aux_logits=False, init_weights=False).state_dict()
    ours = archdsl.build(name, aux_logits=False, device="meta").state_dict()
    assert [(key, value.shape) for key, value in ours.items()] == [(key, value.shape) for key, value in theirs.items()]
    assert not any(key.startswith(tuple(auxiliary)) for key in ours)


@with_auxiliaries
def test_auxiliary_outputs_come_in_training_alone(name: str, auxiliary: list[str]) -> None:
    module = archdsl.build(name, init=False, device="meta")
    images = torch.empty(2, 3, 299, 299, device="meta")
    assert list(module(images)) == ["output", *auxiliary]
    assert isinstance(module.eval()(images), torch.Tensor)
