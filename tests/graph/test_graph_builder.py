"""A graph built by hand is the graph of the spec that says the same, and its refusals are the language's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import archdsl
from archdsl import ArchError, GraphBuilder
from archdsl.graph.model import GraphError
from archdsl.ops.activation import ReluOp
from archdsl.ops.contract.init import KaimingNormal
from archdsl.ops.conv import Conv2dOp

RESIDUAL = """
# Says what it is.
network net(width = 8, act = "relu") {
    input 3x32x32
    block unit { (conv(8, 3) -> bn -> relu) + id }
    stem { conv(8, 3, init = kaiming_normal(mode = "fan_out")) -> seq(bn -> relu) }
    stage body { unit x 2 -> last: unit -> dwconv(3) }
    group: (relu -> conv(8, 1x3))
    0.5 * id
    head { global_avgpool -> flatten -> fc: linear(10) }
}
"""


def residual() -> GraphBuilder:
    b = GraphBuilder("net", settings={"width": 8, "act": "relu"}, doc="Says what it is.")
    x = b.input(3, 32, 32)
    with b.scope("stem"):
        x = b.apply("conv", x, out_channels=8, kernel_size=3, init=KaimingNormal(mode="fan_out"))
        with b.scope("sequence"):
            x = b.apply(ReluOp(), b.apply("bn", x))
    with b.scope("stage", "body"):
        for label in (None, None, "last"):
            with b.scope("block", label, block="unit"):
                y = b.apply("relu", b.apply("bn", b.apply(Conv2dOp, x, out_channels=8, kernel_size=3)))
                x = b.apply("add", y, x)
        x = b.apply("dwconv", x, kernel_size=3)
    with b.scope("group", "group"):
        x = b.apply("conv", b.apply("relu", x), out_channels=8, kernel_size=[1, 3])
    x = b.apply("mul_scalar", x, value=0.5)
    with b.scope("head"):
        x = b.apply("linear", b.apply("flatten", b.apply("global_avgpool", x)), label="fc", out_features=10)
    return b


def test_it_builds_what_the_language_builds() -> None:
    spec = archdsl.load(RESIDUAL)
    built = residual().finish()
    assert built.text() == spec.text()
    assert built.doc == spec.doc
    assert [(n.scope.kind, n.scope.name, n.scope.path) for n in built.nodes] == [
        (n.scope.kind, n.scope.name, n.scope.path) for n in spec.nodes
    ]


def test_outputs_by_name_and_auxiliary_ones() -> None:
    b = GraphBuilder("net")
    left, right = b.input(3, 8, 8, name="left"), b.input(3, 8, 8, name="right")
    both = b.apply("concat", left, right)
    with b.scope("aux", "side"):
        side = b.apply("global_avgpool", both)
    mean = b.apply("global_avgpool", both, label="mean")
    spec = """network net {
        input left: 3x8x8, right: 3x8x8
        id ++ @right
        aux side { global_avgpool }
        output both: id, mean: global_avgpool
    }"""
    assert b.finish({"both": both, "mean": mean}, auxiliary={"side": side}).text() == archdsl.load(spec).text()


def test_shared_weights_are_those_of_the_first_use() -> None:
    b = GraphBuilder("net")
    first = b.apply("conv", b.input(4, 8, 8), label="a", out_channels=4, kernel_size=3)
    with b.scope("group", "later"):
        again = b.apply_shared(first, first)
        third = b.apply_shared(again, again, label="third")
    graph = b.finish()
    assert [(node.path, node.module) for node in graph.nodes[1:]] == [
        ("a", "a"),
        ("later.conv1", "a"),
        ("later.third", "a"),
    ]
    assert [entry.key for entry in graph.state_entries()] == ["a.weight", "a.bias"]
    small = b.apply("channel_slice", third, start=0, stop=2)
    with pytest.raises(ArchError, match="its weights would have another shape"):
        b.apply_shared(first, small)


def test_a_merge_never_takes_the_name_of_a_step() -> None:
    b = GraphBuilder("net")
    x = b.input(3)
    total = b.apply("add", x, x)
    assert total.path == ""
    b.apply("relu", total, label="add1")
    assert [node.path for node in b.finish().nodes] == ["input", "add2", "add1"]


def test_finish_may_be_asked_again_after_more_steps() -> None:
    b = GraphBuilder("net")
    x = b.apply("relu", b.input(3))
    assert len(b.finish().nodes) == 2
    y = b.apply("add", x, x)
    b.apply("tanh", y)
    assert [node.path for node in b.finish().nodes] == ["input", "relu1", "add1", "tanh1"]


def test_a_refused_step_leaves_nothing_behind() -> None:
    b = GraphBuilder("net")
    x = b.input(3, 4, 4)
    with pytest.raises(ArchError, match="E304"):
        b.apply("conv", x, out_channels=4, kernel_size=9, padding=0)
    assert b.apply("conv", x, out_channels=4, kernel_size=3).path == "conv1"


REFUSED: list[tuple[str, str, Callable[[GraphBuilder, archdsl.Node], object]]] = [
    ("E201", "did you mean `conv`?", lambda b, x: b.apply("cnov", x)),
    ("E211", "`conv` needs the argument `kernel_size`", lambda b, x: b.apply("conv", x, out_channels=1)),
    ("E212", "`relu` has no argument `width`", lambda b, x: b.apply("relu", x, width=1)),
    ("E215", "`out_features` of `linear` must be", lambda b, x: b.apply("linear", x, out_features=0)),
    ("E215", "`add` takes two or more tensors", lambda b, x: b.apply("add", x)),
    ("E215", "`relu` takes 1 tensor, and here are 2", lambda b, x: b.apply("relu", x, x)),
    ("E301", "cannot add", lambda b, x: b.apply("add", x, b.apply("global_avgpool", x))),
    ("E306", "while adding `deep.end` to `net`", lambda b, x: inside(b, lambda: b.apply("ln", x, label="end"))),
    ("E106", "`a b` cannot be a name", lambda b, x: b.apply("relu", x, label="a b")),
    ("E106", "`x = 1` cannot be the name of an input", lambda b, x: b.input(3, name="x = 1")),
    ("E202", "two inputs or steps are named `input`", lambda b, x: b.input(3)),
    ("E203", "two steps are named `a`", lambda b, x: [b.apply("relu", x, label="a") for _ in range(2)]),
    ("E203", "two steps are named `deep`", lambda b, x: [inside(b, lambda: None) for _ in range(2)]),
    ("E309", "", lambda b, x: b.input(0, name="none")),
]


def inside(b: GraphBuilder, step: Callable[[], object]) -> object:
    with b.scope("group", "deep"):
        return step()


@pytest.mark.parametrize(("code", "said", "step"), REFUSED, ids=[f"{code}: {said}" for code, said, _ in REFUSED])
def test_refusals(code: str, said: str, step: Callable[[GraphBuilder, archdsl.Node], object]) -> None:
    b = GraphBuilder("net")
    x = b.input(3, 8, 8)
    with pytest.raises(ArchError) as caught:
        step(b, x)
    assert caught.value.diagnostics[0].code == code
    assert said in str(caught.value)


def test_scopes_close_when_a_step_fails() -> None:
    b = GraphBuilder("net")
    x = b.input(3, 8, 8)
    with pytest.raises(ArchError), b.scope("group", "deep"):
        b.apply("ln", x)
    assert b.apply("relu", x).path == "relu1"


def test_what_is_misused_is_no_diagnostic() -> None:
    b, other = GraphBuilder("net"), GraphBuilder("net")
    x, y = b.input(3), other.input(3)
    with pytest.raises(ValueError, match="another graph"):
        b.apply("add", x, y)
    with pytest.raises(TypeError, match="has its arguments already"):
        b.apply(ReluOp(), x, inplace=True)
    with pytest.raises(GraphError, match="no output"):
        GraphBuilder("empty").finish()
    with pytest.raises(ValueError, match="a builder of its own"), b.scope("network"):
        pass
