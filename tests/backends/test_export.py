"""Artifacts: each read back by its own library and equal to the module it was written from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import fx

from archdsl.backends.export import WRITERS, export
from archdsl.backends.torch.fx import to_graph_module
from archdsl.boundary.formats import FORMATS
from archdsl.diagnostics.problems import ArchError
from archdsl.graph.model import Graph
from tests.backends.sample_networks import several_outputs, tokens
from tests.running import inputs_of


@pytest.fixture
def graph() -> Graph:
    return tokens()


@pytest.fixture
def module(graph: Graph) -> fx.GraphModule:
    return to_graph_module(graph)


def test_every_format_has_a_writer() -> None:
    assert WRITERS.keys() == FORMATS.keys()


def test_safetensors(graph: Graph, module: fx.GraphModule, tmp_path: Path) -> None:
    export(graph, module, tmp_path / "net.safetensors")
    state = load_file(tmp_path / "net.safetensors")
    assert state.keys() == module.state_dict().keys()
    assert all(torch.equal(value, state[key]) for key, value in module.state_dict().items())


def test_pt2_takes_any_batch(graph: Graph, module: fx.GraphModule, tmp_path: Path) -> None:
    export(graph, module, tmp_path / "net.pt2")
    assert module.training
    program = torch.export.load(tmp_path / "net.pt2").module()
    inputs = inputs_of(graph, batch=5)
    with torch.no_grad():
        assert torch.equal(program(*inputs), module.eval()(*inputs))


@pytest.mark.filterwarnings("ignore")
def test_onnx_takes_any_batch(tmp_path: Path) -> None:
    from onnx.reference import ReferenceEvaluator

    graph = several_outputs()
    module = to_graph_module(graph)
    export(graph, module, tmp_path / "net.onnx")
    left, right = inputs_of(graph, batch=5)
    session = ReferenceEvaluator(str(tmp_path / "net.onnx"))
    assert list(session.output_names) == ["output0", "output1"]
    found = session.run(None, {"left": left.numpy(), "right": right.numpy()})
    with torch.no_grad():
        expected = module.eval()(left, right)
    for array, tensor in zip(found, expected.values(), strict=True):
        torch.testing.assert_close(torch.from_numpy(array), tensor)


def test_json_reads_back(graph: Graph, module: fx.GraphModule, tmp_path: Path) -> None:
    export(graph, module, tmp_path / "net.json")
    again = Graph.from_json((tmp_path / "net.json").read_text(encoding="utf-8"))
    assert again.text() == graph.text()


def test_python_runs(graph: Graph, module: fx.GraphModule, tmp_path: Path) -> None:
    export(graph, module, tmp_path / "net.py")
    namespace: dict[str, object] = {"__name__": "net"}
    exec((tmp_path / "net.py").read_text(encoding="utf-8"), namespace)
    assert isinstance(namespace["Tokens"], type)


@pytest.mark.parametrize("name", ["net", "net.pth", "net.ONNXX", "."])
def test_unknown_suffixes_are_refused(name: str, graph: Graph, module: fx.GraphModule, tmp_path: Path) -> None:
    with pytest.raises(ArchError, match="E605") as caught:
        export(graph, module, tmp_path / name)
    assert ".safetensors" in caught.value.diagnostics[0].help[0]
    assert not list(tmp_path.iterdir())
