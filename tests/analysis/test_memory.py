"""Memory against what torch saves for a backward pass, and what is alive while it computes."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from typing_extensions import override

import archdsl
from archdsl.analysis.memory import DEVICES, ITEM_BYTES, OPTIMIZERS, Memory, largest_batch, memory
from archdsl.backends.torch.fx import to_graph_module
from archdsl.extensions import FunctionCall, TorchCall, UserOp, X
from archdsl.graph.builder import GraphBuilder
from archdsl.graph.model import Graph, Node
from archdsl.ops import ALL_OPS
from archdsl.ops.contract.base import Op, OpError, Tensors, Types
from archdsl.ops.contract.shapes import TensorType
from archdsl.ops.memory.strides import Strided, of_roll
from archdsl.ops.memory.tape import Tape, Tensor
from tests.analysis.memory_oracle import inference_peak, optimizer_bytes, saved_bytes
from tests.ops.op_cases import CASES
from tests.ops.op_strategies import Arguments
from tests.running import calls_made

ORDINARY = {
    "resnet18": 64, "densenet121": 64, "mobilenet_v2": 64, "shufflenet_v2_x0_5": 64, "efficientnet_b0": 64,
    "convnext_tiny": 64, "mobilenet_v3_small": 64, "regnet_y_400mf": 64, "squeezenet1_1": 64, "resnetblur18": 64,
    "googlenet": 64, "alexnet": 64, "vit_b_32": 224, "swin_t": 96, "swin_v2_t": 96, "skresnext50_32x4d": 64,
    "ecaresnet50d": 64, "vgg11_bn": 64, "mnasnet0_5": 64, "densenet40_k12": 32, "resnet110_exclusive_gating": 32,
}  # fmt: skip
"""One of each family, and the size of its images here; Inception v3 and MaxViT take large ones alone."""

LARGE_IMAGES = re.compile("inception|maxvit|vit_|swin|cifar|resnet110|k12|k24|k40")
"""Networks compared at the size they declare, as they take no other or are meant for small images."""


def compare(graph: Graph, dtype: str = "float32", batch: int = 2) -> Memory:
    """Both figures are torch's; so are the weights'."""
    found = memory(graph, batch=batch, dtype=dtype)
    torch.manual_seed(0)
    module = to_graph_module(graph).to(getattr(torch, dtype))
    inputs = [torch.randn(batch, *node.type.sizes).to(getattr(torch, dtype)) for node in graph.inputs]
    assert found.activations == saved_bytes(module, inputs)
    assert found.inference_peak == inference_peak(module, inputs)
    assert found.parameters == sum(parameter.nbytes for parameter in module.parameters())
    assert found.buffers == sum(buffer.nbytes for buffer in module.buffers())
    return found


# ---- every op ------------------------------------------------------------------------------------


def laid_out(builder: GraphBuilder, data: st.DataObject, type_: TensorType, name: str) -> Node:
    """A tensor of this type: the input or behind a parameter, in order or not, maybe one that may be overwritten."""
    turned = type_.layout in ("CHW", "HWC", "CL", "LC") and data.draw(st.booleans())
    if turned:
        first = type_.layout in ("CHW", "CL")
        sizes = (*type_.sizes[1:], type_.sizes[0]) if first else (type_.sizes[-1], *type_.sizes[:-1])
        layout: Any = {"CHW": "HWC", "HWC": "CHW", "CL": "LC", "LC": "CL"}[type_.layout]
        node = builder.input(*sizes, name=name, layout=layout)
    elif type_.layout == "CHW" and data.draw(st.booleans()):
        channels, height, width = type_.sizes
        node = builder.input(channels, height + 1, width + 2, name=name, layout="CHW")
    else:
        node = builder.input(*type_.sizes, name=name, layout=type_.layout)
    if data.draw(st.booleans()):
        node = builder.apply("position_embedding", node, label=f"{name}_learned")
    if turned:
        node = builder.apply("channels_first" if first else "channels_last", node, label=f"{name}_turned")
    elif node.type != type_:
        node = builder.apply("crop", node, label=f"{name}_cropped", size=type_.sizes[1:])
    if data.draw(st.booleans()):
        node = builder.apply("add", node, node, label=f"{name}_new")
    return node


def network_of(kind: str, arguments: Arguments, types: tuple[TensorType, ...], data: st.DataObject) -> Graph:
    """The op on such tensors, and something that reads its result."""
    builder = GraphBuilder("net")
    inputs = [laid_out(builder, data, type_, f"input{i}") for i, type_ in enumerate(types)]
    result = builder.apply(kind, *inputs, label="op", **arguments)
    builder.apply("relu", result, label="reader")
    return builder.finish()


@pytest.mark.parametrize("kind", sorted(ALL_OPS.keys() - {"input"}))
@given(data=st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_an_op_takes_what_torchs_takes(kind: str, data: st.DataObject) -> None:
    arguments, types = data.draw(CASES[kind].examples)
    try:
        ALL_OPS[kind](**arguments).infer(types)
    except (ValueError, OpError):
        assume(False)
    graph = network_of(kind, arguments, types, data)
    if kind == "linear" and any(node.op.kind in ("channels_first", "channels_last") for node in graph.nodes):
        # a dispatch mode, the oracle, makes linear add its bias out of place there
        assume(not arguments["bias"])
    try:
        compare(graph, data.draw(st.sampled_from(sorted(ITEM_BYTES))), data.draw(st.integers(2, 3)))
    except (RuntimeError, ValueError) as error:
        # kernels that the CPU lacks for small types, norms of a single value
        assert any(part in str(error) for part in ("not implemented for", "more than 1 value", "more than 1 spatial"))
        assume(False)


@given(data=st.data())
def test_a_rolled_tensor_lies_as_torchs_does(data: st.DataObject) -> None:
    """Parts of no places, where an axis is not moved, change the order of axes that torch gives the result."""
    order = data.draw(st.permutations(range(4)))
    x = torch.empty([data.draw(st.integers(1, 4)) for _ in range(4)]).permute(order)
    shifts = {axis: data.draw(st.integers(-3, 3)) for axis in data.draw(st.sampled_from([(1,), (2, 1), (1, 2)]))}
    rolled = torch.roll(x, tuple(shifts.values()), dims=tuple(shifts))
    assert of_roll(Strided(tuple(x.shape), x.stride()), shifts).strides == rolled.stride()


# ---- networks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ORDINARY)
def test_a_network_of_each_family_takes_what_torchs_takes(name: str) -> None:
    compare(archdsl.load(name, input=(3, ORDINARY[name], ORDINARY[name])))


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", archdsl.bundled())
def test_every_network_takes_what_torchs_takes(name: str) -> None:
    try:
        graph = archdsl.load(name, input=None if LARGE_IMAGES.search(name) else (3, 96, 96))
    except archdsl.ArchError:
        graph = archdsl.load(name)
    compare(graph)


TEXTS = {
    "several inputs and outputs": """network n {
        input left: 3x8x8, right: 3x8x8
        (@left -> conv(4, 3) -> relu) ++ (@right -> conv(4, 3) -> bn -> silu)
        output classes: conv(8, 1), features: id }""",
    "auxiliary": """network n { input 3x16x16
        trunk: conv(8, 3) -> bn -> relu
        aux early { maxpool(2) -> conv(4, 3) -> bn -> relu -> global_avgpool -> flatten -> linear(5) }
        conv(8, 3) -> relu6 -> global_avgpool -> flatten -> linear(5) }""",
    "shared": """network n { input 8x16x16
        let tied = shared(conv(8, 3))
        tied -> relu -> tied -> hardswish }""",
    "a sum of four": """network n { input 3x8x8
        conv(8, 3)
        id + conv(8, 3) + maxpool(3, 1) + (conv(8, 1) -> gelu) }""",
}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_networks_of_other_forms_take_what_torchs_take(text: str, dtype: str) -> None:
    compare(archdsl.load(text), dtype, batch=3)


def test_rows_add_up_and_say_who_keeps() -> None:
    graph = archdsl.load("network n { input 3x8x8\n conv(4, 3) -> bn -> relu -> conv(4, 3) -> flatten -> linear(2) }")
    found = memory(graph, batch=2)
    image, features = 2 * 3 * 8 * 8 * 4, 2 * 4 * 8 * 8 * 4
    kept = {node.path: (share.kept, share.kept_by) for node, share in zip(graph.nodes, found.nodes, strict=True)}
    assert kept == {
        "input": (image, (1,)),
        "conv1": (features, (2,)),
        "bn1": (features + 2 * 4 * 4, (2, 3, 4)),  # its statistics, and what relu writes over its result
        "relu1": (0, ()),
        "conv2": (features, (6,)),  # as the linear layer reads it, flattened
        "flatten1": (0, ()),
        "linear1": (0, ()),
    }
    assert found.activations == sum(share.kept or 0 for share in found.nodes)
    assert found.parameters == sum(share.parameters for share in found.nodes)
    assert found.inference_peak == max(share.live or 0 for share in found.nodes)


def test_concatenations_of_a_densenet_grow_with_the_square_of_its_depth() -> None:
    """A second difference that stays the same: each layer's concatenation holds one growth rate more."""
    text = "network n(depth) { input 4x8x8\n let layer = seq(bn -> conv(4, 3))\n dense: seq((id ++ layer) x depth) }"
    kept = [memory(archdsl.load(text, depth=depth)).concatenations or 0 for depth in (2, 3, 4, 5)]
    steps = [b - a for a, b in pairwise(kept)]
    assert len({b - a for a, b in pairwise(steps)}) == 1
    assert steps[1] - steps[0] == 4 * 8 * 8 * 4


