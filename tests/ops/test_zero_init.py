"""``zero_init_residual``, one parameter of all residual networks: each block begins as its shortcut."""

from __future__ import annotations

from types import ModuleType

import pytest
from torch import nn

import archdsl
from archdsl import Graph
from archdsl.ops.contract.init import Zeros
from tests.zoo.zoo_models import RESNETS


def has_parameter(name: str) -> bool:
    try:
        archdsl.load(name, zero_init_residual=True)
    except archdsl.ArchError:
        return False
    return True


NETWORKS = [name for name in archdsl.bundled() if has_parameter(name)]


def zeroed(graph: Graph) -> int:
    return sum(isinstance(getattr(node.op, "init", None), Zeros) for node in graph.nodes)


def zeros(model: nn.Module) -> set[str]:
    return {name for name, parameter in model.named_parameters() if not parameter.any()}


def test_the_family_has_it() -> None:
    assert set(RESNETS) <= set(NETWORKS)
    assert {"seresnet50", "resnet50d", "resnet50_v1", "resnetblur18"} <= set(NETWORKS)


@pytest.mark.parametrize("name", NETWORKS)
def test_one_norm_of_each_block_starts_at_zero(name: str) -> None:
    scopes = {node.path.rpartition(".")[0] for node in archdsl.load(name).nodes if node.op.kind == "add"} - {""}
    blocks = len(scopes)
    if name.startswith("skresn"):
        blocks //= 2  # selective_kernel has sums of its own
    assert zeroed(archdsl.load(name)) == 0
    assert zeroed(archdsl.load(name, zero_init_residual=True)) == blocks


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnext50_32x4d", "wide_resnet50_2"])
def test_it_is_torchvisions(name: str, torchvision_models: ModuleType) -> None:
    theirs = torchvision_models.get_model(name, zero_init_residual=True)
    assert zeros(archdsl.build(name, zero_init_residual=True)) == zeros(theirs)
