"""The GraphModule: equal to what torch computes, and fit for everything that one does with a module."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, fx, nn

import archdsl
from archdsl.backends.torch.deferred_graph import EAGER_VARIABLE
from archdsl.backends.torch.fx import to_graph_module
from archdsl.diagnostics.problems import ArchError
from archdsl.graph.builder import GraphBuilder
from archdsl.graph.model import Graph
from archdsl.graph.overwriting import overwriting_nodes
from archdsl.ops import ALL_OPS
from archdsl.ops.contract.base import OpError
from archdsl.ops.contract.channels import with_size
from archdsl.ops.reshape import InputOp
from tests.backends.sample_networks import SAMPLES, auxiliary, residual, several_outputs, shared
from tests.ops.op_cases import CASES
from tests.ops.op_strategies import Arguments
from tests.running import each_sample, equal, inputs_of, load_python, seeded


@pytest.fixture(params=["", "1"], ids=["deferred", "eager"])
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once with graphs made at first use, once with graphs made at once."""
    monkeypatch.setenv(EAGER_VARIABLE, request.param)


# ---- each op -------------------------------------------------------------------------------------


CALLED = sorted(ALL_OPS.keys() - {"input"})
"""An input has no call, as it is given."""


def test_an_input_has_no_call() -> None:
    with pytest.raises(AssertionError, match="given, not computed"):
        InputOp(sizes=(1,), layout="C").torch_call(())


@st.composite
def one_op(draw: st.DrawFn, kind: str) -> tuple[Graph, nn.Module]:
    """A network of one op, and torch's module for it."""
    arguments, types = draw(CASES[kind].examples)
    builder = GraphBuilder("one_op")
    inputs = [builder.input(*t.sizes, name=f"x{i}", layout=t.layout) for i, t in enumerate(types)]
    try:
        if kind != "input":
            builder.apply(kind, *inputs, label="op", **arguments)
        torchs = torch_module(kind, arguments, types)
    except (ArchError, ValidationError, OpError):
        assume(False)
    return builder.finish(), torchs


def torch_module(kind: str, arguments: Arguments, types: tuple[object, ...]) -> nn.Module:
    return CASES[kind].module(arguments, types)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", CALLED)
@given(data=st.data())
@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_each_op_computes_what_torch_computes(kind: str, data: st.DataObject) -> None:
    graph, torchs = data.draw(one_op(kind))
    names = CASES[kind].own_names
    state = {".".join(filter(None, ["op", names.get(key, key)])): value for key, value in torchs.state_dict().items()}
    for module in (to_graph_module(graph), load_python(graph)):
        assert list(module.state_dict()) == list(state)
        module.load_state_dict(state)
        for training in (False, True):
            tensors = inputs_of(graph)
            assert equal(seeded(module.train(training), tensors), seeded(torchs.train(training), tensors))
        torchs.load_state_dict({key: state[name] for key, name in zip(torchs.state_dict(), state, strict=True)})


@pytest.mark.parametrize("kind", [kind for kind in CALLED if ALL_OPS[kind].call_depends_on != "types"])
@given(data=st.data())
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_what_decides_over_a_call_decides_over_all_of_it(kind: str, data: st.DataObject) -> None:
    """Of inputs that count as equal, one stands for the other: places beside the channels may differ."""
    (arguments, some), (_, others) = data.draw(CASES[kind].examples), data.draw(CASES[kind].examples)
    if ALL_OPS[kind].call_depends_on == "channels":
        (one,), (other,) = some, others
        assume(one.layout == other.layout)
        axis = one.channel_axis or 0
        others = (with_size(other, axis, one.sizes[axis]),)
    try:
        op = ALL_OPS[kind](**arguments)
        op.infer(some)
        op.infer(others)
    except (ValidationError, OpError):
        assume(False)
    assert op.call_key(some) == op.call_key(others)
    assert op.torch_call(some) == op.torch_call(others)
    assert op.parameters(some) == op.parameters(others)
    assert op.buffers(some) == op.buffers(others)


# ---- the module tree -----------------------------------------------------------------------------


