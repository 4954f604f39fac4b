"""A small Vision Transformer against torchvision's, and its ops against torch's."""

from __future__ import annotations

import math
import pickle
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import archdsl
from archdsl.analysis.cost import cost
from archdsl.analysis.receptive_field import receptive_fields
from archdsl.backends.python.python_source import to_python
from archdsl.backends.torch.fx import to_graph_module
from tests.zoo import zoo

SMALL = """
from "blocks/vit.arch" import classifier, patches, transformer

network small_vit(drop = 0.0) {
    input 3x32x32
    patches(size = 8, width = 24)
    encoder: transformer(layers = 2, heads = 3, mlp = 40, drop = drop)
    heads: classifier(5)
}
"""


def alike(one: Tensor, other: Tensor) -> bool:
    """Standard deviations within a tenth."""
    return math.isclose(float(one.std()), float(other.std()), rel_tol=0.1)


# ---- a small one, whose every number is another --------------------------------------------------


def small(**settings: Any) -> archdsl.Graph:
    return archdsl.load(SMALL, **settings)


def torchvisions_small(models: ModuleType, **settings: Any) -> nn.Module:
    sizes = {"image_size": 32, "patch_size": 8, "num_layers": 2, "num_heads": 3, "hidden_dim": 24, "mlp_dim": 40}
    model: nn.Module = models.VisionTransformer(**sizes, num_classes=5, **settings)
    with torch.no_grad():
        model.get_parameter("heads.head.weight").normal_()
        model.get_parameter("class_token").normal_()
    return zoo.randomized(model)


@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("gradients", [True, False])
def test_small_vit_takes_any_batch(torchvision_models: ModuleType, batch: int, gradients: bool) -> None:
    """Without gradients torch computes eval-mode attention by another kernel."""
    theirs = torchvisions_small(torchvision_models)
    ours = to_graph_module(small(), init=False)
    ours.load_state_dict(theirs.state_dict())
    images = zoo.images(32, batch)
    with torch.set_grad_enabled(gradients):
        assert torch.equal(ours.eval()(images), theirs.eval()(images))


def test_small_vit_drops_what_torchvisions_drops(torchvision_models: ModuleType) -> None:
    theirs = torchvisions_small(torchvision_models, dropout=0.3)
    ours = to_graph_module(small(drop=0.3), init=False)
    ours.load_state_dict(theirs.state_dict())
    outputs = []
    for model in (ours.train(), theirs.train()):
        torch.manual_seed(0)
        outputs.append(model(zoo.images(32, 2)))
        outputs[-1].square().sum().backward()
    assert torch.equal(*outputs)
    assert zoo.differing(zoo.gradients(ours), zoo.gradients(theirs)) == []


def test_attention_drops_what_torchs_drops() -> None:
    graph = archdsl.load("network n { input 7x12\n a: attention(4, dropout = 0.5) }")
    ours, theirs = to_graph_module(graph), nn.MultiheadAttention(12, 4, dropout=0.5, batch_first=True)
    theirs.load_state_dict({key.removeprefix("a."): value for key, value in ours.state_dict().items()})
    x = torch.randn(3, 7, 12)
    torch.manual_seed(0)
    output = ours(x)
    torch.manual_seed(0)
    assert torch.equal(output, theirs(x, x, x, need_weights=False)[0])


def test_attention_starts_as_torchs() -> None:
    """Same distributions, and no draws where weights are loaded anyway."""
    graph = archdsl.load("network n { input 2x256\n a: attention(4) }")
    torch.manual_seed(0)
    ours = to_graph_module(graph).get_submodule("a").state_dict()
    theirs = nn.MultiheadAttention(256, 4).state_dict()
    assert [key for key, value in theirs.items() if not alike(ours[key], value)] == []
    before = torch.get_rng_state()
    to_graph_module(graph, init=False)
    assert torch.equal(torch.get_rng_state(), before)


def test_attention_in_another_dtype() -> None:
    graph = archdsl.load("network n { input 7x12\n attention(4, bias = false) -> class_token }")
    module = to_graph_module(graph, dtype=torch.float64)
    assert {value.dtype for value in module.state_dict().values()} == {torch.float64}
    assert module(torch.randn(2, 7, 12, dtype=torch.float64)).shape == (2, 8, 12)


def test_embeddings_start_as_told() -> None:
    text = "network n { input 60x32\n token: class_token(init = normal(std = 3)) -> place: position_embedding%s }"
    for written, low, high in (("", 0.019, 0.021), ("(init = uniform(5, 7))", 0.55, 0.6)):
        torch.manual_seed(0)
        parameters = dict(to_graph_module(archdsl.load(text % written)).named_parameters())
        assert 2 < parameters["token"].std() < 4
        assert low < parameters["place"].std() < high


def test_attentions_do_not_share_weights() -> None:
    module = to_graph_module(archdsl.load("network n { input 7x12\n attention(4) x 3 }"))
    pointers = [parameter.data_ptr() for parameter in module.parameters()]
    assert len(set(pointers)) == len(pointers) == 12


