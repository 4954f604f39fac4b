"""How the parameters of torch modules start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from archdsl.backends.torch_private import own_parameters
from archdsl.ops.contract.base import ParameterSpec
from archdsl.ops.contract.init import Initializer

WITH_LARGE_WEIGHTS = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
"""Modules whose constructor's own draws cost time. The others' defaults (ones, zeros) are cheap and kept."""


def initialise(module: nn.Module, specs: Mapping[str, ParameterSpec]) -> None:
    """Start each parameter once: as its spec says, else as the module's own ``reset_parameters`` does."""
    inits = {name: spec.init for name, spec in specs.items() if spec.init is not None}
    if len(inits) < len(specs) and isinstance(module, WITH_LARGE_WEIGHTS):
        if inits:
            _reset_parameters_without(module, inits)
        else:
            module.reset_parameters()
    for name, init in inits.items():
        start(module.get_parameter(name), init)


def start(parameter: Tensor, initializer: Initializer) -> None:
    """Fill by torch's function of the initialiser's name."""
    getattr(nn.init, f"{initializer.kind}_")(parameter, **_init_arguments(initializer))


def _init_arguments(initializer: Initializer) -> dict[str, Any]:
    arguments = initializer.arguments()
    return {"val": arguments["value"]} if initializer.kind == "constant" else arguments


def _reset_parameters_without(module: nn.Module, names: Iterable[str]) -> None:
    """``module.reset_parameters()``, with stand-ins on meta for parameters that get another start.

    The stand-ins have their shapes (a bias's default depends on its weight's), cost nothing and
    take no random numbers.
    """
    parameters = own_parameters(module)
    own = dict(parameters)
    for name in names:
        parameter = own[name]
        if parameter is not None:
            parameters[name] = nn.Parameter(torch.empty(parameter.shape, device="meta"))
    try:
        module.reset_parameters()  # type: ignore[operator]
    finally:
        parameters.update(own)
