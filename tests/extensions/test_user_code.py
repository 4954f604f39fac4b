"""Code of ops of one's own in Python files: what goes along, what is imported, and that it computes the same."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

import archdsl
from archdsl.backends.python.python_source import to_python
from archdsl.extensions import (
    FunctionCall,
    Input,
    ModuleCall,
    Normal,
    OwnParameter,
    ParameterSpec,
    TensorType,
    TorchCall,
    Types,
    UserOp,
    X,
)
from cli.main import execute
from tests.running import load_python

LAYERS = '''
import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FACTOR = 2.0
Alias = nn.ReLU


class Scaled(nn.Module):
    """Uses the standard library and torch."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.inner(x)) * math.pi


class Bound(nn.Module):
    """Uses its module."""

    def forward(self, x: Tensor) -> Tensor:
        return x * FACTOR


class Branched(nn.Module):
    """Looks at numbers."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


def total(tensors: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(tensors)).sum(0)


def sum(x: Tensor) -> Tensor:
    return x
'''
OPS = """
from archdsl.extensions import FunctionCall, Input, ModuleCall, Normal, ParameterSpec, UserOp, X


class Base(UserOp):
    kind = "base"

    def infer(self, inputs):
        return inputs[0]

    def macs(self, inputs, output):
        return 0

    def torch_call(self, inputs):
        return FunctionCall("carried_layers:total", ((X, X),))


class Scaled(Base):
    kind = "scaled"

    def parameters(self, inputs):
        channels = inputs[0].sizes[0]
        return {"inner.weight": ParameterSpec((channels, channels, 1, 1), Normal(mean=5.0, std=0.1))}

    def torch_call(self, inputs):
        return ModuleCall("carried_layers:Scaled", (inputs[0].sizes[0],))


class Bound(Base):
    kind = "bound"

    def torch_call(self, inputs):
        return ModuleCall("carried_layers:Bound")


class Total(Base):
    kind = "total"
    arity = 2

    def torch_call(self, inputs):
        return FunctionCall("carried_layers:total", ([X, Input(1)],))


class Branched(Base):
    kind = "branched"

    def torch_call(self, inputs):
        return ModuleCall("carried_layers:Branched")


class Sum(Base):
    kind = "summed"

    def torch_call(self, inputs):
        return FunctionCall("carried_layers:sum", (X,))


