"""On a GPU as on the CPU: the model is built there, trains, equals torchvision's on the same device, and takes the
memory that is said."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest
import torch
from torch import Tensor, fx, nn

import archdsl
from archdsl.analysis.memory import memory
from archdsl.backends.torch.fx import to_graph_module
from archdsl.graph.model import Graph
from tests.analysis.memory_oracle import collection_off, saved_bytes

pytestmark = [pytest.mark.cuda, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]

Pair = tuple[fx.GraphModule, nn.Module]


@pytest.fixture(autouse=True)
def deterministic() -> Iterator[None]:
    """Equal kernels for equal calls, so that results can be compared bit for bit."""
    backends = torch.backends.cudnn
    before = backends.deterministic, backends.benchmark
    backends.deterministic, backends.benchmark = True, False
    yield
    backends.deterministic, backends.benchmark = before


@pytest.fixture(params=["resnet50", "densenet121"])
def pair(request: pytest.FixtureRequest, torchvision_models: ModuleType) -> Pair:
    """Our model, built on the GPU, and torchvision's with the same weights."""
    ours = archdsl.build(request.param, device="cuda")
    theirs: nn.Module = getattr(torchvision_models, request.param)(weights=None).cuda()
    theirs.load_state_dict(ours.state_dict(), strict=True)
    return ours, theirs


def images(batch: int = 4) -> Tensor:
    return torch.randn(batch, 3, 64, 64, device="cuda", generator=torch.Generator("cuda").manual_seed(0))


def test_everything_is_built_on_the_device(pair: Pair) -> None:
    assert {tensor.device.type for tensor in pair[0].state_dict().values()} == {"cuda"}


def test_evaluation_equals_torchvisions(pair: Pair) -> None:
    ours, theirs = pair[0].eval(), pair[1].eval()
    with torch.no_grad():
        assert torch.equal(ours(images()), theirs(images()))


def test_a_training_step_equals_torchvisions(pair: Pair) -> None:
    for module in pair:
        module.train()(images()).square().mean().backward()
    for (name, ours), theirs in zip(pair[0].named_parameters(), pair[1].parameters(), strict=True):
        assert ours.grad is not None
        assert theirs.grad is not None
        torch.testing.assert_close(ours.grad, theirs.grad, msg=name)
    state = pair[1].state_dict()
    assert all(torch.equal(value, state[key]) for key, value in pair[0].state_dict().items())


def test_bfloat16_autocast_equals_torchvisions(pair: Pair) -> None:
    ours, theirs = pair[0].eval(), pair[1].eval()
    with torch.no_grad(), torch.autocast("cuda", torch.bfloat16):
        output = ours(images())
        assert output.dtype == torch.bfloat16
        assert torch.equal(output, theirs(images()))


def test_bfloat16_training_has_finite_gradients(pair: Pair) -> None:
    ours = pair[0].train()
    with torch.autocast("cuda", torch.bfloat16):
        loss = ours(images()).float().square().mean()
    loss.backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in ours.parameters())


def test_channels_last_equals_torchvisions(pair: Pair) -> None:
    inputs = images().contiguous(memory_format=torch.channels_last)
    ours, theirs = (module.eval().to(memory_format=torch.channels_last) for module in pair)  # type: ignore[call-overload]
    with torch.no_grad():
        assert torch.equal(ours(inputs), theirs(inputs))


@pytest.mark.filterwarnings("ignore")
def test_compiled_computes_the_same(pair: Pair) -> None:
    ours = pair[0].eval()
    with torch.no_grad():
        expected = ours(images())
        torch.testing.assert_close(torch.compile(ours)(images()), expected, rtol=1e-2, atol=1e-2)


def test_weights_start_on_the_device_as_seeded() -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(0)
        states.append(archdsl.build("resnet18", device="cuda").state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


# ---- memory --------------------------------------------------------------------------------------

NETWORKS = ("resnet18", "densenet121", "mobilenet_v3_small", "efficientnet_b0", "convnext_tiny", "swin_t")

WITHOUT_CONVOLUTIONS = """network n { input 8x32x32
    bn -> relu -> maxpool(2)
    (avgpool(3, 1) -> sigmoid) ++ (id + (dropout(0.1) -> bn)) ++ id
    global_avgpool -> flatten -> linear(10) }"""
"""What is in use is known to the byte: cuDNN's workspaces are for convolutions alone."""


def built(graph: Graph, batch: int) -> tuple[nn.Module, list[Tensor]]:
    module = to_graph_module(graph, device="cuda")
    return module, [torch.randn(batch, *node.type.sizes, device="cuda") for node in graph.inputs]


@pytest.mark.parametrize("name", NETWORKS)
def test_training_keeps_what_is_said(name: str) -> None:
    graph = archdsl.load(name, input=(3, 96, 96))
    module, inputs = built(graph, 2)
    with torch.backends.cudnn.flags(enabled=False):  # whose batch norm keeps a reserve of its own
        assert saved_bytes(module, inputs) == memory(graph, batch=2, device="cuda").activations


def requested_in_inference(graph: Graph, batch: int) -> int:
    """The most bytes asked of the allocator at a time, weights apart and before it rounds up."""
    module, inputs = built(graph, batch)
    with torch.no_grad(), collection_off():
        module.eval()(*inputs)  # libraries take their workspaces at the first call
        torch.cuda.synchronize()
        weights = torch.cuda.memory_stats()["requested_bytes.all.current"] - sum(x.nbytes for x in inputs)
        torch.cuda.reset_peak_memory_stats()
        module(*inputs)
        torch.cuda.synchronize()
    peak: int = torch.cuda.memory_stats()["requested_bytes.all.peak"] - weights
    return peak


def test_inference_takes_what_is_said() -> None:
    graph = archdsl.load(WITHOUT_CONVOLUTIONS)
    assert requested_in_inference(graph, 4) == memory(graph, batch=4, device="cuda").inference_peak


@pytest.mark.parametrize("name", NETWORKS)
def test_inference_takes_no_less_than_is_said(name: str) -> None:
    """And what cuDNN takes besides."""
    graph = archdsl.load(name, input=(3, 96, 96))
    said = memory(graph, batch=16, device="cuda").inference_peak
    assert said is not None
    assert requested_in_inference(graph, 16) >= said
