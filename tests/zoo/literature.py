"""What the bundled networks that torchvision lacks are judged by, as data and as functions that tests call.

Where timm has the architecture, its model is the judge: names, shapes, outputs and a training step. Elsewhere it is
the number that the paper prints, and torch's own counts of the built module.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import torch
from torch import Tensor, nn

import archdsl
from archdsl.analysis.cost import cost
from tests.zoo.torchvision_goldens import count_macs
from tests.zoo.zoo import calibrate, differing, randomized

Rename = Callable[[str], str]
"""Our name of a parameter to the other model's."""


@dataclass(frozen=True)
class Reference:
    """What one bundled network is judged by.

    ``params`` is the number of parameters as the source prints it (``"25.58M"``, ``"1_730_714"``), None where it
    prints none. ``timm`` names timm's model of the architecture, to be made with ``arguments``; ``rename`` gives its
    names of our parameters where they differ. ``size`` is the side of the images that both are given. ``deviation`` is
    the largest difference of outputs where timm computes in another order, and ``because`` says which; 0 demands
    equality to the bit. ``exhaustive`` networks are left out of the ordinary run, ``meta`` ones are never computed.
    """

    network: str
    source: str
    params: str | None = None
    timm: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    rename: Rename | None = None
    size: int = 64
    deviation: float = 0.0
    because: str = ""
    exhaustive: bool = False
    meta: bool = False


def check_params(reference: Reference) -> None:
    """The count, rounded as the source rounds, is the printed one."""
    assert reference.params is not None
    count = cost(archdsl.load(reference.network)).parameters
    assert _rounded(count, reference.params) == _number(reference.params)


def check_torch_counts(reference: Reference) -> None:
    """torch finds as many parameters in the built module as the graph has, and FlopCounterMode as many MACs."""
    graph = archdsl.load(reference.network)
    module = archdsl.build(reference.network, device="meta")
    total = cost(graph)
    assert sum(parameter.numel() for parameter in module.parameters()) == total.parameters
    assert count_macs(module, graph.inputs[0].type.sizes) == total.macs


def check_state(reference: Reference) -> None:
    """The same names (after renaming), shapes and dtypes as timm's model, in any order."""
    rename = reference.rename or str
    ours = archdsl.build(reference.network, device="meta").state_dict()
    with torch.device("meta"):
        theirs = timm_model(reference).state_dict()
    found = {rename(key): (tuple(tensor.shape), tensor.dtype) for key, tensor in ours.items()}
    assert len(found) == len(ours)
    assert found == {key: (tuple(tensor.shape), tensor.dtype) for key, tensor in theirs.items()}


def check_eval(reference: Reference) -> None:
    """Outputs in evaluation mode, with norms that fit what reaches them, are timm's."""
    ours, theirs = pair(reference)
    calibrate(theirs, reference.size)
    ours.load_state_dict(_renamed(reference, ours, theirs))
    batch = _images(reference, 2)
    with torch.no_grad():
        output, expected = ours.eval()(batch), theirs.eval()(batch)
    _assert_same(reference, output, expected)
    assert not torch.allclose(expected[0], expected[1], rtol=0.1)


def check_train(reference: Reference) -> None:
    """Outputs, gradients and running statistics of a training step, with the same draws, are timm's."""
    rename = reference.rename or str
    ours, theirs = pair(reference)
    outputs = []
    for model in (ours, theirs):
        torch.manual_seed(0)
        output = model.train()(_images(reference, 4))
        output.square().mean().backward()
        outputs.append(output.detach())
    _assert_same(reference, *outputs)
    gradients = {rename(name): parameter.grad for name, parameter in ours.named_parameters()}
    expected = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    if reference.deviation == 0:
        assert differing({name: gradients[name] for name in expected}, expected) == []
        state = {rename(name): tensor for name, tensor in ours.state_dict().items()}
        assert differing({name: state[name] for name in theirs.state_dict()}, dict(theirs.state_dict())) == []
    else:
        for name, gradient in expected.items():
            assert gradient is not None
            torch.testing.assert_close(gradients[name], gradient, rtol=0, atol=1e-3 * float(gradient.abs().max()))


def pair(reference: Reference) -> tuple[nn.Module, nn.Module]:
    """Our model and timm's with the same weights, loaded strictly."""
    theirs = randomized(timm_model(reference))
    ours = archdsl.build(reference.network, init=False)
    ours.load_state_dict(_renamed(reference, ours, theirs), strict=True)
    return ours, theirs


def timm_model(reference: Reference) -> nn.Module:
    """timm's model of the architecture, without pretrained weights."""
    import timm

    assert reference.timm is not None
    model: nn.Module = timm.create_model(reference.timm, pretrained=False, **reference.arguments)
    return model


def _renamed(reference: Reference, ours: nn.Module, theirs: nn.Module) -> dict[str, Tensor]:
    rename, state = reference.rename or str, theirs.state_dict()
    return {key: state[rename(key)] for key in ours.state_dict()}


def _images(reference: Reference, batch: int) -> Tensor:
    channels = archdsl.load(reference.network).inputs[0].type.sizes[0]
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, channels, reference.size, reference.size, generator=generator)


def _assert_same(reference: Reference, output: Tensor, expected: Tensor) -> None:
    if reference.deviation == 0:
        assert torch.equal(output, expected)
    else:
        assert reference.because
        assert float((output - expected).abs().max()) <= reference.deviation * float(expected.abs().max())


_UNITS = {"K": 3, "M": 6, "G": 9}


def _number(printed: str) -> Decimal:
    digits = printed.replace("_", "").rstrip("KMG")
    return Decimal(digits).scaleb(_UNITS.get(printed[-1], 0))


def _rounded(count: int, printed: str) -> Decimal:
    """The count with as many digits after the point, in the unit, as are printed."""
    shift = _UNITS.get(printed[-1], 0)
    places = len(printed.rstrip("KMG").partition(".")[2])
    return round(Decimal(count).scaleb(-shift), places).scaleb(shift)


@functools.cache
def bundled_beyond_torchvision() -> frozenset[str]:
    """The bundled networks that torchvision has no builder for."""
    from torchvision import models

    return frozenset(archdsl.bundled()) - frozenset(models.list_models(module=models))