OPS = [Scaled, Bound, Branched, Total, Sum]
"""


@pytest.fixture
def carried(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with ops and the layers that they call."""
    (folder / "carried_layers.py").write_text(LAYERS, encoding="utf-8")
    (folder / "carried_ops.py").write_text(OPS, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    yield folder
    for name in ("carried_layers", "carried_ops"):
        sys.modules.pop(name, None)


def network(folder: Path, steps: str) -> None:
    (folder / "net.arch").write_text(f"network net {{\n    input 4x8x8\n    {steps}\n}}\n", encoding="utf-8")


def test_imports_go_along(carried: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network(carried, "scaled -> total([id, relu]) -> conv(4, 1)")
    assert execute(["build", "net.arch", "--ops", "carried_ops.py", "-o", "net.py"]) == 0
    assert "imports" not in capsys.readouterr().out
    text = Path("net.py").read_text(encoding="utf-8")
    assert (
        "import math\nfrom collections.abc import Iterable\n\nimport torch\nimport torch.nn.functional as F\n" in text
    )
    run = subprocess.run([sys.executable, "-I", "net.py"], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("output: (1, 4, 8, 8)")


def test_what_uses_its_module_is_imported_and_said(carried: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network(carried, "bound -> scaled")
    assert execute(["build", "net.arch", "--ops", "carried_ops.py", "-o", "net.py"]) == 0
    assert "  imports           carried_layers, as `Bound` uses `FACTOR`\n" in capsys.readouterr().out
    text = Path("net.py").read_text(encoding="utf-8")
    assert "from carried_layers import Bound\n" in text
    assert "class Scaled(nn.Module):" in text


def test_what_torch_cannot_export_is_said_with_the_op(carried: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network(carried, "branched")
    assert execute(["build", "net.arch", "--ops", "carried_ops.py", "-o", "net.pt2"]) == 1
    assert (
        "error[E702]: the network cannot be written as `.pt2`, which has the op `branched`" in capsys.readouterr().err
    )
    assert not Path("net.pt2").exists()


def test_a_name_of_pythons_own_is_refused(carried: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network(carried, "summed")
    assert execute(["build", "net.arch", "--ops", "carried_ops.py", "-o", "net.py"]) == 1
    assert "error[E606]: `net` cannot be written as Python: `carried_layers:sum`" in capsys.readouterr().err


def test_weights_inside_a_module_start_as_the_op_says(carried: Path) -> None:
    network(carried, "conv(4, 1, init = normal(std = 0.01)) -> scaled")
    written = load_python(archdsl.load("net.arch", ops=["carried_ops.py"]))
    assert written.get_parameter("scaled1.inner.weight").mean() > 4
    assert written.get_parameter("conv1.weight").abs().max() < 1


# ---- calls as text -------------------------------------------------------------------------------


class Called(UserOp):
    """Of two images, by one of the calls below."""

    kind = "called"
    arity = 2
    how: str

    def infer(self, inputs: Types) -> TensorType:
        return inputs[0]

    def macs(self, inputs: Types, output: TensorType) -> int:
        return 0

    def parameters(self, inputs: Types) -> dict[str, ParameterSpec]:
        return {"": ParameterSpec((8, 1, 1), Normal())} if self.how == "parameter" else {}

    def torch_call(self, inputs: Types) -> TorchCall:
        return CALLS[self.how]


def doubled(x: torch.Tensor, text: str, *, by: int) -> torch.Tensor:
    return x * by + len(text)


class Repeated(nn.Module):
    def __init__(self, *factors: int, text: str) -> None:
        super().__init__()
        self.factor = float(sum(factors)) + len(text)

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return left * self.factor + right


EVERY_OTHER = FunctionCall("operator.getitem", (X, (slice(None), slice(None, None, 2))))
CALLS: dict[str, TorchCall] = {
    "alpha": FunctionCall("torch.add", (X, Input(1)), {"alpha": 2}),
    "by name": FunctionCall("torch.mul", (X,), {"other": Input(1)}),
    "rsub": FunctionCall("torch.rsub", (X, Input(1)), {"alpha": 3}),
    "method": FunctionCall("torch.add", (X, FunctionCall("Tensor.sum", (Input(1),), {"dim": 1, "keepdim": True}))),
    "tuple": FunctionCall("torch.narrow", (FunctionCall("torch.cat", ((X, Input(1)), 1)), 1, 4, 8)),
    "one": FunctionCall("torch.cat", ((Input(1),), 1)),
    "step": FunctionCall("torch.repeat_interleave", (EVERY_OTHER, 2), {"dim": 1}),
    "negative": FunctionCall("Tensor.mul", (FunctionCall("torch.add", (X, Input(1))), -2)),
    "operator": FunctionCall("operator.sub", (X, Input(1))),
    "deep": FunctionCall("torch.add", (X, FunctionCall("torch.linalg.vector_norm", (Input(1),)))),
    "text": FunctionCall(f"{__name__}:doubled", (X, 'it\'s "so"\n'), {"by": 2}),
    "parameter": FunctionCall("torch.addcmul", (X, OwnParameter(), Input(1))),
    "any number": ModuleCall(f"{__name__}:Repeated", (1, 2, 3), {"text": 'it\'s "so"'}),
}


@pytest.mark.parametrize("label", ["", "operator: ", "doubled: "])
@pytest.mark.parametrize("how", CALLS)
def test_a_call_is_written_as_it_is_computed(how: str, label: str) -> None:
    text = f"""network net {{
        input 8x4x4
        before: relu
        {label}called([id, in -> conv(8, 1)], "{how}")
        tanh -> (id + @before)
    }}"""
    ours = archdsl.build(text, ops=[Called]).eval()
    written = load_python(archdsl.load(text, ops=[Called])).eval()
    written.load_state_dict(ours.state_dict(), strict=True)
    x = torch.randn(2, 8, 4, 4)
    assert torch.equal(written(x), ours(x))


def test_two_of_one_name_are_refused() -> None:
    first, second = (
        type(name, (UserOp,), {"kind": name, "__module__": __name__, **METHODS, "torch_call": call})
        for name, call in (("first", _calls("torch.nn:ReLU")), ("second", _calls("torch.nn.modules.activation:ReLU")))
    )
    graph = archdsl.load("network net {\n input 8\n first -> second\n}", ops=[first, second])
    with pytest.raises(archdsl.ArchError, match="cannot stand beside"):
        to_python(graph)


def _calls(target: str) -> object:
    return lambda self, inputs: ModuleCall(target)


METHODS = {"infer": lambda self, inputs: inputs[0], "macs": lambda self, inputs, output: 0}
