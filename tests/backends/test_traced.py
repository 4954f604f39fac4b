"""The canonical form makes equal what computes the same, by the rules that it states, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import archdsl
from archdsl.backends.torch.traced import traced_form
from archdsl.graph.canonical import CanonicalNode, canonical_form

INPUT = (8, 6, 4)


class Calls(nn.Module):
    """A forward function over a few weights."""

    def __init__(self, forward: Callable[[Calls, Tensor], Tensor]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 1)
        self.norm = nn.LayerNorm(8, eps=1e-6)
        self.shuffle = nn.ChannelShuffle(4)
        self.gamma = nn.Parameter(torch.ones(8, 1, 1))
        self.function = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


def spec(body: str) -> list[CanonicalNode]:
    return canonical_form(archdsl.load(f"network n {{\n input 8x6x4\n {body}\n}}"))


def calls(forward: Callable[[Calls, Tensor], Tensor]) -> list[CanonicalNode]:
    return traced_form(Calls(forward).to("meta"), INPUT)


def shuffled(x: Tensor, groups: int) -> Tensor:
    """As torchvision's ShuffleNet does it."""
    batch, channels, height, width = x.size()
    x = torch.transpose(x.view(batch, groups, channels // groups, height, width), 1, 2).contiguous()
    return x.view(batch, channels, height, width)


def swapped(x: Tensor) -> Tensor:
    first, second = torch.chunk(x, 2, dim=1)[0], x.chunk(2, dim=1)[1]
    return torch.cat((second, first), dim=1)


def normed(m: Calls, x: Tensor) -> Tensor:
    """As torchvision's ConvNeXt does it."""
    norm = m.norm
    x = functional.layer_norm(x.permute(0, 2, 3, 1), norm.normalized_shape, norm.weight, norm.bias, norm.eps)
    return x.permute(0, 3, 1, 2)


@pytest.mark.parametrize(
    ("body", "forward"),
    [
        pytest.param("flatten", lambda m, x: torch.flatten(x, 1), id="flatten"),
        pytest.param("flatten", lambda m, x: x.flatten(start_dim=1), id="flatten as a method"),
        pytest.param("flatten", lambda m, x: x.view(x.size(0), x.size(1) * 24), id="flatten as a view"),
        pytest.param("global_avgpool -> flatten", lambda m, x: x.mean([2, 3]), id="mean"),
        pytest.param(
            "adaptive_avgpool(1)", lambda m, x: functional.adaptive_avg_pool2d(x, (1, 1)), id="pooling to one pixel"
        ),
        pytest.param("channel_shuffle(2)", lambda m, x: shuffled(x, 2), id="shuffle"),
        pytest.param("channel_shuffle(4)", lambda m, x: m.shuffle(x), id="shuffle as a module"),
        pytest.param("norm: ln2d", normed, id="norm between permutations"),
        pytest.param(
            "channels_last -> norm: ln(eps = 1e-6)", lambda m, x: m.norm(torch.permute(x, [0, 2, 3, 1])), id="norm"
        ),
        pytest.param("gamma: scale(3)", lambda m, x: m.gamma * x, id="scale"),
        pytest.param("chunk(2, 1) ++ chunk(2, 0)", lambda m, x: swapped(x), id="chunks"),
        pytest.param("identity -> relu -> dropout(0)", lambda m, x: functional.relu(x, inplace=True), id="nothing"),
        pytest.param("conv: conv(8, 1) -> (relu + id)", lambda m, x: sum_of_relu(m.conv(x)), id="sum"),
    ],
)
def test_forms_are_equal(body: str, forward: Callable[[Calls, Tensor], Tensor]) -> None:
    assert calls(forward) == spec(body)


def sum_of_relu(x: Tensor) -> Tensor:
    y = functional.relu(x)
    y += x
    return y


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("relu + id", "id + relu", id="order of a sum"),
        pytest.param("chunk(2, 0)", "chunk(2, 1)", id="part"),
        pytest.param("channel_shuffle(2)", "channel_shuffle(4)", id="groups"),
        pytest.param("conv(8, 3)", "conv(8, 3, dilation = 1, padding = 1, bias = false)", id="bias"),
        pytest.param("a: conv(8, 3)", "b: conv(8, 3)", id="path"),
        pytest.param("ln2d", "ln2d(eps = 1e-5)", id="epsilon"),
        pytest.param("drop_path(0.1)", "drop_path(0.2)", id="probability"),
        pytest.param("permute([0, 2, 1])", "reshape(8x4x6)", id="rearrangement"),
        pytest.param("relu", "relu6", id="activation"),
    ],
)
def test_forms_differ(one: str, other: str) -> None:
    assert spec(one) == spec(one)
    assert spec(one) != spec(other)


@pytest.mark.parametrize(
    "forward",
    [
        pytest.param(lambda m, x: x + 1, id="sum with a number"),
        pytest.param(lambda m, x: 2 * x, id="product with a number"),
        pytest.param(lambda m, x: torch.add(x, x, alpha=2), id="scaled sum"),
        pytest.param(lambda m, x: m.gamma + x, id="parameter added"),
        pytest.param(lambda m, x: torch.cat((x, x), 2), id="concatenation of rows"),
        pytest.param(lambda m, x: x.mean([1]), id="mean over channels"),
        pytest.param(lambda m, x: x.permute(1, 0, 2, 3), id="batch moved"),
        pytest.param(lambda m, x: x.chunk(2, dim=2)[0], id="chunk of rows"),
        pytest.param(lambda m, x: torch.cat(x.chunk(2, dim=1)[::-1], 1), id="several chunks at once"),
        pytest.param(lambda m, x: x[:, 0], id="slice"),
        pytest.param(lambda m, x: torch.flatten(x, 2), id="flat rows"),
        pytest.param(lambda m, x: torch.sin(x), id="unknown function"),
    ],
)
def test_what_has_no_form_is_refused(forward: Callable[[Calls, Tensor], Tensor]) -> None:
    with pytest.raises(RuntimeError, match=r"no canonical form|sin|getitem"):
        calls(forward)
