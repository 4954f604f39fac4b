"""What MNASNet alone has: a checkpoint's version, by which torchvision knows the scaling of its stem."""

from __future__ import annotations

from types import ModuleType

import pytest
from torch import nn

import archdsl
from tests.zoo.zoo_models import MNASNETS


@pytest.mark.parametrize("name", MNASNETS)
def test_mnasnet_loads_what_bears_its_version(name: str, torchvision_models: ModuleType) -> None:
    theirs: nn.Module = torchvision_models.get_model(name)
    state = archdsl.build(name, init=False).state_dict()
    state._metadata[""]["version"] = theirs._version  # type: ignore[attr-defined]
    theirs.load_state_dict(state, strict=True)
