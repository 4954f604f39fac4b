"""A request: what it says is what is built, it reads its file once, and what cannot be asked for is an ArchError."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
import torch

import archdsl
from archdsl import ArchError, Limits, Request, Source

NET = """
network net(width = 4, act = relu) {
    input 3x8x8
    conv(width, 3) -> act -> global_avgpool -> flatten -> linear(5)
}
network other(classes) { input 8\n linear(classes) }
"""
SPEC = Source("net.arch", NET)

OPS = """
from archdsl import UserOp
from archdsl.extensions import FunctionCall, X


class Op(UserOp):
    kind = "{}"

    def infer(self, inputs):
        return inputs[0]

    def macs(self, inputs, output):
        return 0

    def torch_call(self, inputs):
        return FunctionCall("torch.relu", (X,))


OPS = [Op]
"""
GRAPH = archdsl.load(SPEC)


class TestWhatItSays:
    @pytest.mark.parametrize("arguments", [
        {},
        {"width": 6},
        {"input": "3x16x16", "set_texts": {"act": "leaky_relu(0.2)"}},
        {"network": "other", "classes": 3},
        {"set_texts": {"width": "2 * 3"}, "limits": Limits(nodes=10)},
    ])  # fmt: skip
    def test_all_that_takes_a_spec_takes_it(self, arguments: dict[str, object]) -> None:
        request, graph = Request(SPEC, **arguments), archdsl.load(SPEC, **arguments)  # type: ignore[arg-type]
        assert archdsl.load(request).to_json() == request.graph().to_json() == graph.to_json()
        assert archdsl.stats(request).to_dicts() == archdsl.stats(graph).to_dicts()
        module = archdsl.build(request, init=False)
        assert {key: tuple(value.shape) for key, value in module.state_dict().items()} == {
            entry.key: entry.spec.shape for entry in graph.state_entries()
        }

    def test_formulas_and_budgets_start_from_it(self) -> None:
        request = Request(SPEC, set_texts={"act": "silu"}, input=(3, 16, 16))
        asked = {"set_texts": {"act": "silu"}, "input": (3, 16, 16)}
        direct = archdsl.formulas(SPEC, "width,size", **asked)  # type: ignore[arg-type]
        assert str(archdsl.formulas(request, "width,size")) == str(direct)
        found = archdsl.solve(request, "width", macs=100_000)
        assert found.as_json() == archdsl.solve(SPEC, "width", macs=100_000, **asked).as_json()  # type: ignore[arg-type]

    def test_a_check_of_a_network_as_it_is_asked_for(self) -> None:
        assert archdsl.check(Request(SPEC)) == archdsl.check(SPEC)
        (fault,) = archdsl.check(Request(SPEC, network="other", classes=0))
        assert (fault.code, fault.span and fault.span.text) == ("E215", "classes")
        assert [each.code for each in archdsl.check(Request(SPEC, width=[{}]))] == ["E409"]
        assert [each.code for each in archdsl.check(Request(SPEC, clases=1))] == ["E409"]

    def test_a_finished_graph_can_be_asked_for(self) -> None:
        assert Request(GRAPH).graph() is GRAPH
        assert archdsl.load(Request(GRAPH)) is GRAPH
        for asked in (lambda: archdsl.load(Request(GRAPH), width=3), lambda: Request(GRAPH, input="3x9x9")):
            with pytest.raises(ArchError, match="the graph of `net` is finished"):
                asked()

    def test_it_shows_what_is_asked(self) -> None:
        assert repr(Request("resnet18", classes=10, input=(3, 64, 64))) == (
            "Request('resnet18', input=(3, 64, 64), classes=10)"
        )

    def test_it_is_frozen(self) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            Request(SPEC).network = "other"  # type: ignore[misc]


class TestReplacing:
    def test_what_is_given_last_holds(self) -> None:
        request = Request(SPEC, width=6, set_texts={"act": "silu"}, input="3x16x16")
        changed = request.replace(set_texts={"act": "relu6", "width": "2 * 4"})
        graph = archdsl.load(SPEC, width=8, set_texts={"act": "relu6"}, input="3x16x16")
        assert changed.graph().digest() == graph.digest()
        assert archdsl.load(changed.replace(width=7), width=8).digest() == graph.digest()
        assert (
            request.graph().digest() == archdsl.load(SPEC, width=6, set_texts={"act": "silu"}, input="3x16x16").digest()
        )

    def test_another_network(self) -> None:
        request = Request(SPEC)
        assert request.chosen.name.name == "net"
        assert request.replace(network="other").chosen.name.name == "other"
        assert request.chosen.name.name == "net"

    def test_other_limits(self) -> None:
        request = Request(SPEC).replace(limits=Limits(nodes=2))
        with pytest.raises(ArchError, match="E504"):
            request.graph()
        assert archdsl.load(request, limits=Limits()).digest() == GRAPH.digest()

    def test_other_ops(self, folder: Path) -> None:
        for name in ("first", "second"):
            (folder / f"{name}_ops.py").write_text(OPS.format(name), encoding="utf-8")
        request = Request("network n { input 8\n second }", ops=["first_ops.py"])
        with pytest.raises(ArchError, match="E201"):
            request.graph()
        assert request.replace(ops=["second_ops.py"]).graph().nodes[1].op.kind == "second"


class TestReading:
    def test_the_file_is_read_once(self, folder: Path) -> None:
        file = folder / "net.arch"
        file.write_text(NET, encoding="utf-8")
        request = Request("net.arch")
        graph = request.graph()
        file.unlink()
        assert request.graph().digest() == graph.digest()
        assert request.replace(width=6).graph().settings["width"] == 6
        with pytest.raises(ArchError, match="E001"):
            Request("net.arch").graph()

    def test_it_is_not_read_before_it_is_needed(self) -> None:
        request = Request("nowhere.arch", network="net")
        with pytest.raises(ArchError, match=r"there is no file `nowhere.arch`"):
            request.graph()


# ---- what cannot be asked for --------------------------------------------------------------------

NO_SPECS = [None, 3, 2.5, b"resnet18", ["resnet18"], {"spec": "resnet18"}, sys, Source, object()]
WRONG: list[tuple[str, str, list[object]]] = [
    ("network", "E404", [3, b"net", ["net"], PurePosixPath("net"), True, object()]),
    ("input", "E309", [3, 2.5, b"3x8x8", {3: 8}, {3, 8}, [None], [[3], 8, 8], (), "", "3x", "3xx3", object()]),
    ("input", "E309", ["3x8x" + "9" * 5000, (float("nan"), 8, 8), (float("inf"), 8, 8), (3.5, 8, 8)]),
    ("limits", "E001", [None, 5, {"nodes": 5}, "nodes=5", Limits, object()]),
    ("limits", "E001", [Limits(nodes="5"), Limits(turns=None), Limits(calls=1e9)]),  # type: ignore[arg-type]
    ("set_texts", "E409", ["width=3", 5, ["width=3"], [("width", "3")], b"width", object()]),
    ("set_texts", "E409", [{"width": 3}, {"width": None}, {"width": b"3"}, {3: "3"}, {None: "3"}]),
    ("ops", "E701", ["ops.py", b"ops.py", None, 3, Path("ops.py"), int, sys, {"ops.py": 1}]),
]
"""An argument of ``load``, the code of its fault, and what it does not take."""

CALLS: dict[str, Callable[..., object]] = {
    "load": archdsl.load,
    "build": archdsl.build,
    "stats": archdsl.stats,
    "formulas": lambda spec, **asked: archdsl.formulas(spec, ["width"], **asked),
    "solve": lambda spec, **asked: archdsl.solve(spec, "width", params=1000, **asked),
}


def codes(call: Callable[..., object], *given: object, **asked: object) -> list[str]:
    with pytest.raises(ArchError) as caught:
        call(*given, **asked)
    assert str(caught.value)
    return [diagnostic.code for diagnostic in caught.value.diagnostics]


@pytest.mark.parametrize("name", CALLS)
class TestWrongCalls:
    @pytest.mark.parametrize("argument, code, values", WRONG)
    def test_an_argument(self, name: str, argument: str, code: str, values: list[object]) -> None:
        for value in values:
            assert codes(CALLS[name], SPEC, **{argument: value}) == [code], value
            assert codes(CALLS[name], Request(SPEC), **{argument: value}) == [code] or value is None, value

    def test_a_spec(self, name: str) -> None:
        for spec in [*NO_SPECS, Source("a", 3), Source(3, NET)]:  # type: ignore[arg-type]
            assert codes(CALLS[name], spec) == ["E001"], spec
        assert codes(CALLS[name], "a" * 5000) == ["E001"]
        assert codes(CALLS[name], "a\0b") == ["E001"]


@pytest.mark.parametrize("argument, code, values", [row for row in WRONG if row[0] in ("network", "limits", "ops")])
def test_a_check_lists_what_cannot_be_asked_for(argument: str, code: str, values: list[object]) -> None:
    for value in values:
        found = archdsl.check(SPEC, **{argument: value})  # type: ignore[arg-type]
        assert [diagnostic.code for diagnostic in found] == [code], value


@pytest.mark.parametrize("spec", NO_SPECS)
def test_a_check_lists_what_is_no_spec(spec: object) -> None:
    assert [diagnostic.code for diagnostic in archdsl.check(spec)] == ["E001"]  # type: ignore[arg-type]


@pytest.mark.parametrize("variables", [3, None, [3], b"width", [None], object()])
def test_a_variable_that_is_no_name(variables: object) -> None:
    assert codes(archdsl.formulas, SPEC, variables) == ["E409"]
    assert codes(archdsl.solve, SPEC, variables, params=1000) == ["E409"]


@pytest.mark.parametrize("asked, code", [
    *(({"device": device}, "E604") for device in (None, 3, ["cpu"], "cupu")),
    *(({"weights": weights}, "E001") for weights in (3, b"net.pth", ["net.pth"], "nowhere.pth")),
])  # fmt: skip
def test_what_a_module_cannot_be_built_with(asked: dict[str, object], code: str) -> None:
    assert codes(archdsl.build, SPEC, **asked) == [code]


def test_sizes_may_come_as_any_numbers_in_order() -> None:
    for sizes in ("3x16x16", [3, 16, 16], (torch.tensor(3), 16, 16), torch.Size((3, 16, 16)), (n for n in (3, 16, 16))):
        assert Request(SPEC, input=sizes).input == (3, 16, 16)  # type: ignore[arg-type]