# ---- weights and optimisers ----------------------------------------------------------------------

MAKERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, 0.1),
    "momentum": lambda parameters: torch.optim.SGD(parameters, 0.1, momentum=0.9),
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
}


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_optimiser_holds_what_torchs_holds(optimizer: str, dtype: str) -> None:
    graph = archdsl.load(TEXTS["shared"])
    module = to_graph_module(graph).to(getattr(torch, dtype))
    found = memory(graph, dtype=dtype, optimizer=optimizer)
    assert found.optimizer_state == optimizer_bytes(module, MAKERS[optimizer])
    assert found.gradients == sum(p.grad.nbytes for p in module.parameters() if p.grad is not None)


def test_without_training_there_is_inference_alone() -> None:
    graph = archdsl.load("resnet18")
    found, trained = memory(graph, training=False, optimizer="adam"), memory(graph, optimizer="adam")
    assert (found.gradients, found.optimizer_state, found.activations, found.concatenations) == (0, 0, 0, 0)
    assert found.total == found.inference == trained.inference
    assert found.inference == found.parameters + found.buffers + (found.inference_peak or 0)
    assert (
        trained.total
        == trained.training
        == 4 * trained.parameters
        + trained.buffers
        + (trained.activations or 0)
        + 4 * len(list(archdsl.build("resnet18", device="meta").parameters()))
    )


