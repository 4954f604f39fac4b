"""Receptive fields of whole networks, against the pixels that the gradients of the built modules reach.

A gradient may vanish where a pixel does count: behind a ReLU that is off, at an element that is not the largest of its
window, where terms cancel. So all weights are above 0, and what could make a gradient 0 stands aside for something that
reads the same elements: the identity for activations, a constant factor for norms and gates, means of the same windows
for max pools, a mean for the statistics of a norm. ``test_receptive_field.py`` judges those ops by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st
from torch import Tensor, fx, nn
from typing_extensions import override

import archdsl
from archdsl.analysis.cost import cost
from archdsl.analysis.receptive_field import receptive_fields
from archdsl.backends import layers
from archdsl.backends.torch.fx import to_graph_module
from archdsl.graph.model import Graph, Node

POINTWISE = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Mish, nn.Tanh, nn.Hardswish,
    )  # fmt: skip
SMALL = 96
MOST_PARAMETERS = 200_000_000
NORMS_AND_GATES = (nn.BatchNorm2d, nn.BatchNorm1d, nn.LayerNorm, nn.Sigmoid, nn.Hardsigmoid)

ORDINARY: dict[str, int] = {
    "alexnet": 63, "vgg11_bn": 32, "squeezenet1_1": 64, "googlenet": 32, "resnet18": 97,
    "resnet50": 64, "densenet121": 64, "mobilenet_v2": 97, "mobilenet_v3_small": 64,
    "mnasnet0_5": 64, "shufflenet_v2_x0_5": 64, "efficientnet_b0": 64, "regnet_x_400mf": 64,
    "regnet_y_400mf": 64, "convnext_tiny": 32, "vit_b_32": 224, "swin_t": 97, "swin_v2_t": 64, "maxvit_t": 224,
}  # fmt: skip
"""A network of each family, and a size of the image at which it is quick."""


class MeanPool(nn.Module):
    """The mean of what a max pool takes the largest of."""

    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        self.pool = pool

    @override
    def forward(self, x: Tensor) -> Tensor:
        height, width = self.pool(x).shape[2:]
        kernel, stride, padding, dilation = (pair(value) for value in self._arguments())
        spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
        wanted = [(n - 1) * s + span for n, s, span in zip((height, width), stride, spans, strict=True)]
        behind = [n - size - p for n, size, p in zip(wanted, x.shape[2:], padding, strict=True)]
        x = F.pad(x, (padding[1], behind[1], padding[0], behind[0]))
        ones = torch.ones(x.shape[1], 1, *kernel, dtype=x.dtype) / prod(kernel)
        return F.conv2d(x, ones, stride=stride, dilation=dilation, groups=x.shape[1])

    def _arguments(self) -> Iterable[Any]:
        return self.pool.kernel_size, self.pool.stride, self.pool.padding, self.pool.dilation


class AndMean(nn.Module):
    """``x`` and its mean over all but the batch, or along one axis."""

    def __init__(self, axes: tuple[int, ...]) -> None:
        super().__init__()
        self.axes = axes

    @override
    def forward(self, x: Tensor) -> Tensor:
        return x + x.mean(self.axes or tuple(range(1, x.ndim)), keepdim=True)


class Rescaled(nn.Module):
    """``x`` with a mean of 1, by a constant factor: products of large numbers overflow."""

    @override
    def forward(self, x: Tensor) -> Tensor:
        return x / x.detach().mean()


def pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


def substitute(module: nn.Module) -> nn.Module | None:
    """What stands for a module whose gradient may vanish; None where it may stay."""
    if isinstance(module, nn.MaxPool2d):
        return MeanPool(module)
    if isinstance(module, nn.AdaptiveMaxPool2d):
        return nn.AdaptiveAvgPool2d(cast(Any, module.output_size))
    if isinstance(module, nn.Softmax):
        return AndMean((cast(int, module.dim),))
    if isinstance(module, nn.GroupNorm):
        return AndMean(())
    if isinstance(module, nn.InstanceNorm2d):
        return AndMean((2, 3))
    if isinstance(module, NORMS_AND_GATES):
        return Rescaled()
    return nn.Identity() if isinstance(module, POINTWISE) else None


def built(graph: Graph) -> fx.GraphModule:
    """The built module in double precision with these substitutes, of weights that keep the mean of what they take."""
    module = to_graph_module(graph, init=False).double().eval()
    for name, child in list(module.named_modules()):
        other = substitute(child)
        if other is not None:
            module.set_submodule(name, other)
    for node in module.graph.nodes:
        if node.target is torch.rsub:
            node.target = torch.add
    module.recompile()
    with torch.no_grad():
        for parameter in module.parameters():
            fan_in = prod(parameter.shape[1:]) if parameter.ndim > 1 and parameter.shape[0] > 1 else 1
            parameter.requires_grad_(False).uniform_(0.5 / fan_in, 1.5 / fan_in)
    return module


class Values(fx.Interpreter):
    """All values by the path of their node."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module, garbage_collect_values=False)
        self.by_path: dict[str, Tensor] = {}

    @override
    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if "path" in n.meta and isinstance(result, Tensor):
            self.by_path[n.meta["path"]] = result
        return result


def reached(value: Tensor, node: Node, index: tuple[int, ...], image: Tensor) -> tuple[tuple[int, int], ...] | None:
    """First and last row and column of the image that the elements at this place depend on, all channels together."""
    assert node.type.channel_axis is not None
    picked = [index[axis] if axis != node.type.channel_axis else slice(None) for axis in range(len(index))]
    (gradient,) = torch.autograd.grad(value[(0, *picked)].sum(), image, retain_graph=True)
    assert gradient.isfinite().all()
    found = gradient[0].nonzero()
    if not len(found):
        return None
    return tuple((int(found[:, axis].min()), int(found[:, axis].max())) for axis in (1, 2))


