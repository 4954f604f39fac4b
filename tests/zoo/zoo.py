"""What "equal to torchvision's" means for one model, as functions that the zoo's tests call."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

import archdsl
from archdsl.analysis.cost import cost
from archdsl.backends.torch.traced import traced_form
from archdsl.graph.canonical import canonical_form
from tests.zoo.torchvision_goldens import count_macs
from tests.zoo.zoo_models import initialised


def published(models: ModuleType, name: str, weights: str = "") -> Any:
    """The entry of the published weights of this name, "" for the first.

    Its ``meta`` holds ``num_params`` and ``_ops`` (billions of multiply-adds), its ``transforms`` the image size.
    """
    entries = models.get_model_weights(name)
    return entries[weights] if weights else next(iter(entries))


def check_same_state(models: ModuleType, name: str, moved: str = "") -> None:
    """The same keys in the same order, with the same shapes and dtypes; a meta build is enough.

    Keys that match ``moved`` stand elsewhere in torchvision's order, and are compared by themselves.
    """

    def is_moved(entry: tuple[Any, ...]) -> bool:
        return bool(moved and re.search(moved, entry[0]))

    theirs = without_weights(models, name)
    ours = archdsl.build(name, device="meta")
    for listed in (_entries, _parameters):
        assert sorted(listed(ours), key=is_moved) == sorted(listed(theirs), key=is_moved)


def without_weights(models: ModuleType, name: str) -> nn.Module:
    """torchvision's model on the meta device, but for the tensors with which RegNet computes its widths."""
    parameters = models.regnet.BlockParams
    in_memory = functools.partial(_in_memory, parameters.from_init_params)
    with mock.patch.object(parameters, "from_init_params", in_memory), torch.device("meta"):
        model: nn.Module = models.get_model(name, **initialised(name, False))
    return model


def _in_memory(function: Callable[..., Any], **arguments: Any) -> Any:
    with torch.device("cpu"):
        return function(**arguments)


def check_isomorphic(models: ModuleType, name: str) -> None:
    """The spec's graph has the canonical form of torchvision's module in evaluation mode."""
    graph = archdsl.load(name)
    theirs = without_weights(models, name).eval()
    assert canonical_form(graph) == traced_form(theirs, graph.inputs[0].type.sizes)


def check_costs(models: ModuleType, name: str, weights: str = "", **settings: Any) -> None:
    """Parameters and MACs are the published ones, and MACs those that torch counts.

    ``settings`` are those of the spec that the published numbers are of.
    """
    expected = published(models, name, weights).meta
    graph = archdsl.load(name)
    total = cost(graph)
    assert cost(archdsl.load(name, **settings)).parameters == expected["num_params"]
    assert round(total.macs / 1e9, 3) == expected["_ops"]
    sizes = graph.inputs[0].type.sizes
    assert count_macs(archdsl.build(name, device="meta"), sizes) == total.macs


def pair(models: ModuleType, name: str) -> tuple[nn.Module, nn.Module]:
    """Our model and torchvision's with the same weights, loaded strictly."""
    theirs = randomized(models.get_model(name, **initialised(name, False)))
    ours = archdsl.build(name, init=False)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return ours, theirs


def check_loads(models: ModuleType, name: str) -> None:
    """What one saves the other loads strictly, and back to the same tensors."""
    ours, theirs = pair(models, name)
    assert differing(ours.state_dict(), theirs.state_dict()) == []
    for tensor in theirs.state_dict().values():
        tensor.zero_()
    theirs.load_state_dict(ours.state_dict(), strict=True)
    assert differing(ours.state_dict(), theirs.state_dict()) == []


def check_eval(models: ModuleType, name: str, size: int, batch: int = 2) -> None:
    """Eval outputs are equal to the bit, and several images are told apart."""
    ours, theirs = pair(models, name)
    calibrate(theirs, size)
    ours.load_state_dict(theirs.state_dict())
    with torch.no_grad():
        outputs, expected = (model.eval()(images(size, batch)) for model in (ours, theirs))
    assert torch.equal(outputs, expected)
    assert batch == 1 or not torch.allclose(expected[0], expected[1], rtol=0.1)


