"""What is particular to Swin Transformers and MaxViT: windows, shifts, positions, and images of other sizes."""

from __future__ import annotations

import copy
import math
import pickle
from types import ModuleType

import pytest
import torch
from torch import Tensor, fx, nn
from torch.utils.flop_counter import FlopCounterMode

import archdsl
from archdsl.analysis.cost import cost
from archdsl.backends.torch.fx import to_graph_module
from tests.running import load_python
from tests.zoo import zoo
from tests.zoo.zoo_models import MODELS

NETWORKS = [name for name in MODELS if name.startswith(("swin", "maxvit"))]
SAMPLE = [name for name in NETWORKS if MODELS[name].ordinary]

each_sampled = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in SAMPLE else [pytest.mark.exhaustive]) for name in NETWORKS]
)


@each_sampled
def test_buffers_are_torchvisions(name: str, torchvision_models: ModuleType) -> None:
    """Also where no weights are loaded into the model."""
    ours, theirs = dict(positions(archdsl.build(name, init=False))), dict(positions(torchvision_models.get_model(name)))
    assert ours.keys() == theirs.keys()
    assert zoo.differing(ours, {key: theirs[key] for key in ours}) == []


def positions(model: nn.Module) -> list[tuple[str, Tensor]]:
    return [(name, buffer) for name, buffer in model.named_buffers() if "relative" in name]


# ---- small ones, whose every number is another ---------------------------------------------------

SWIN = """
from "blocks/swin.arch" import embed_patches, merge_patches%(v2)s, rising_drops, swin%(v2)s_blocks

network small_swin(classes = 5) {
    input 3x52x40
    default linear(init = trunc_normal(std = 0.02), bias_init = zeros)
    let drops = rising_drops(blocks = [2, 2], limit = 0.4)
    features: seq {
        embed_patches(12)
        swin%(v2)s_blocks(drops[0], heads = 2, window = 4)
        merge_patches%(v2)s(24) -> swin%(v2)s_blocks(drops[1], heads = 3, window = 4)
    }
    norm: ln -> channels_first -> global_avgpool -> flatten -> head: linear(classes)
}
"""
MAXVIT = """
from "blocks/maxvit.arch" import maxvit_blocks, rising_drops
from "blocks/mobilenet.arch" import conv_norm

network small_maxvit(classes = 5) {
    input 3x56x56
    default bn(eps = 0.001, momentum = 0.01)
    let drops = rising_drops(blocks = [2], limit = 0.4)
    stem stem { conv_norm(16, 3, stride = 2, activation = gelu) -> seq(conv(16, 3)) }
    stage "blocks.0.layers" { maxvit_blocks(64, drops[0]) }
    head { classifier: seq(global_avgpool -> flatten -> ln -> linear(64) -> tanh -> linear(classes, bias = false)) }
}
"""
SMALL = {"swin": SWIN % {"v2": ""}, "swin_v2": SWIN % {"v2": "_v2"}, "maxvit": MAXVIT}

each_small = pytest.mark.parametrize("family", SMALL)


def in_order_of_use(model: nn.Module, models: ModuleType) -> nn.Module:
    """torchvision's model with norms registered where they are used, as in a spec.

    It registers the norm of a patch merging behind the linear layer, and norm1 of version 2 before the attention.
    """
    swin = models.swin_transformer
    orders = {
        swin.PatchMerging: ("norm", "reduction"),
        swin.SwinTransformerBlockV2: ("attn", "norm1", "stochastic_depth", "mlp", "norm2"),
    }
    for module in model.modules():
        for name in orders.get(type(module), ()):
            module._modules[name] = module._modules.pop(name)
    return model