def judged(graph: Graph, most: int) -> list[Node]:
    """Nodes at places, ``most`` of them: merges first, the others evenly spread."""
    auxiliary = graph.auxiliary_nodes()
    fit = [n for n in graph.nodes if n.id not in auxiliary and n.inputs and n.type.layout in ("CHW", "HWC", "LC")]
    merges = [node for node in fit if len(node.inputs) > 1]
    return [*spread(merges, most // 2), *spread([node for node in fit if len(node.inputs) == 1], most - most // 2)]


def spread(nodes: list[Node], most: int) -> list[Node]:
    """The last and others at even distances."""
    step = max(1, len(nodes) // max(most, 1))
    return nodes[::-1][::step][:most]


def check(graph: Graph, most: int = 8) -> None:
    (source,) = graph.inputs
    image = torch.rand(1, *source.type.sizes, dtype=torch.float64) + 0.5
    image.requires_grad_()
    values = Values(built(graph))
    values.run(image)
    fields = receptive_fields(graph)
    for node in judged(graph, most):
        field = fields.of(node.id)
        assert field is not None
        assert not field.is_bound
        sizes = node.type.sizes
        for index in {(0,) * len(sizes), tuple(n // 2 for n in sizes), tuple(n - 1 for n in sizes)}:
            seen = reached(values.by_path[node.path], node, index, image)
            assert seen == field.seen(*index), f"{node.path} at {index}"


@pytest.fixture(autouse=True)
def masks_that_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a shifted window must not attend to gets a weight of 0; in the built module it is ``exp(-100)``."""
    mask = layers.WindowAttention.mask

    def masked(self: layers.WindowAttention, x: Tensor, down: int, right: int) -> Tensor:
        found = mask(self, x, down, right)
        return found.masked_fill(found < 0, -torch.inf)

    monkeypatch.setattr(layers.WindowAttention, "mask", masked)


@pytest.mark.parametrize("name", ORDINARY)
def test_fields_are_what_gradients_reach(name: str) -> None:
    check(archdsl.load(name, input=(3, ORDINARY[name], ORDINARY[name])))


def test_fields_of_inception_v3_are_what_gradients_reach() -> None:
    """Without the auxiliary classifier, which takes no small images."""
    check(archdsl.load("inception_v3", input=(3, 107, 107), aux_logits=False))


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", sorted(set(archdsl.bundled()) - ORDINARY.keys()))
def test_fields_of_each_bundled_network_are_what_gradients_reach(name: str) -> None:
    graph = small(name)
    if cost(graph).parameters > MOST_PARAMETERS:
        pytest.skip("its weights in double precision take more memory than a test should")
    check(graph)


def small(name: str) -> Graph:
    """A bundled network for images of 96 pixels, or of its own size where it takes no other."""
    graph = archdsl.load(name)
    if graph.inputs[0].type.sizes[-1] <= SMALL:
        return graph
    try:
        return archdsl.load(name, input=(3, SMALL, SMALL))
    except archdsl.ArchError:
        return graph


# ---- random networks -----------------------------------------------------------------------------

LAYERS = (
    "conv(4, 3, 2)", "conv(4, 2x3, 2x1, padding = 1x0)", "conv(4, 3, dilation = 2)", "dwconv(3, 2)", "conv(4, 1, 2)",
    'conv(4, 3, padding_mode = "circular")', 'conv(4, 5, 2, padding_mode = "reflect")', "conv(4, 1, padding = 1)",
    "conv_transpose(4, 3, 2, padding = 1)", "conv_transpose(4, 2, 3, padding = 0)", "avgpool(2)", "blurpool(3)",
    "conv_transpose(4, 2, 2, padding = 0, dilation = 2)", "maxpool(3, 2, ceil = true)", "adaptive_avgpool(5x7)",
    "maxpool(2, 1, padding = 1, dilation = 2)", "upsample(2)", 'upsample(1.5, "bilinear")', 'upsample(2, "bicubic")',
    "pad([1, 0, 2, 0])", 'pad(1, mode = "replicate")', "crop(5x4)", "crop(4x4, offset = 0x1)", "relu -> bn", "gn(2)",
    "space_to_depth(2) -> conv(4, 1)", "conv(4, 1) -> pixel_shuffle(2) -> conv(4, 1)", "(id + conv(4, 3))",
    "(conv(2, 1) ++ conv(2, 5))", "(id + (avgpool(3, 1, padding = 1) -> conv(4, 1)))", "permute([0, 2, 1])",
    "(id * (global_avgpool -> conv(4, 1) -> sigmoid))",
    "channels_last -> window_attention(2, 3, shift = 1) -> channels_first",
    "channels_last -> patch_merging -> channels_first -> conv(4, 1)",
    "windows(2) -> relative_attention(2, 2) -> unwindows(2, in.height x in.width)",
    "windows(2, grid = true) -> relative_attention(2, 2) -> unwindows(2, in.height x in.width, grid = true)",
    "channels_last -> reshape((in.height * in.width) x 4) -> ln",
)  # fmt: skip
"""Layers for images of 4 channels."""


@given(st.lists(st.sampled_from(LAYERS), min_size=2, max_size=6), st.tuples(st.integers(4, 14), st.integers(4, 14)))
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
def test_fields_of_random_networks_are_what_gradients_reach(chosen: list[str], sizes: tuple[int, int]) -> None:
    torch.manual_seed(0)
    try:
        body = "\n ".join([f"input 4x{sizes[0]}x{sizes[1]}", *chosen])
        graph = archdsl.load(f"network net {{\n {body}\n}}")
    except archdsl.ArchError:
        reject()
    assume(prod(graph.nodes[-1].type.sizes) < 20_000)
    check(graph)