def calibrate(model: nn.Module, size: int) -> None:
    """Gives norms the statistics of what reaches them; with random ones an image fades on its way through them."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    with torch.no_grad():
        model(images(size, batch=4))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def check_train(models: ModuleType, name: str, size: int, batch: int = 2, outputs: Sequence[str] = ("output",)) -> None:
    """Train-mode outputs, gradients and running statistics are equal to the bit, with the same draws.

    ``outputs`` are our names of what torchvision returns.
    """
    ours, theirs = pair(models, name)
    results = [_step(model.train(), images(size, batch), outputs) for model in (ours, theirs)]
    assert differing(*results) == []
    assert differing(gradients(ours), gradients(theirs)) == []
    assert differing(ours.state_dict(), theirs.state_dict()) == []


def check_start(models: ModuleType, name: str) -> None:
    """Each parameter starts from a distribution of the same mean and spread as torchvision's."""
    torch.manual_seed(0)
    ours = dict(archdsl.build(name).named_parameters())
    theirs = dict(models.get_model(name, **initialised(name, True)).named_parameters())
    off = {key: (_moments(p), _moments(theirs[key])) for key, p in ours.items() if not _alike(p, theirs[key])}
    assert off == {}


def images(size: int, batch: int) -> Tensor:
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(1))


def randomized(model: nn.Module, seed: int = 0) -> nn.Module:
    """The model with norms, scales and classifiers that do something, which at their start nearly do nothing."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("layer_scale"):
                parameter.uniform_(0.5, 1.5, generator=generator)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d | nn.LayerNorm | nn.GroupNorm):
                module.weight.uniform_(0.5, 1.5, generator=generator)
                module.bias.normal_(0, 0.1, generator=generator)
            if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
                assert module.running_var is not None
                module.running_var.uniform_(0.5, 1.5, generator=generator)
                module.running_mean.normal_(0, 0.1, generator=generator)
            if isinstance(module, nn.Linear) and not module.weight.any():
                module.weight.normal_(0, 0.05, generator=generator)
    return model


def differing(ours: Mapping[str, Tensor | None], theirs: Mapping[str, Tensor | None]) -> list[str]:
    """Names whose tensors are not the same to the bit; both must have the same names."""
    assert ours.keys() == theirs.keys()
    return [name for name, tensor in ours.items() if not _equal(tensor, theirs[name])]


def _equal(one: Tensor | None, other: Tensor | None) -> bool:
    return one is other if one is None or other is None else torch.equal(one, other)


def gradients(model: nn.Module) -> dict[str, Tensor]:
    """Of every parameter; there is none that a training step leaves out."""
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    assert [name for name, gradient in gradients.items() if gradient is None] == []
    return {name: gradient for name, gradient in gradients.items() if gradient is not None}


def _step(model: nn.Module, batch_of_images: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
    """Forward and backward with seeded draws; every output by name."""
    torch.manual_seed(0)
    result = model(batch_of_images)
    if isinstance(result, Tensor):
        result = (result,)
    outputs: dict[str, Tensor] = result if isinstance(result, dict) else dict(zip(names, result, strict=True))
    torch.stack([outputs[name].square().mean() for name in sorted(outputs)]).sum().backward()
    return {name: output.detach() for name, output in outputs.items()}


def _parameters(model: nn.Module) -> list[tuple[str, bool]]:
    return [(name, parameter.requires_grad) for name, parameter in model.named_parameters()]


def _entries(model: nn.Module) -> list[tuple[str, tuple[int, ...], torch.dtype]]:
    return [(key, tuple(tensor.shape), tensor.dtype) for key, tensor in model.state_dict().items()]


def _moments(parameter: Tensor) -> tuple[float, float]:
    return float(parameter.mean()), float(parameter.std(correction=0))


def _alike(one: Tensor, other: Tensor) -> bool:
    """Means within five standard errors, spreads within ten percent (more for few elements)."""
    (mean, spread), (their_mean, their_spread) = _moments(one.detach()), _moments(other.detach())
    error = 5.0 * math.sqrt(2 / one.numel())
    largest = max(spread, their_spread)
    same_mean = abs(mean - their_mean) <= error * largest + 1e-9
    return same_mean and abs(spread - their_spread) <= max(0.1, error) * largest + 1e-9