def test_a_gpu_keeps_dropouts_mask_in_bytes_and_statistics_in_32_bits() -> None:
    text = "network n { input 3x8x8\n conv(4, 3) -> dropout(0.5) -> bn }"
    elements = 2 * 4 * 8 * 8
    cpu, cuda = (memory(archdsl.load(text), batch=2, dtype="float16", device=device) for device in DEVICES)
    assert cpu.activations is not None
    assert cuda.activations == cpu.activations - elements * 2 + elements + 2 * 4 * 2


# ---- budgets -------------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", ["resnet18", "densenet40_k12", "swin_t"])
@pytest.mark.parametrize("budget", [2**30, 24 * 2**30])
def test_the_largest_batch_fits_and_one_more_does_not(name: str, training: bool, budget: int) -> None:
    graph = archdsl.load(name)
    arguments: dict[str, Any] = {"training": training, "optimizer": "adam"}
    batch = largest_batch(graph, budget, **arguments)
    totals = [memory(graph, batch=n, **arguments).total or 0 for n in (batch, batch + 1)]
    assert totals[0] <= budget < totals[1]


def test_a_budget_for_just_one_example_gives_one() -> None:
    graph = archdsl.load("resnet18")
    one = memory(graph).total or 0
    assert largest_batch(graph, one) == 1
    with pytest.raises(archdsl.ArchError, match=r"error\[E802\]: one example takes .* bytes"):
        largest_batch(graph, one - 1)