@pytest.mark.usefixtures("both_ways")
@each_sample
def test_state_dict_is_the_graphs(sample: str) -> None:
    graph = SAMPLES[sample]()
    state = to_graph_module(graph).state_dict()
    expected = [(entry.key, entry.spec.shape, f"torch.{entry.spec.dtype}") for entry in graph.state_entries()]
    assert [(key, tuple(tensor.shape), str(tensor.dtype)) for key, tensor in state.items()] == expected


@pytest.mark.usefixtures("both_ways")
@each_sample
def test_output_types_are_the_graphs(sample: str) -> None:
    graph = SAMPLES[sample]()
    module = to_graph_module(graph).eval()
    output = module(*inputs_of(graph, batch=3))
    tensors = list(output.values()) if isinstance(output, dict) else [output]
    main = [graph.nodes[ref.node].type.sizes for ref in graph.outputs if not ref.auxiliary]
    assert [tuple(tensor.shape) for tensor in tensors] == [(3, *sizes) for sizes in main]


@pytest.mark.usefixtures("both_ways")
def test_nodes_carry_their_origin() -> None:
    module = to_graph_module(residual())
    node = next(node for node in module.graph.nodes if node.name == "layer2_0_downsample_0")
    assert node.target == node.meta["path"] == "layer2.0.downsample.0"
    assert node.meta["section"] == "layer2"
    assert node.meta["tensor_type"].sizes == (16, 16, 16)
    assert list(node.meta["nn_module_stack"].values()) == [
        ("layer2", nn.Module),
        ("layer2.0", nn.Module),
        ("layer2.0.downsample", nn.Module),
        ("layer2.0.downsample.0", nn.Conv2d),
    ]
    assert type(module).__name__ == "residual"


@pytest.mark.usefixtures("both_ways")
def test_shared_modules_are_one() -> None:
    graph = shared()
    module = to_graph_module(graph)
    assert [node.target for node in module.graph.nodes if "conv1" in node.name] == ["conv1", "conv1"]
    assert list(module.state_dict())[:2] == ["conv1.weight", "conv1.bias"]
    assert not overwriting_nodes(graph)


@pytest.mark.parametrize("name", ["training", "graph", "class"])
def test_a_name_that_torch_or_python_uses_is_refused(name: str) -> None:
    builder = GraphBuilder("net")
    builder.apply("relu", builder.input(3), label=name)
    with pytest.raises(ArchError, match="E606"):
        to_graph_module(builder.finish())


# ---- gradients and in-place activations ----------------------------------------------------------