def torchvisions(models: ModuleType, family: str) -> nn.Module:
    """torchvision's small model, with draws for what starts from zeros."""
    if family == "maxvit":
        model = models.MaxVit((56, 56), 16, 7, [64], [2], 32, 0.4, num_classes=5)
    else:
        swin = models.swin_transformer
        v2 = {"block": swin.SwinTransformerBlockV2, "downsample_layer": swin.PatchMergingV2}
        parts = v2 if family == "swin_v2" else {}
        model = models.SwinTransformer([4, 4], 12, [2, 2], [2, 3], [4, 4], 4.0, 0.0, 0.0, 0.4, 5, **parts)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.2)
    return in_order_of_use(model, models)


def small_pair(models: ModuleType, family: str) -> tuple[nn.Module, nn.Module]:
    theirs = torchvisions(models, family)
    ours = to_graph_module(archdsl.load(SMALL[family]), init=False)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return ours, theirs


def inputs(family: str, batch: int = 2) -> Tensor:
    sizes = archdsl.load(SMALL[family]).inputs[0].type.sizes
    return torch.randn(batch, *sizes, generator=torch.Generator().manual_seed(1))


@each_small
@pytest.mark.parametrize("batch", [2, 5])
def test_small_ones_train_alike(family: str, batch: int, torchvision_models: ModuleType) -> None:
    """The image is no multiple of the window, and one window covers the second stage's width."""
    ours, theirs = small_pair(torchvision_models, family)
    outputs = []
    for model in (ours.train(), theirs.train()):
        torch.manual_seed(0)
        outputs.append(model(inputs(family, batch)))
        outputs[-1].square().sum().backward()
    assert torch.equal(*outputs)
    assert zoo.differing(zoo.gradients(ours), zoo.gradients(theirs)) == []


@pytest.mark.parametrize("family", ["swin", "swin_v2"])
@pytest.mark.parametrize("height, width", [(52, 40), (40, 52), (16, 16), (16, 64), (4, 12), (65, 33)])
def test_swin_takes_images_of_any_size(family: str, height: int, width: int, torchvision_models: ModuleType) -> None:
    ours, theirs = (model.eval() for model in small_pair(torchvision_models, family))
    images = torch.randn(2, 3, height, width)
    assert torch.equal(ours(images), theirs(images))


@pytest.mark.parametrize("height, width", [(224, 224), (448, 448), (192, 256)])
@pytest.mark.parametrize("name", ["swin_t", "swin_v2_t"])
def test_macs_of_swin_at_other_sizes(name: str, height: int, width: int) -> None:
    graph = archdsl.load(name, input=f"3x{height}x{width}")
    assert counted(graph) == 2 * cost(graph).macs


def test_macs_of_maxvit_at_another_size() -> None:
    graph = archdsl.load("maxvit_t", input="3x448x448")
    assert counted(graph) == 2 * cost(graph).macs


def counted(graph: archdsl.Graph) -> int:
    with FlopCounterMode(display=False) as counter:
        to_graph_module(graph, device="meta")(torch.empty(1, *graph.inputs[0].type.sizes, device="meta"))
    return int(counter.get_total_flops())


def test_maxvit_at_another_size_is_torchvisions(torchvision_models: ModuleType) -> None:
    theirs = torchvision_models.MaxVit((112, 112), 16, 7, [64], [2], 32, 0.4, num_classes=5).eval()
    ours = to_graph_module(archdsl.load(MAXVIT, input="3x112x112"), init=False).eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 3, 112, 112)
    assert torch.equal(ours(images), theirs(images))


@pytest.mark.parametrize("height, width", [(28, 42), (35, 14)])
@pytest.mark.parametrize("grid", ["false", "true"])
def test_windows_of_a_rectangle_are_put_back(grid: str, height: int, width: int) -> None:
    text = f"network n {{ input 3x{height}x{width}\n windows(7, {grid}) -> unwindows(7, {height}x{width}, {grid}) }}"
    images = torch.randn(2, 3, height, width)
    assert torch.equal(to_graph_module(archdsl.load(text))(images), images)


