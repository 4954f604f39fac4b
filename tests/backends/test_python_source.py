"""Generated Python files: the same network as the GraphModule, standing alone, and fit to be read."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import archdsl
from archdsl.analysis.cost import cost
from archdsl.backends.python.python_source import to_python
from archdsl.backends.torch.fx import to_graph_module
from archdsl.graph.builder import GraphBuilder
from archdsl.graph.model import Graph
from archdsl.ops.contract.init import Normal
from archdsl.zoo.bundled import bundled
from tests.backends.sample_networks import SAMPLES, dense, residual, tokens
from tests.running import each_sample, equal, inputs_of, load_python, seeded

LARGEST = 150_000_000
"""Parameters of the largest networks that are built twice."""
OF_ONE_SIZE = ("inception", "maxvit", "vit")
"""Networks that take no smaller images than the declared ones."""


def classes(source: str) -> list[str]:
    return re.findall(r"^class (\w+)", source, re.MULTILINE)


@each_sample
def test_files_compute_what_the_graph_module_computes(sample: str) -> None:
    compare(SAMPLES[sample]())


def compare(graph: Graph) -> None:
    """State, outputs in both modes, and running statistics, bit for bit."""
    module, written = to_graph_module(graph), load_python(graph)
    assert list(written.state_dict()) == list(module.state_dict())
    written.load_state_dict(module.state_dict())
    for training in (True, False):
        inputs = inputs_of(graph)
        assert equal(seeded(written.train(training), inputs), seeded(module.train(training), inputs))
    state = module.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in written.state_dict().items())


def test_what_is_read_twice_is_computed_once() -> None:
    graph = archdsl.load("network n { input 8x4x4\n channels_last -> reshape(16 x 8) -> class_token -> linear(3) }")
    written = to_python(graph)
    assert written.count("torch.permute") == written.count("torch.reshape") == 1
    compare(graph)


@pytest.mark.parametrize("as_file", [False, True])
def test_other_sizes_are_refused_by_reshape_and_never_taken_for_other_examples(as_file: bool) -> None:
    graph = archdsl.load("network n { input 8x4x4\n channels_last -> reshape(16 x 8) -> linear(3) }")
    module = load_python(graph) if as_file else to_graph_module(graph)
    assert module(torch.randn(3, 8, 4, 4)).shape == (3, 16, 3)
    with pytest.raises(RuntimeError, match="invalid for input of size"):
        module(torch.randn(4, 8, 2, 2))


def test_tokens_are_as_many_as_the_image_has_places() -> None:
    module = archdsl.build("network n { input 8x4x4\n tokens -> linear(3) }")
    assert module(torch.randn(4, 8, 2, 3)).shape == (4, 6, 3)


def test_resize_takes_the_size_of_the_images_at_hand() -> None:
    text = 'network n { input 3x8x8\n fine: conv(4, 3) -> maxpool(2)\n @fine + resize([id, @fine], "bilinear") }'
    graph = archdsl.load(text)
    compare(graph)
    assert archdsl.build(graph)(torch.randn(2, 3, 5, 7)).shape == (2, 4, 5, 7)


@pytest.mark.parametrize("name", ["resnet18", "densenet121"])
def test_bundled_networks_compute_the_same(name: str) -> None:
    compare(archdsl.load(name, input=(3, 64, 64)))


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", sorted(bundled()))
def test_all_bundled_networks_compute_the_same(name: str) -> None:
    graph = archdsl.load(name)
    if cost(graph).parameters > LARGEST:
        pytest.skip("two of them take more memory than a small machine has")
    compare(graph if name.startswith(OF_ONE_SIZE) else archdsl.load(name, input=(3, 64, 64)))


@each_sample
def test_files_pass_linter_and_formatter(sample: str, tmp_path: Path) -> None:
    tidy(to_python(SAMPLES[sample]()), tmp_path)


@pytest.mark.parametrize("name", ["resnet50", "densenet121", "inception_v3"])
def test_bundled_networks_pass_linter_and_formatter(name: str, tmp_path: Path) -> None:
    tidy(to_python(archdsl.load(name)), tmp_path)


def tidy(source: str, folder: Path) -> None:
    file = folder / "network.py"
    file.write_text(source, encoding="utf-8")
    options = ["--isolated", "--no-cache", "--line-length", "100"]
    for command in (["check", "--select", "E,F,I,B,UP,SIM,RUF,N"], ["format", "--diff"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *options, str(file)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout


def test_files_run_where_archdsl_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "network.py"
    file.write_text(to_python(tokens()), encoding="utf-8")
    done = subprocess.run([sys.executable, "-I", str(file)], cwd=tmp_path, capture_output=True, text=True, check=True)
    parameters = sum(parameter.numel() for parameter in to_graph_module(tokens()).parameters())
    assert done.stdout == f"output: (1, 10)\nparameters: {parameters}\n"


@pytest.mark.parametrize("init", [None, Normal(std=3.0)])
def test_weights_start_as_those_of_the_graph_module(init: Normal | None) -> None:
    graph = residual(init)
    torch.manual_seed(0)
    module, written = to_graph_module(graph), load_python(graph)
    own = dict(written.named_parameters())
    for name, parameter in module.named_parameters():
        deviation = parameter.std().item() if parameter.numel() > 1 else 0.0
        assert own[name].mean().item() == pytest.approx(parameter.mean().item(), abs=0.2 * deviation + 1e-6)
        assert own[name].std().item() == pytest.approx(deviation, rel=0.2)


# ---- one class per block -------------------------------------------------------------------------


def test_uses_that_differ_in_numbers_share_a_class() -> None:
    source = to_python(residual())
    assert classes(source) == ["Basic", "BasicWithDownsample", "Residual"]
    assert "def __init__(self, channels: int)" in source
    assert "def __init__(self, in_channels: int, out_channels: int) -> None:" in source
    assert "*(Basic(16) for _ in range(3))" in source


def test_evenly_growing_children_become_a_loop() -> None:
    source = to_python(dense())
    assert classes(source) == ["DenseLayer", "Denseblock", "Dense"]
    assert "Denseblock(20, depth=5)" in source
    assert 'self.add_module(f"denselayer{i + 1}", DenseLayer(in_channels + 4 * i))' in source


def test_a_block_used_twice_in_a_row_is_not_written_twice() -> None:
    source = to_python(archdsl.load("resnet152"))
    assert classes(source) == ["Bottleneck", "BottleneckWithDownsample", "Resnet152"]
    assert len(source.splitlines()) < 130


def test_parameters_of_every_type_are_typed() -> None:
    """Blocks that differ in a kernel's form, a flag, a float: all become parameters with fitting annotations."""
    builder = GraphBuilder("typed")
    x = builder.input(4, 8, 8)
    for i, (kernel, bias, slope) in enumerate([(3, True, 0.1), ((1, 3), False, 0.2), (3, True, 0.3)]):
        with builder.scope("block", f"part{'abc'[i]}", block="part"):
            x = builder.apply("conv", x, label="conv1", out_channels=4, kernel_size=kernel, bias=bias)
            x = builder.apply("leaky_relu", x, label="act", negative_slope=slope)
    graph = builder.finish()
    source = to_python(graph)
    assert classes(source) == ["Part", "Typed"]
    assert "kernel_size: int | tuple[int, int]" in source
    assert "bias: bool = True" in source
    assert "negative_slope: float" in source
    compare(graph)


def test_a_doc_comment_cannot_end_the_docstring() -> None:
    builder = GraphBuilder("quoted")
    builder.apply("relu", builder.input(3), label="relu1")
    graph = replace(builder.finish(), doc='Ends """ here \\')
    assert "Ends ''' here" in (type(load_python(graph)).__doc__ or "")


def test_a_shared_block_is_one_module() -> None:
    graph = archdsl.load(
        """
        network twice {
            input 4x8x8
            block part { conv(4, 3) -> bn -> relu }
            let again = shared(part)
            again -> (again + id) -> conv(2, 1)
        }
        """
    )
    compare(graph)
    assert isinstance(load_python(graph), nn.Module)
