"""Ops of one's own that break their word: each is told so by name, wherever it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

import archdsl
from archdsl.analysis.cost import training_macs
from archdsl.analysis.memory import memory
from archdsl.analysis.receptive_field import receptive_fields
from archdsl.backends.python.python_source import to_python
from archdsl.extensions import (
    Constant,
    FunctionCall,
    Input,
    KaimingNormal,
    ModuleCall,
    OpError,
    OwnParameter,
    ParameterSpec,
    TensorType,
    UserOp,
    X,
)
from archdsl.graph.model import Graph
from archdsl.ops.facts.reading import SAME, PerAxis, PerOperand, Picked, Prepended, Rearranged, Window


class Held(nn.Module):
    """Has a parameter and a buffer."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x


class NoModule:
    """Is none."""


def op(**answers: object) -> type[UserOp]:
    """An op that gives these answers, each a value or a function."""
    usual: dict[str, Any] = {
        "infer": lambda self, inputs: inputs[0],
        "macs": 0,
        "torch_call": FunctionCall("torch.relu", (X,)),
    }
    methods = {name: value if callable(value) else _always(value) for name, value in (usual | answers).items()}
    return type("Wrong", (UserOp,), {"kind": "wrong", "__module__": __name__, **methods})


def _always(value: object) -> Callable[..., object]:
    return lambda self, *given: value


def raising(error: Exception) -> Callable[..., object]:
    def fails(self: UserOp, *given: object) -> object:
        raise error

    return fails


SPEC = "network net {\n    input 8x4x4\n    wrong\n}\n"


def refusal(wrong: type[UserOp], ask: Callable[[Graph], object] | None = None) -> str:
    """What is said of the op, at its place, where it is used or when its graph is asked."""
    with pytest.raises(archdsl.ArchError) as caught:
        load(wrong) if ask is None else ask(load(wrong))
    (found,) = caught.value.diagnostics
    assert found.code == "E702"
    assert found.span is not None
    assert found.span.text == "wrong"
    assert "`wrong`" in found.message
    return " ".join([found.message, *found.help])


def load(used: type[UserOp]) -> Graph:
    return archdsl.load(SPEC, ops=[used])


START = Constant(value=0.0)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"infer": TensorType((8.0, 4, 4), "CHW")}, "the sizes (8.0, 4, 4)"),  # type: ignore[arg-type]
        ({"infer": TensorType([8, 4, 4], "CHW")}, "the sizes [8, 4, 4]"),  # type: ignore[arg-type]
        ({"infer": TensorType((8, 4, 4), "NCHW")}, "the layout 'NCHW'; there are `C`"),  # type: ignore[arg-type]
        ({"infer": TensorType((8, 4), "CHW")}, "not the 3 of the layout `CHW`"),
        ({"infer": raising(OpError("X1", "no"))}, "the code 'X1'"),  # type: ignore[arg-type]
        ({"infer": raising(OpError("E306", "no", operand=3))}, "operand 3, but reads 1"),
        ({"infer": raising(OpError("E306", "no", argument="size"))}, "the argument 'size'"),
        ({"infer": raising(OpError("E306", 3))}, "no texts"),  # type: ignore[arg-type]
        ({"infer": lambda self: None}, "takes 1 positional argument but 2 were given it happened at " + __file__),
        ({"macs": True}, "gave True, which is no count"),
        ({"parameters": None}, "gave None"),
        ({"parameters": {"w": (3,)}}, "(3,) for `w`, which is no ParameterSpec"),
        ({"parameters": {3: ParameterSpec((3,))}}, "gave 3, which is no name"),
        ({"parameters": {"": ParameterSpec((3,)), "w": ParameterSpec((3,))}}, 'the name ""'),
        ({"parameters": {"w": ParameterSpec([3], START)}}, "`w` the shape [3]"),  # type: ignore[arg-type]
        ({"parameters": {"w": ParameterSpec((0,), START)}}, "`w` the shape (0,)"),
        ({"parameters": {"w": ParameterSpec((3,), 0.0)}}, "the start 0.0"),  # type: ignore[arg-type]
        ({"parameters": {"w": ParameterSpec((3,), KaimingNormal())}}, "needs two axes or more"),
        ({"parameters": {"w": ParameterSpec((3,))}, "buffers": {"w": ParameterSpec((3,))}}, "a parameter as well"),
    ],
)
def test_an_answer_is_refused_where_the_op_is_used(answers: dict[str, object], said: str) -> None:
    assert said in refusal(op(**answers))