# ---- what is made of a small one -----------------------------------------------------------------


def test_python_source_of_a_vit_is_equal() -> None:
    module = to_graph_module(small())
    namespace: dict[str, Any] = {"__name__": "written"}
    exec(to_python(small()), namespace)
    written = namespace["SmallVit"]()
    written.load_state_dict(module.state_dict())
    assert list(written.state_dict()) == list(module.state_dict())
    images = zoo.images(32, 3)
    for mode in (True, False):
        assert torch.equal(written.train(mode)(images), module.train(mode)(images))


def test_python_source_of_a_vit_starts_as_the_spec_says() -> None:
    wide = archdsl.load(SMALL.replace("width = 24", "width = 384").replace("mlp = 40", "mlp = 512"))
    namespace: dict[str, Any] = {"__name__": "written"}
    exec(to_python(wide), namespace)
    torch.manual_seed(0)
    written, ours = namespace["SmallVit"]().state_dict(), to_graph_module(wide).state_dict()
    assert [key for key, value in ours.items() if not alike(written[key], value)] == []


def test_a_vit_is_pickled_and_exported() -> None:
    module = to_graph_module(small()).eval()
    images = zoo.images(32, 3)
    expected = module(images)
    assert torch.equal(pickle.loads(pickle.dumps(module))(images), expected)
    batch = torch.export.Dim("batch", min=2)
    exported = torch.export.export(module, (zoo.images(32, 2),), dynamic_shapes=({0: batch},))
    torch.testing.assert_close(exported.module()(images), expected)


def test_macs_of_a_small_vit_are_torchs() -> None:
    with FlopCounterMode(display=False) as counter:
        to_graph_module(small(), device="meta")(torch.empty(1, 3, 32, 32, device="meta"))
    assert counter.get_total_flops() == 2 * cost(small()).macs


# ---- attention between given tensors -------------------------------------------------------------


PVT = """
# Wang et al. 2021, arXiv:2102.12122, section 3.3: keys and values come from fewer places.
block spatial_reduction(heads, ratio, height, width) {
    let channels = in.channels
    q: linear(channels)
    in -> image(height x width) -> sr: conv(channels, ratio, stride = ratio)
    tokens -> norm: ln -> kv: linear(2 * channels)
    dot_product_attention([@q, chunk(2, 0), chunk(2, 1)], heads) -> out: linear(channels)
}

network pvt {
    input 48x12
    attn: spatial_reduction(3, 2, 8, 6)
}
"""


def test_attention_to_fewer_places_is_timms(torchvision_models: ModuleType) -> None:
    from timm.models.pvt_v2 import Attention

    theirs = zoo.randomized(Attention(12, num_heads=3, sr_ratio=2))
    ours = archdsl.build(PVT, init=False)
    renamed = {f"attn.{name.replace('proj.', 'out.')}": value for name, value in theirs.state_dict().items()}
    ours.load_state_dict(renamed, strict=True)
    one, other = torch.randn(2, 48, 12, requires_grad=True), torch.randn(2, 48, 12)
    other = one.detach().clone().requires_grad_()
    results = ours(one), theirs(other, (8, 6))
    torch.testing.assert_close(results[0], results[1], rtol=1e-5, atol=1e-5)
    for result in results:
        result.square().sum().backward()
    torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-4)


def test_given_attention_is_the_papers_formula() -> None:
    text = "network n { input q: 5x8, k: 7x8, v: 7x6\n a: dot_product_attention([@q, @k, @v], 2) }"
    q, k, v = torch.randn(3, 5, 8), torch.randn(3, 7, 8), torch.randn(3, 7, 6)
    heads = [
        torch.softmax(q[..., 4 * i : 4 * i + 4] @ k[..., 4 * i : 4 * i + 4].mT / math.sqrt(4), -1)
        @ v[..., 3 * i : 3 * i + 3]
        for i in range(2)
    ]
    torch.testing.assert_close(archdsl.build(text)(q, k, v), torch.cat(heads, -1))


def test_given_attention_drops_in_training_only() -> None:
    text = "network n { input 5x8\n a: dot_product_attention([id, id, id], 2, dropout = 0.5) }"
    model, x = archdsl.build(text), torch.randn(3, 5, 8)
    assert torch.equal(model.eval()(x), model(x))
    assert not torch.equal(model.train()(x), model(x))


def test_each_query_sees_its_own_place_and_all_keys() -> None:
    text = "network n { input a: 5x8, b: 7x8\n r: dot_product_attention([@a, @b, @b], 2) }"
    queries, keys = receptive_fields(archdsl.load(text)).nodes[-1] or ()
    assert [queries.seen(i, 0) for i in range(5)] == [((i, i),) for i in range(5)]
    assert [keys.seen(i, 0) for i in range(5)] == [((0, 6),)] * 5
