"""Random programs: a graph or diagnostics, never a traceback; and a graph's shapes are those torch computes."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import fx
from typing_extensions import override

import archdsl
from archdsl import ArchError, Graph
from archdsl.backends.torch.fx import to_graph_module
from tests.elaborate.programs import programs

MANY = settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
SOME = settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def load_or_diagnose(text: str) -> Graph | None:
    try:
        return archdsl.load(text)
    except ArchError as error:
        assert error.diagnostics
        for diagnostic in error.diagnostics:
            assert diagnostic.span is not None
            assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(diagnostic.span.source.text)
            assert str(error)
        return None


class ShapeRecorder(fx.Interpreter):
    """Runs a module and remembers each result's shape by the path of its node."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.shapes: dict[str, tuple[int, ...]] = {}

    @override
    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if "tensor_type" in n.meta and isinstance(result, torch.Tensor):
            self.shapes[n.meta["path"]] = tuple(result.shape)
        return result


@MANY
@given(programs(wrong=True))
def test_a_graph_or_diagnostics(text: str) -> None:
    graph = load_or_diagnose(text)
    if graph is not None:
        graph.verify()
        assert Graph.from_json(graph.to_json()).text() == graph.text()


@MANY
@given(programs(wrong=True), st.data())
def test_a_damaged_program_gives_a_graph_or_diagnostics(text: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 8))
    inserted = data.draw(st.sampled_from(["", "(", ")", "{", "}", "->", "+", ",", '"', "x", "@", "in", "\n", "1", "é"]))
    load_or_diagnose(text[:place] + inserted + text[place + length :])


@SOME
@given(programs(wrong=False))
def test_shapes_are_those_that_torch_computes(text: str) -> None:
    graph = load_or_diagnose(text)
    if graph is None:
        return
    recorder = ShapeRecorder(to_graph_module(graph, device="meta"))
    recorder.run(torch.empty(2, *graph.inputs[0].type.sizes, device="meta"))
    expected = {node.path: (2, *node.type.sizes) for node in graph.nodes}
    assert recorder.shapes == expected