@pytest.mark.parametrize("cosine", [False, True])
def test_attention_drops_what_torchvisions_drops(cosine: bool, torchvision_models: ModuleType) -> None:
    swin = torchvision_models.swin_transformer
    module = swin.ShiftedWindowAttentionV2 if cosine else swin.ShiftedWindowAttention
    theirs = module(12, [3, 4], [1, 2], 3, attention_dropout=0.4)
    text = f"window_attention(3, 3x4, shift = 1x2, dropout = 0.4, cosine = {str(cosine).lower()})"
    ours = to_graph_module(archdsl.load(f"network n {{ input 12x7x9\n channels_last -> a: {text} }}"))
    theirs.load_state_dict({key.removeprefix("a."): value for key, value in ours.state_dict().items()})
    images = torch.randn(2, 12, 7, 9)
    torch.manual_seed(0)
    output = ours(images)
    torch.manual_seed(0)
    assert torch.equal(output, theirs(images.permute(0, 2, 3, 1)))


# ---- what is made of a small one -----------------------------------------------------------------


@each_small
def test_python_source_is_equal(family: str, torchvision_models: ModuleType) -> None:
    ours, _ = small_pair(torchvision_models, family)
    written = load_python(archdsl.load(SMALL[family]))
    assert list(written.state_dict()) == list(ours.state_dict())
    assert zoo.differing(dict(positions(written)), dict(positions(ours))) == []
    written.load_state_dict(ours.state_dict())
    for mode in (True, False):
        outputs = []
        for model in (written.train(mode), ours.train(mode)):
            torch.manual_seed(0)
            outputs.append(model(inputs(family)))
        assert torch.equal(*outputs)


@pytest.mark.parametrize("name", SAMPLE)
def test_python_source_starts_as_the_spec_says(name: str) -> None:
    torch.manual_seed(0)
    graph = archdsl.load(name)
    written, ours = load_python(graph), to_graph_module(graph)
    theirs, own = written.state_dict(), ours.state_dict()
    assert [key for key, value in own.items() if not alike(value, theirs[key])] == []


def alike(one: Tensor, other: Tensor) -> bool:
    """Equal, or drawn from distributions whose spreads are within a fifth."""
    return torch.equal(one, other) or math.isclose(one.std(), other.std(), rel_tol=0.2)


@each_small
def test_copies_and_traces_compute_the_same(family: str, torchvision_models: ModuleType) -> None:
    ours, _ = small_pair(torchvision_models, family)
    ours.eval()
    images = inputs(family)
    expected = ours(images)
    for other in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours)), fx.symbolic_trace(ours)):
        assert torch.equal(other(images), expected)


@each_small
def test_export_takes_any_batch(family: str, torchvision_models: ModuleType) -> None:
    ours, _ = small_pair(torchvision_models, family)
    ours.eval()
    shapes = ({0: torch.export.Dim("batch", min=2)},)
    exported = torch.export.export(ours, (inputs(family),), dynamic_shapes=shapes)
    with torch.no_grad():
        torch.testing.assert_close(exported.module()(inputs(family, 5)), ours(inputs(family, 5)))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@each_small
def test_compile_computes_the_same(family: str, torchvision_models: ModuleType) -> None:
    ours, _ = small_pair(torchvision_models, family)
    compiled = torch.compile(ours.eval(), backend="aot_eager", fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(inputs(family)), ours(inputs(family)))


@each_small
def test_a_model_in_another_dtype_has_whole_indices(family: str) -> None:
    module = to_graph_module(archdsl.load(SMALL[family]), dtype=torch.float64)
    kinds = {value.dtype for name, value in module.state_dict().items() if not name.endswith(("index", "tracked"))}
    assert kinds == {torch.float64}
    index = [value for name, value in module.state_dict().items() if name.endswith("position_index")]
    assert {value.dtype for value in index} == {torch.int64}
    assert module(inputs(family).double()).dtype == torch.float64