OWN = {"": ParameterSpec((8, 1, 1), START)}
HELD = {"weight": ParameterSpec((8,))}
TWO = {"a": ParameterSpec((1,), START), "b": ParameterSpec((1,), START)}
MINE = f"{__name__}:Held"


class Call(NamedTuple):
    """A wrong call, and what is said of it; with other answers of the op."""

    call: object
    said: str
    others: Mapping[str, object] = MappingProxyType({})


CALLS = {
    "nothing": Call(None, "no ModuleCall or FunctionCall"),
    "a function itself": Call(torch.relu, "no ModuleCall or FunctionCall"),
    "no library": Call(FunctionCall("relu", (X,)), "write it as `torch.relu`"),
    "another library": Call(ModuleCall("np.relu"), "write it as `nn.ReLU`"),
    "no name": Call(FunctionCall("my_ops:", (X,)), "gave the target 'my_ops:'"),
    "no text": Call(FunctionCall(torch.relu, (X,)), "gave the target <built-in"),  # type: ignore[arg-type]
    "no function of torch": Call(FunctionCall("torch.meann", (X,)), "`torch.meann`, which cannot be had"),
    "no method": Call(FunctionCall("Tensor.meann", (X,)), "`Tensor.meann`, which cannot be had"),
    "no inner function": Call(FunctionCall("torch.relu", (FunctionCall("F.rel", (X,)),)), "`F.rel`"),
    "no module": Call(FunctionCall("no_such_module:norm", (X,)), "No module named 'no_such_module'"),
    "nothing to call": Call(FunctionCall("torch.pi", (X,)), "`torch.pi`, which cannot be called"),
    "a module as a function": Call(FunctionCall("nn.ReLU", (X,)), 'write `ModuleCall("nn.ReLU", ...)`'),
    "a function as a module": Call(ModuleCall("torch.relu"), "`torch.relu` of `wrong` cannot be made"),
    "another class": Call(ModuleCall(f"{__name__}:NoModule"), "makes a NoModule, which is no nn.Module"),
    "arguments that lack": Call(ModuleCall("nn.Conv2d", (8,)), "missing 2 required"),
    "arguments as a list": Call(FunctionCall("torch.relu", [X]), "the arguments [Input"),  # type: ignore[arg-type]
    "keywords as a list": Call(FunctionCall("torch.relu", (X,), ["dim"]), "and ['dim']"),  # type: ignore[arg-type]
    "an input too many": Call(FunctionCall("torch.add", (X, Input(1))), "Input(1), but the op has 1"),
    "an input for a module": Call(ModuleCall("nn.Softmax", (X,)), "is called with the op's inputs"),
    "a module inside": Call(FunctionCall("torch.relu", (ModuleCall("nn.ReLU"),)), "only a FunctionCall"),
    "a tensor": Call(FunctionCall("torch.add", (X, torch.ones(1))), "the argument tensor("),
    "an input in a slice": Call(FunctionCall("operator.getitem", (X, slice(X))), "the argument slice("),
    "no tensor": Call(FunctionCall("Tensor.relu"), "without the tensor"),
    "no parameter": Call(FunctionCall("torch.mul", (X, OwnParameter())), "but the op has no parameter"),
    "two parameters": Call(FunctionCall("torch.mul", (X, OwnParameter())), "holds `a`, `b`", {"parameters": TWO}),
    "a buffer": Call(FunctionCall("torch.relu", (X,)), "holds `weight`", {"buffers": HELD}),
    "an unread parameter": Call(FunctionCall("torch.relu", (X,)), "OwnParameter()", {"parameters": OWN}),
    "a named parameter": Call(
        FunctionCall("torch.mul", (X, OwnParameter())), 'name it "", not `weight`', {"parameters": HELD}
    ),
    "a parameter without a start": Call(
        FunctionCall("torch.mul", (X, OwnParameter())), "no start", {"parameters": {"": ParameterSpec((8, 1, 1))}}
    ),
    "a parameter too few": Call(
        ModuleCall("nn.BatchNorm2d", (8,)),
        "gave weight 8, but `nn.BatchNorm2d` has weight 8, bias 8",
        {"parameters": HELD},
    ),
    "a parameter of another shape": Call(ModuleCall(MINE, (9,)), "has weight 9", {"parameters": HELD}),
    "a buffer too few": Call(ModuleCall(MINE, (8,)), "`buffers` of `wrong` gave none", {"parameters": HELD}),
    "a buffer as a parameter": Call(
        ModuleCall(MINE, (8,)), "gave weight 8, mean 8", {"parameters": HELD | {"mean": ParameterSpec((8,))}}
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CALLS)
def test_a_call_is_refused_when_it_is_built(case: str) -> None:
    call, said, others = CALLS[case]
    assert said in refusal(op(torch_call=_always(call), **others), archdsl.build)


@pytest.mark.parametrize("case", ["nothing", "no function of torch", "an input too many", "two parameters"])
def test_a_call_is_refused_when_it_is_written(case: str) -> None:
    call, said, others = CALLS[case]
    assert said in refusal(op(torch_call=_always(call), **others), to_python)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("same", "no rule of archdsl.ops.facts.reading"),
        (PerAxis((SAME,)), "rules for 1 axes"),
        (PerAxis(("a", "b", "c")), "no rule for each axis"),  # type: ignore[arg-type]
        (PerAxis((SAME, Window(3, 0), SAME)), "which is no window"),
        (PerOperand(()), "0 rules for 1 inputs"),
        (Rearranged((3,), (0,)), "the sizes (3,)"),
        (Rearranged((8, 4, 4), (0, 0, 1)), "the axes (0, 0, 1)"),
        (Picked(9, 0), "position 0 of axis 9"),
        (Prepended(0, 1), "1 positions before axis 0"),
        (raising(ZeroDivisionError("none")), "ZeroDivisionError: none it happened at " + __file__),
    ],
)
def test_what_it_reads_is_refused_when_fields_are_asked_for(rule: object, said: str) -> None:
    assert said in refusal(op(reads=rule), receptive_fields)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"memory": 3}, "no Tensor of the tape"),
        ({"memory": lambda self, inputs, tensors, tape: tape.empty((1, 2))}, "not (1, 8, 4, 4)"),
        ({"memory": raising(KeyError("x"))}, "KeyError: 'x'"),
        ({"constants": {"w": 3}}, "no ParameterSpec"),
    ],
)
def test_its_memory_is_refused_when_it_is_asked_for(answers: dict[str, object], said: str) -> None:
    assert said in refusal(op(**answers), memory)


