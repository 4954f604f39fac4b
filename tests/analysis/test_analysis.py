"""Costs against torch's own counters, tables against their totals."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import archdsl
from archdsl.analysis.cost import cost
from archdsl.ops.contract.base import Op, Types
from archdsl.ops.contract.shapes import TensorType
from archdsl.ops.reshape import InputOp
from archdsl.views.tree import Folding, TreeRow, tree_of

RESIDUAL = """
block unit(width, stride = 1) {
    (conv(width, 3, stride, bias = false) -> bn -> relu -> conv(width, 3)) + conv(width, 1, stride)
    relu
}
network residual(classes = 10, depth = 4) {
    input 3x32x32
    stem { conv(8, 3, groups = 1) -> bn }
    aux side { global_avgpool -> flatten -> linear(classes) }
    stage layer1 { unit(8) x depth }
    stage layer2 { unit(16, 2) -> unit(16) x depth - 1 }
    head { global_avgpool -> flatten -> fc: linear(classes) }
}
""".replace("depth - 1", "(depth - 1)")

SHARED = """
network twice {
    input 8x16x16
    let tied = shared(conv(8, 3))
    tied -> relu -> tied
}
"""

PARALLEL = """
network parallel {
    input 8x16x16
    (conv(8, 3) -> conv(8, 3) -> conv(8, 3)) ++ conv(8, 1) ++ (maxpool(3, 1) -> conv_transpose(8, 3))
    dwconv(3) -> ln2d -> global_avgpool -> flatten -> linear(5)
}
"""

WATCHED = """
network watched {
    input 3x16x16
    start: conv(8, 3) -> relu
    aux early { conv(4, 3) -> global_avgpool -> flatten -> linear(5) }
    conv(8, 3) -> global_avgpool -> flatten -> linear(5)
}
"""

TEXTS = {"residual": RESIDUAL, "twice": SHARED, "parallel": PARALLEL, "watched": WATCHED}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_totals_are_those_of_torch(text: str) -> None:
    graph = archdsl.load(text)
    total = cost(graph)
    module = archdsl.build(text).eval()
    assert total.parameters == sum(parameter.numel() for parameter in module.parameters())
    assert total.buffers == sum(buffer.numel() for buffer in module.buffers())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*(torch.zeros(2, *node.type.sizes) for node in graph.nodes if isinstance(node.op, InputOp)))
    assert total.flops == 2 * total.macs == counter.get_total_flops() / 2


@pytest.mark.parametrize(
    ("name", "depth"), [("resnet18", 18), ("resnet50", 50), ("wide_resnet101_2", 101), ("densenet121", 121)]
)
def test_depth_is_the_number_in_the_papers_names(name: str, depth: int) -> None:
    assert cost(archdsl.load(name)).depth == depth


def test_depth_takes_the_longest_path_to_a_main_output() -> None:
    assert cost(archdsl.load(PARALLEL)).depth == 5
    assert cost(archdsl.load(SHARED)).depth == 2


def test_equal_ops_are_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = archdsl.load(RESIDUAL, depth=50)
    asked: list[tuple[int, Types]] = []
    for op_type in {type(node.op) for node in graph.nodes}:
        original = op_type.macs

        def counted(self: Op, inputs: Types, output: TensorType, original: object = original) -> int:
            asked.append((id(self), inputs))
            return original(self, inputs, output)  # type: ignore[operator, no-any-return]

        monkeypatch.setattr(op_type, "macs", counted)
    cost(graph)
    assert len(graph.nodes) > 500
    assert len(asked) == len(set(asked)) < 60


# ---- tables --------------------------------------------------------------------------------------


def scopes(root: TreeRow) -> Iterator[TreeRow]:
    return (row for _, row in root.walk() if row.children)


def find(root: TreeRow, path: str) -> TreeRow:
    return next(row for _, row in root.walk() if row.path == path and (row.children or path))


@pytest.mark.parametrize("text", [*TEXTS.values(), "resnet50", "densenet121"])
def test_rows_sum_to_totals(text: str) -> None:
    graph = archdsl.load(text)
    total, root = cost(graph), tree_of(graph)
    assert (root.parameters, root.buffers, root.macs, root.flops) == (
        total.parameters, total.buffers, total.macs, total.flops,
    )  # fmt: skip
    for scope in scopes(root):
        assert scope.parameters == sum(row.parameters for row in scope.children)
        assert scope.buffers == sum(row.buffers for row in scope.children)
        assert scope.macs == sum(row.macs for row in scope.children)


def test_every_node_is_one_leaf() -> None:
    graph = archdsl.load(RESIDUAL)
    leaves = [row.path for _, row in tree_of(graph).walk() if not row.children]
    assert sorted(leaves) == sorted(node.path for node in graph.nodes)


def test_scopes_have_the_names_kinds_and_outputs_of_the_spec() -> None:
    root = tree_of(archdsl.load(RESIDUAL))
    shown = [(row.name, row.kind, str(row.output)) for row in root.children]
    assert shown == [
        ("input", "input", "3x32x32"),
        ("stem", "stem", "8x32x32"),
        ("side", "aux", "10"),
        ("layer1", "stage", "8x32x32"),
        ("layer2", "stage", "16x16x16"),
        ("head", "head", "10"),
    ]
    assert [(row.name, row.kind) for row in find(root, "layer1").children] == [(str(i), "unit") for i in range(4)]


def test_a_shape_is_that_of_the_last_tensor_that_leaves() -> None:
    """A block may end in a tensor made early in it; what comes after then only adds to its cost."""
    text = """
    block early {
        first: conv(4, 3)
        second: conv(6, 3)
        @first
    }
    network net { input 3x8x8
        early -> relu }
    """
    root = tree_of(archdsl.load(text))
    assert str(root.children[1].output) == "4x8x8"


def test_equal_neighbours_fold_and_others_do_not() -> None:
    root = tree_of(archdsl.load(RESIDUAL))
    folding = Folding(root)
    for path, lengths in (("layer1", [4]), ("layer2", [1, 3])):
        runs = list(folding.runs(find(root, path).children))
        assert [len(run) for run in runs] == lengths
        assert [row.name for run in runs for row in run] == ["0", "1", "2", "3"]


def test_equal_layers_do_not_fold() -> None:
    root = tree_of(archdsl.load("network n { input 3x8x8\n relu -> relu -> relu }"))
    assert [len(run) for run in Folding(root).runs(root.children)] == [1, 1, 1, 1]


def test_walk_stops_at_the_depth() -> None:
    root = tree_of(archdsl.load(RESIDUAL))
    assert {level for level, _ in root.walk(1)} == {0, 1}
    assert [row for _, row in root.walk(0)] == [root]