def test_no_batch_is_the_largest_where_memory_does_not_grow_with_it() -> None:
    graph = archdsl.load("network untrained { input 3x8x8\n relu }")
    with pytest.raises(archdsl.ArchError, match="every batch fits"):
        largest_batch(graph, 2**30)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch": 0}, "a batch has one example or more, not 0"),
        ({"batch": -3}, "a batch has one example or more, not -3"),
        ({"dtype": "float8"}, "`float8` is no type of numbers"),
        ({"optimizer": "lion"}, "`lion` is no optimiser"),
        ({"device": "tpu"}, "`tpu` is no device"),
    ],
)
def test_what_there_is_not_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        memory(archdsl.load("resnet18"), **arguments)
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.message) == ("E801", message)


# ---- ops of one's own ----------------------------------------------------------------------------


class Doubled(UserOp):
    kind = "doubled"

    @override
    def infer(self, inputs: Types) -> TensorType:
        return inputs[0]

    @override
    def macs(self, inputs: Types, output: TensorType) -> int:
        return 0

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return FunctionCall("torch.mul", (X, 2.0))


class DoubledAsItSays(Doubled):
    kind = "doubled_as_it_says"

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        return tape.pointwise(*tensors, with_number=True)


def test_an_op_that_does_not_say_makes_figures_unknown_and_never_zero() -> None:
    graph = archdsl.load("network n { input 3x8x8\n conv(4, 3) -> doubled -> relu }", ops=[Doubled])
    found = memory(graph)
    assert found.unknown == (2,)
    assert (found.activations, found.concatenations, found.inference_peak, found.peak_node) == (None,) * 4
    assert (found.training, found.inference, found.total) == (None,) * 3
    assert (found.nodes[2].kept, found.nodes[2].live) == (None, None)
    assert found.parameters == 4 * (4 * 3 * 9 + 4)
    with pytest.raises(archdsl.ArchError, match=r"error\[E802\]: `doubled` does not say"):
        largest_batch(graph, 2**30)


def test_an_op_of_ones_own_may_say() -> None:
    text = "network n { input 3x8x8\n conv(4, 3) -> doubled_as_it_says -> conv(4, 3) }"
    assert compare(archdsl.load(text, ops=[DoubledAsItSays])).unknown == ()


# ---- speed ---------------------------------------------------------------------------------------


def chain(length: int) -> Graph:
    """Blocks of four nodes, whose ops are the same objects throughout, as elaboration makes them."""
    builder = GraphBuilder("net")
    node = builder.input(8, 4, 4)
    conv, bn = ALL_OPS["conv"](out_channels=8, kernel_size=3), ALL_OPS["bn"]()  # type: ignore[call-arg]
    relu, add = ALL_OPS["relu"](), ALL_OPS["add"]()
    for i in range(length // 4):
        branch = node
        for op in (conv, bn, relu):
            branch = builder.apply(op, branch, label=f"{op.kind}{i}")
        node = builder.apply(add, branch, node, label=f"add{i}")
    return builder.finish()


def test_work_grows_linearly() -> None:
    few, many = chain(5_000), chain(20_000)
    assert calls_made(lambda: memory(many)) <= 4 * calls_made(lambda: memory(few))


def test_equal_ops_on_tensors_that_lie_alike_are_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for kind in ("conv", "bn", "relu", "add"):
        original = ALL_OPS[kind].memory

        def counted(self: Op, *arguments: Any, original: Any = original) -> Any:
            asked.append(self.kind)
            return original(self, *arguments)

        monkeypatch.setattr(ALL_OPS[kind], "memory", counted)
    memory(chain(400))
    # twice for each pass: the first block reads the input, which has no gradient, where that tells
    assert len(asked) <= 2 * 2 * 4


def test_torch_is_not_imported() -> None:
    code = "import archdsl, sys; from archdsl.analysis.memory import memory; memory(archdsl.load('resnet18'))"
    subprocess.run([sys.executable, "-c", f"{code}; assert 'torch' not in sys.modules"], check=True)