def test_its_gradient_is_refused_when_training_is_counted() -> None:
    assert "gave 0.5, which is no count" in refusal(op(macs=3, input_gradient_macs=0.5), training_macs)


# ---- what is right all the same ------------------------------------------------------------------


class TwoNorms(nn.Module):
    """Parameters and buffers come in turns."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.a, self.b = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.b(self.a(x))
        return result


def test_a_module_with_modules() -> None:
    names = {"running_mean": (8,), "running_var": (8,), "num_batches_tracked": ()}
    right = op(
        torch_call=ModuleCall(f"{__name__}:TwoNorms", (8,)),
        parameters={f"{norm}.{name}": ParameterSpec((8,)) for norm in "ab" for name in ("weight", "bias")},
        buffers={f"{norm}.{name}": ParameterSpec(shape) for norm in "ab" for name, shape in names.items()},
    )
    keys = [entry.key for entry in archdsl.load(SPEC, ops=[right]).state_entries()]
    assert keys == list(archdsl.build(SPEC, ops=[right]).state_dict())


@pytest.mark.parametrize("target", ["torch.linalg.vector_norm", "torch.norm", "Tensor.norm"])
def test_functions_of_torch(target: str) -> None:
    right = op(torch_call=FunctionCall(target, (X,), {"dim": 1, "keepdim": True}))
    x = torch.randn(2, 8, 4, 4)
    assert torch.allclose(archdsl.build(SPEC, ops=[right])(x), x.norm(dim=1, keepdim=True))