@each_sample
def test_gradients_do_not_depend_on_overwriting(sample: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compare_gradients(SAMPLES[sample](), monkeypatch)


def compare_gradients(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients of the module as it is built and of one in which nothing overwrites its input."""
    module = to_graph_module(graph)
    monkeypatch.setattr("archdsl.backends.torch.module_tree.overwriting_nodes", lambda graph: frozenset())
    careful = to_graph_module(graph)
    careful.load_state_dict(module.state_dict())
    inputs = inputs_of(graph)
    kept = [tensor.clone() for tensor in inputs]
    results = []
    for each in (module, careful):
        tensors = tuple(tensor.requires_grad_() for tensor in inputs)
        output = seeded(each, tensors)
        sum(tensor.square().sum() for tensor in (output.values() if isinstance(output, dict) else [output])).backward()  # type: ignore[union-attr]
        results.append([parameter.grad for parameter in [*each.parameters(), *tensors]])
        for tensor in inputs:
            tensor.grad = None
    for found, expected in zip(*results, strict=True):
        assert (found is None and expected is None) or torch.equal(found, expected)
    assert all(torch.equal(a, b) for a, b in zip(inputs, kept, strict=True))


@pytest.mark.parametrize("producer", [kind for kind, op in ALL_OPS.items() if op.output_can_be_overwritten])
@pytest.mark.parametrize("activation", [kind for kind, op in ALL_OPS.items() if op.can_overwrite_input])
def test_overwriting_is_safe_after_each_producer(
    producer: str, activation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments: dict[str, dict[str, Any]] = {
        "conv": {"out_channels": 4, "kernel_size": 3}, "conv1d": {"out_channels": 4, "kernel_size": 3},
        "conv_transpose": {"out_channels": 4, "kernel_size": 3}, "dwconv": {"kernel_size": 3},
        "linear": {"out_features": 4}, "gn": {"num_groups": 2}, "instance_norm": {"affine": True},
        "maxpool": {"kernel_size": 3}, "avgpool": {"kernel_size": 3},
    }  # fmt: skip
    builder = GraphBuilder("net")
    sizes = {"conv1d": (4, 8), "linear": (4,), "ln": (4,)}.get(producer, (4, 6, 6))
    inputs = [builder.input(*sizes, name=f"x{i}", layout="CL" if producer == "conv1d" else None) for i in range(2)]
    arity = 2 if producer in ("add", "concat") else 1
    made = builder.apply(producer, *inputs[:arity], label="made", **arguments.get(producer, {}))
    end = builder.apply(activation, made, label="act")
    graph = builder.finish(end)
    assert overwriting_nodes(graph) == {end.id}
    compare_gradients(graph, monkeypatch)


# ---- outputs -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("both_ways")
def test_auxiliary_outputs_are_returned_in_training_alone() -> None:
    graph = auxiliary()
    module = to_graph_module(graph)
    training, evaluated = module(*inputs_of(graph)), module.eval()(*inputs_of(graph))
    assert list(training) == ["output", "side"]
    assert isinstance(evaluated, Tensor)


@pytest.mark.parametrize("made", [to_graph_module, load_python])
def test_auxiliary_branches_see_examples_in_training_alone(made: Callable[[Graph], nn.Module]) -> None:
    module, inputs = made(auxiliary()), inputs_of(auxiliary())
    seen: list[int] = []
    module.get_submodule("side.2").register_forward_hook(lambda branch, arguments, output: seen.append(len(output)))
    module.train()(*inputs)
    module.eval()(*inputs)
    assert sum(seen) == len(inputs[0])


@pytest.mark.parametrize("made", [to_graph_module, load_python])
def test_eval_mode_takes_images_too_small_for_an_auxiliary_branch(made: Callable[[Graph], nn.Module]) -> None:
    text = """network watched {
        input 3x16x16
        aux { avgpool(8, padding = 0) -> flatten -> linear(2) }
        conv(4, 3) -> global_avgpool -> flatten
    }"""
    module = made(archdsl.load(text)).eval()
    assert module(torch.randn(2, 3, 4, 4)).shape == (2, 4)


@pytest.mark.usefixtures("both_ways")
def test_several_outputs_come_by_name_and_inputs_go_by_name() -> None:
    graph = several_outputs()
    module = to_graph_module(graph)
    left, right = inputs_of(graph)
    assert list(module(left=left, right=right)) == ["output0", "output1", "side"]
    assert list(module.eval()(left, right=right)) == ["output0", "output1"]


# ---- what one does with a module -----------------------------------------------------------------


def saved_and_loaded(module: fx.GraphModule) -> fx.GraphModule:
    buffer = io.BytesIO()
    torch.save(module, buffer)
    buffer.seek(0)
    loaded: fx.GraphModule = torch.load(buffer, weights_only=False)
    return loaded


@pytest.mark.usefixtures("both_ways")
@each_sample
@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module)), saved_and_loaded],
    ids=["deepcopy", "pickle", "torch.save"],
)
def test_copies_are_equal_and_separate(sample: str, copied: Callable[[fx.GraphModule], fx.GraphModule]) -> None:
    graph = SAMPLES[sample]()
    module, inputs = to_graph_module(graph), inputs_of(graph)
    duplicate = copied(module)
    assert list(duplicate.state_dict()) == list(module.state_dict())
    for training in (True, False):
        assert equal(seeded(duplicate.train(training), inputs), seeded(module.train(training), inputs))
    before = [parameter.clone() for parameter in module.parameters()]
    for parameter in duplicate.parameters():
        parameter.data.add_(1)
    assert all(torch.equal(a, b) for a, b in zip(module.parameters(), before, strict=True))


@pytest.mark.usefixtures("both_ways")
@each_sample
def test_symbolic_trace_gives_the_same_module(sample: str) -> None:
    graph = SAMPLES[sample]()
    module, inputs = to_graph_module(graph).eval(), inputs_of(graph)
    assert equal(fx.symbolic_trace(module)(*inputs), module(*inputs))


@pytest.mark.usefixtures("both_ways")
@each_sample
def test_export_takes_any_batch(sample: str) -> None:
    graph = SAMPLES[sample]()
    module = to_graph_module(graph).eval()
    shapes = tuple({0: torch.export.Dim("batch")} for _ in graph.inputs)
    program = torch.export.export(module, inputs_of(graph), dynamic_shapes=shapes)
    inputs = inputs_of(graph, batch=5)
    with torch.no_grad():
        assert equal(program.module()(*inputs), module(*inputs))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@each_sample
def test_compile_computes_the_same(sample: str) -> None:
    graph = SAMPLES[sample]()
    module, inputs = to_graph_module(graph).eval(), inputs_of(graph)
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    with torch.no_grad():
        assert equal(compiled(*inputs), module(*inputs))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_inductor_computes_the_same() -> None:
    graph = residual()
    module, inputs = to_graph_module(graph).eval(), inputs_of(graph)
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(module)(*inputs), module(*inputs))


def test_distributed_data_parallel_trains_it(tmp_path: Path) -> None:
    distributed = torch.distributed
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        module = to_graph_module(residual())
        nn.parallel.DistributedDataParallel(module)(*inputs_of(residual())).sum().backward()
        assert all(parameter.grad is not None for parameter in module.parameters())
    finally:
        distributed.destroy_process_group()


@pytest.mark.usefixtures("both_ways")
def test_other_batches_and_image_sizes() -> None:
    module = to_graph_module(residual()).eval()
    for batch, size in ((1, 32), (3, 48), (2, 33)):
        assert module(torch.randn(batch, 3, size, size + 5)).shape == (batch, 10)


# ---- how weights start ---------------------------------------------------------------------------


@pytest.mark.usefixtures("both_ways")
def test_the_seed_decides_how_weights_start() -> None:
    graph = residual()
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(to_graph_module(graph).state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    other = to_graph_module(graph).state_dict()
    assert not torch.equal(other["conv1.weight"], states[0]["conv1.weight"])


def test_meta_and_other_types() -> None:
    graph = residual()
    assert {p.device.type for p in to_graph_module(graph, device="meta").parameters()} == {"meta"}
    assert {p.dtype for p in to_graph_module(graph, dtype=torch.bfloat16).parameters()} == {torch.bfloat16}
    blurred = to_graph_module(archdsl.load("network n {\n input 3x8x8\n blurpool(3)\n}"), dtype=torch.float64)
    assert {buffer.dtype for buffer in blurred.buffers()} == {torch.float64}


@pytest.mark.parametrize("device", ["cuda:99", "nonsense", "fpga"])
def test_a_missing_device_is_a_diagnostic(device: str) -> None:
    with pytest.raises(ArchError, match="E604"):
        to_graph_module(residual(), device=device)


def test_without_init_norms_still_start() -> None:
    state = to_graph_module(residual(), init=False).state_dict()
    assert torch.equal(state["bn1.running_var"], torch.ones(8))
    assert torch.equal(state["bn1.weight"], torch.ones(8))
    assert state["bn1.num_batches_tracked"] == 0


def test_a_scope_that_begins_without_a_module_keeps_its_place() -> None:
    text = 'network n { input 3x8x8\n a: (id + id)\n "b.0": conv(3, 1)\n "a.c": conv(3, 1) }'
    graph = archdsl.load(text)
    expected = ["a.c.weight", "a.c.bias", "b.0.weight", "b.0.bias"]
    assert [entry.key for entry in graph.state_entries()] == expected
    assert list(to_graph_module(graph).state_dict()) == expected
