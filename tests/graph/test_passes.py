"""Passes keep what a network computes, as torch says, and account for every weight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights

import archdsl
from archdsl.backends.torch.fx import to_graph_module
from archdsl.diagnostics.problems import ArchError
from archdsl.graph.model import Graph, GraphError
from archdsl.graph.passes.fold_batch_norm import fold_batch_norm
from archdsl.graph.passes.remove_auxiliaries import remove_auxiliaries
from archdsl.graph.passes.remove_identities import remove_identities
from archdsl.graph.passes.rewrite import GraphRewrite, PassResult
from archdsl.graph.passes.runner import Pass, run_passes
from archdsl.graph.passes.weight_plan import Kept, New, WeightPlan, keys_of
from archdsl.ops.conv import Conv2dOp
from archdsl.weights.migrate import migrate_weights
from tests.backends.sample_networks import SAMPLES

ALL: tuple[Pass, ...] = (remove_auxiliaries, remove_identities, fold_batch_norm)


def built(graph: Graph) -> nn.Module:
    """In evaluation and double precision, with weights and statistics that are none of the usual starts."""
    torch.manual_seed(0)
    module = to_graph_module(graph, dtype=torch.float64).eval()
    for key, value in module.state_dict().items():
        if key.endswith("num_batches_tracked"):
            continue
        value.copy_(torch.rand_like(value) + 0.5 if key.endswith("var") else value + 0.1 * torch.randn_like(value))
    return module


def migrated(module: nn.Module, result: PassResult) -> nn.Module:
    after = to_graph_module(result.graph, init=False, dtype=torch.float64).eval()
    after.load_state_dict(migrate_weights(result.weights, module.state_dict()))
    return after


def inputs(graph: Graph) -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.randn(2, *node.type.sizes, dtype=torch.float64) for node in graph.inputs]


def kinds(graph: Graph) -> list[str]:
    return [node.op.kind for node in graph.nodes]


# ---- batch norms ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "folded", "kept"), [("resnet18", 20, 0), ("densenet121", 59, 62), ("mobilenet_v3_small", 34, 0)]
)
def test_folded_networks_compute_the_same(name: str, folded: int, kept: int) -> None:
    """DenseNet normalises before most of its convolutions; those norms stay."""
    graph = archdsl.load(name, input=(3, 64, 64))
    result = run_passes(graph, [fold_batch_norm])
    assert kinds(result.graph).count("bn") == kept
    assert len(graph.nodes) - len(result.graph.nodes) == folded
    module = built(graph)
    images = inputs(graph)
    torch.testing.assert_close(migrated(module, result)(*images), module(*images), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("layer", "transposed"),
    [
        ("conv(8, 3, stride = 2)", False),
        ("conv(8, 3, bias = false, groups = 4)", False),
        ("dwconv(3, multiplier = 2)", False),
        ('conv(8, 3, padding = 1, padding_mode = "reflect")', False),
        ("conv_transpose(8, 3)", True),
        ("conv_transpose(8, 3, bias = false)", True),
    ],
)
@pytest.mark.parametrize("norm", ["bn", "bn(eps = 0.1)", "bn(affine = false)"])
def test_weights_are_those_of_torchs_fusion(layer: str, transposed: bool, norm: str) -> None:
    graph = archdsl.load(f"network n {{ input 4x6x6\n c: {layer} -> b: {norm} }}")
    result = run_passes(graph, [fold_batch_norm])
    assert kinds(result.graph) == ["input", kinds(graph)[1]]
    module = built(graph)
    conv, bn = module.get_submodule("c"), module.get_submodule("b")
    fuse: Any = fuse_conv_bn_weights
    statistics = bn.running_mean, bn.running_var, bn.eps
    weight, bias = fuse(conv.weight, conv.bias, *statistics, bn.weight, bn.bias, transposed)
    made = migrate_weights(result.weights, module.state_dict())
    assert list(made) == ["c.weight", "c.bias"]
    torch.testing.assert_close(made["c.weight"], weight.detach(), rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(made["c.bias"], bias.detach(), rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(migrated(module, result)(*inputs(graph)), module(*inputs(graph)), rtol=1e-10, atol=1e-10)


def test_linear_layers_are_folded_as_well() -> None:
    graph = archdsl.load("network n { input 5\n c: linear(4) -> b: bn }")
    module, result = built(graph), run_passes(graph, [fold_batch_norm])
    c, b = module.get_submodule("c"), module.get_submodule("b")
    values: list[Any] = [c.weight, c.bias, b.running_mean, b.running_var, b.eps, b.weight, b.bias]
    fused = fuse_linear_bn_weights(*values)
    made = migrate_weights(result.weights, module.state_dict())
    for value, expected in zip(made.values(), fused, strict=True):
        torch.testing.assert_close(value, expected.detach(), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    "body",
    [
        "bn -> conv(4, 3)",
        "conv(4, 3) -> relu -> bn",
        "conv(4, 3) -> bn(track_running_stats = false)",
        "c: conv(4, 3) -> bn -> (id + @c)",
        "conv_transpose(4, 3, groups = 2) -> bn",
        "c: conv(4, 3)\n aux side { global_avgpool }\n bn",
        "let c = shared(conv(4, 3))\n c -> c -> bn",
        "let b = shared(bn)\n conv(4, 3) -> b -> conv(4, 3) -> b",
        "c: conv(4, 3)\n bn\n output a: id, b: @c",
    ],
)
def test_what_cannot_be_folded_stays(body: str) -> None:
    graph = archdsl.load(f"network n {{ input 4x6x6\n {body}\n }}")
    result = run_passes(graph, [fold_batch_norm])
    assert result.graph.text() == graph.text()
    assert result.weights == WeightPlan.unchanged(graph)


# ---- identities and auxiliary branches -----------------------------------------------------------


def test_identities_go_and_nothing_else_changes() -> None:
    body = "identity -> conv(4, 1) -> dropout(0) -> drop_path(0.0) -> permute([0, 1, 2]) -> (1.0 * id)"
    graph = archdsl.load(f"network n {{ input 4x6x6\n {body} -> dropout(0.5) -> (0.5 * id) -> permute([0, 2, 1]) }}")
    result = run_passes(graph, [remove_identities])
    assert kinds(result.graph) == ["input", "conv", "dropout", "mul_scalar", "permute"]
    module = built(graph)
    assert torch.equal(migrated(module, result)(*inputs(graph)), module(*inputs(graph)))


def test_an_output_behind_an_identity_is_what_it_passed_on() -> None:
    graph = archdsl.load("network n { input 4\n identity }")
    result = run_passes(graph, [remove_identities])
    assert kinds(result.graph) == ["input"]
    assert result.graph.outputs[0].node == 0


def test_auxiliary_branches_go_with_their_weights() -> None:
    graph = SAMPLES["auxiliary"]()
    result = run_passes(graph, [remove_auxiliaries])
    assert result.weights.dropped == ("side.2.weight", "side.2.bias")
    module = built(graph)
    assert torch.equal(migrated(module, result)(*inputs(graph)), module(*inputs(graph)))
    after = migrated(module, result).train()
    assert isinstance(after(*inputs(graph)), Tensor)


def test_weights_move_where_the_first_use_of_a_shared_layer_goes() -> None:
    spec = """network n {
        input 4x6x6
        let again = shared(conv(4, 3))
        aux side { again -> global_avgpool }
        main: again
        again
    }"""
    graph = archdsl.load(spec)
    result = run_passes(graph, [remove_auxiliaries])
    assert result.weights.entries == {
        "main.conv1.weight": Kept("side.0.weight"), "main.conv1.bias": Kept("side.0.bias")
    }  # fmt: skip
    assert result.weights.dropped == ()
    module = built(graph)
    assert torch.equal(migrated(module, result)(*inputs(graph)), module(*inputs(graph)))


@pytest.mark.parametrize("sample", SAMPLES)
def test_all_passes_on_all_samples(sample: str) -> None:
    graph = SAMPLES[sample]()
    result = run_passes(graph, ALL)
    module = built(graph)
    torch.testing.assert_close(migrated(module, result)(*inputs(graph)), module(*inputs(graph)), rtol=1e-9, atol=1e-9)
    used = {key for origin in result.weights.entries.values() for key in keys_of(origin)}
    assert used | {*result.weights.dropped} == set(module.state_dict())
    assert not used & {*result.weights.dropped}


# ---- what goes wrong -----------------------------------------------------------------------------

SMALL = "network n { input 4x6x6\n c: conv(4, 3) -> relu }"


def shrink(graph: Graph) -> PassResult:
    rewrite = GraphRewrite(graph)
    rewrite.replace_op(graph.nodes[1], Conv2dOp(out_channels=2, kernel_size=(3, 3)))
    return rewrite.result()


def forget(graph: Graph) -> PassResult:
    return PassResult(graph, WeightPlan({}))


def lose(graph: Graph) -> PassResult:
    return PassResult(graph, WeightPlan({entry.key: New() for entry in graph.state_entries()}))


@pytest.mark.parametrize(
    ("broken", "why"), [(shrink, "has type"), (forget, "its weights are not"), (lose, "not known what becomes of")]
)
def test_the_pass_that_broke_the_graph_is_named(broken: Pass, why: str) -> None:
    with pytest.raises(GraphError, match=f"the pass {broken.__name__} broke the graph: .*{why}"):
        run_passes(archdsl.load(SMALL), [remove_identities, broken, fold_batch_norm])


def widened(graph: Graph) -> PassResult:
    """Another kernel: a weight of another shape is new."""
    rewrite = GraphRewrite(graph)
    rewrite.replace_op(graph.nodes[1], Conv2dOp(out_channels=4, kernel_size=(5, 5)))
    return rewrite.result()


def test_new_weights_start_as_the_new_network_does() -> None:
    graph = archdsl.load("network n { input 4x6x6\n c: conv(4, 3) -> bn }")
    result = run_passes(graph, [widened, fold_batch_norm])
    assert result.weights.entries["c.weight"] == New()
    state = built(graph).state_dict()
    with pytest.raises(ArchError, match=r"E602.*1 are missing, the first is c\.weight"):
        migrate_weights(result.weights, state)
    start = to_graph_module(result.graph, dtype=torch.float64).state_dict()
    assert migrate_weights(result.weights, state, start)["c.weight"] is start["c.weight"]
    with pytest.raises(ArchError, match=r"E602.*the first is bn1"):
        migrate_weights(result.weights, {}, start)


CALLS: list[Callable[[Graph], object]] = [fold_batch_norm, remove_identities, remove_auxiliaries]


@pytest.mark.parametrize("call", CALLS)
def test_a_pass_leaves_the_graph_it_is_given(call: Callable[[Graph], object]) -> None:
    graph = SAMPLES["auxiliary"]()
    before = graph.to_json()
    call(graph)
    assert graph.to_json() == before
