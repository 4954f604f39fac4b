"""Ops written outside archdsl: found by file, module, class or entry point, and as good as any other op."""

from __future__ import annotations

import copy
import importlib.metadata
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import pytest
import torch
from pydantic import model_validator
from torch import Tensor, fx, nn
from typing_extensions import override

import archdsl
from archdsl.analysis.cost import cost
from archdsl.backends.python.python_source import to_python
from archdsl.extensions import (
    Constant,
    FunctionCall,
    Initializer,
    ModuleCall,
    OpError,
    ParameterSpec,
    TensorType,
    TorchCall,
    Types,
    UserOp,
    X,
    require_layout,
)
from archdsl.graph.model import Graph
from cli.main import execute
from tests.running import load_python

SPEC = """
network net {
    input 3x16x16
    default grn(eps = 1e-5)
    conv(8, 3) -> relu -> grn -> conv(8, 3, stride = 2) -> second: grn(1e-6) -> halved
    global_avgpool -> flatten -> fc: linear(10)
}
"""


class GlobalResponseNorm(nn.Module):
    """``N x C x H x W``, each channel weighed by its norm beside the others'."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps = eps
        self.gamma = nn.Parameter(torch.zeros(channels, 1, 1))
        self.beta = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        norm = x.norm(p=2, dim=(2, 3), keepdim=True)
        result: Tensor = self.gamma * (x * norm / (norm.mean(dim=1, keepdim=True) + self.eps)) + self.beta + x
        return result


class GlobalResponseNormOp(UserOp):
    """Woo et al. 2023, arXiv:2301.00808, section 4."""

    kind = "grn"
    eps: float = 1e-6

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("grn", inputs[0], ("CHW",))
        return inputs[0]

    @override
    def macs(self, inputs: Types, output: TensorType) -> int:
        return 0

    @override
    def parameters(self, inputs: Types) -> dict[str, ParameterSpec]:
        shape = (inputs[0].sizes[0], 1, 1)
        return {"gamma": ParameterSpec(shape, Constant(value=0.5)), "beta": ParameterSpec(shape, Constant(value=0.1))}

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return ModuleCall(f"{__name__}:GlobalResponseNorm", (inputs[0].sizes[0],), {"eps": self.eps})


class HalvedOp(UserOp):
    """The first half of the channels."""

    kind = "halved"

    @override
    def infer(self, inputs: Types) -> TensorType:
        channels, *sizes = inputs[0].sizes
        if channels % 2:
            raise OpError("E305", f"`halved` needs an even number of channels, but gets {channels}")
        return TensorType((channels // 2, *sizes), inputs[0].layout)

    @override
    def macs(self, inputs: Types, output: TensorType) -> int:
        return 0

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return FunctionCall("Tensor.narrow", (X, 1, 0, inputs[0].sizes[0] // 2))


OPS: list[type[UserOp]] = [GlobalResponseNormOp, HalvedOp]


class Reference(nn.Module):
    """The network of SPEC, by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.grn1 = nn.Conv2d(3, 8, 3, padding=1), GlobalResponseNorm(8, 1e-5)
        self.conv2, self.second = nn.Conv2d(8, 8, 3, stride=2, padding=1), GlobalResponseNorm(8)
        self.fc = nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(self.conv2(self.grn1(self.conv1(x).relu())))[:, :4]
        result: Tensor = self.fc(x.mean(dim=(2, 3)))
        return result


def images() -> Tensor:
    return torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def graph() -> Graph:
    return archdsl.load(SPEC, ops=OPS)


def module() -> fx.GraphModule:
    torch.manual_seed(0)
    return archdsl.build(SPEC, ops=OPS)


# ---- as good as any other op ---------------------------------------------------------------------


def test_it_computes_what_it_says() -> None:
    ours, reference = module(), Reference()
    reference.load_state_dict(ours.state_dict(), strict=True)
    assert torch.allclose(ours(images()), reference(images()), atol=1e-6)
    assert ours.get_parameter("second.gamma").tolist() == [[[0.5]]] * 8


def test_it_is_counted() -> None:
    assert cost(graph()).parameters == sum(parameter.numel() for parameter in Reference().parameters())


@pytest.mark.parametrize(
    "made", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m)), fx.symbolic_trace], ids=["copy", "pickle", "trace"]
)
def test_its_module_survives(made: Callable[[nn.Module], nn.Module]) -> None:
    ours = module().eval()
    assert torch.equal(made(ours)(images()), ours(images()))


def test_it_is_exported() -> None:
    ours = module().eval()
    program = torch.export.export(ours, (images(),))
    assert torch.equal(program.module()(images()), ours(images()))


def test_its_python_file_needs_torch_alone(tmp_path: Path) -> None:
    file = tmp_path / "model.py"
    file.write_text(to_python(graph()), encoding="utf-8")
    ours, written = module().eval(), load_python(graph()).eval()
    written.load_state_dict(ours.state_dict(), strict=True)
    assert torch.equal(written(images()), ours(images()))
    run = subprocess.run([sys.executable, "-I", file], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("output: (1, 10)")
    assert "import archdsl" not in file.read_text(encoding="utf-8")


class BilinearOp(UserOp):
    """``out[i] = sum_j,k left[j] w[i, j, k] right[k]`` of two tensors of features, or of more, one after another."""

    kind = "bilinear"
    arity = None
    features: int

    @override
    def infer(self, inputs: Types) -> TensorType:
        for operand, type_ in enumerate(inputs):
            require_layout("bilinear", type_, ("C",), operand=operand)
        return TensorType((self.features,), "C")

    @override
    def macs(self, inputs: Types, output: TensorType) -> int:
        return 0

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return ModuleCall(f"{__name__}:Bilinear", (self.features,))


class Bilinear(nn.Module):
    """The outer products' first elements."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features

    def forward(self, *tensors: Tensor) -> Tensor:
        product = tensors[0]
        for tensor in tensors[1:]:
            product = (product.unsqueeze(2) * tensor.unsqueeze(1)).flatten(1)
        return product[:, : self.features]


def test_one_of_several_inputs_is_given_layers() -> None:
    text = """network n {
        input 3x8x8
        global_avgpool -> flatten
        few: linear(2)
        pair: bilinear([in -> global_maxpool -> flatten, @few], 4)
        bilinear([id, @few, linear(3)], 5) }"""
    graph = archdsl.load(text, ops=[BilinearOp])
    assert [graph.nodes[i].path for i in graph.nodes[-1].inputs] == ["pair", "few", "linear2"]
    x = images()[:, :, :8, :8]
    for module in (archdsl.build(text, ops=[BilinearOp]), load_python(graph)):
        state = {name: torch.randn(parameter.shape) for name, parameter in module.named_parameters()}
        module.load_state_dict(state, strict=True)
        few = x.mean((2, 3)) @ state["few.weight"].T + state["few.bias"]
        pair = torch.einsum("ni,nj->nij", x.amax((2, 3)), few).flatten(1)[:, :4]
        third = pair @ state["linear2.weight"].T + state["linear2.bias"]
        expected = torch.einsum("ni,nj,nk->nijk", pair, few, third).flatten(1)[:, :5]
        torch.testing.assert_close(module(x), expected)


def test_one_of_several_inputs_stands_behind_their_layers() -> None:
    text = "network n {\n input 8\n pair: seq(bilinear([linear(2), linear(3)], 6) -> linear(4)) }"
    graph = archdsl.load(text, ops=[BilinearOp])
    assert [node.path for node in graph.nodes[1:]] == [f"pair.{i}" for i in range(4)]


def test_one_of_several_inputs_marks_the_one_it_refuses() -> None:
    text = "network n {\n input 3x8x8\n wide: conv(4, 3)\n bilinear([global_avgpool -> flatten, @wide], 4) }"
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.load(text, ops=[BilinearOp])
    (found,) = caught.value.diagnostics
    assert found.code == "E306"
    assert [label.text for label in found.labels] == ["makes 4x8x8"]


def test_its_graph_goes_through_json() -> None:
    again = archdsl.read_graph(graph().to_json(), ops=OPS)
    assert again.digest() == graph().digest()
    given = Graph.from_json(graph().to_json(), {op.kind: op for op in OPS})
    assert given.digest() == graph().digest()
    with pytest.raises(archdsl.ArchError) as caught:
        Graph.from_json(graph().to_json())
    (found,) = caught.value.diagnostics
    assert found.code == "E002"
    assert "the op `grn`" in found.message
    assert "`ops=[" in found.help[0]


@pytest.mark.usefixtures("mirrored")
def test_its_graph_finds_it_as_a_spec_does() -> None:
    graph = archdsl.load("net.arch", ops=["mirror_ops.py"])
    for ops in (["mirror_ops.py"], [sys.modules["mirror_ops"]], [type(graph.nodes[-1].op)]):
        assert archdsl.read_graph(graph.to_json(), ops=ops).text() == graph.text()  # type: ignore[arg-type]


class WeightedOp(GlobalResponseNormOp):
    """Has arguments of all kinds."""

    kind = "weighted"
    pairs: tuple[tuple[int, str], ...] = ((1, "a"), (2, "b"))
    starts: tuple[Initializer, ...] = (Constant(value=0.5),)
    on: bool | None = None


def test_all_kinds_of_arguments_go_through_json() -> None:
    graph = archdsl.load('network net {\n    input 3x8x8\n    weighted(pairs = [[3, "c"]])\n}\n', ops=[WeightedOp])
    again = archdsl.read_graph(graph.to_json(), ops=[WeightedOp])
    assert again.nodes[-1].op == graph.nodes[-1].op
    assert again.nodes[-1].op.arguments()["pairs"] == ((3, "c"),)


def test_a_graph_whose_op_fails_is_no_wrong_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    text = archdsl.load("network net {\n    input 4x8x8\n    halved\n}\n", ops=OPS).to_json()
    monkeypatch.setattr(HalvedOp, "infer", vars(Failing)["infer"])
    monkeypatch.setattr(HalvedOp, "how", "no type", raising=False)
    with pytest.raises(archdsl.ArchError, match=r"E702.*`infer` of `halved` gave '3x8x8'"):
        archdsl.read_graph(text, ops=OPS)


def test_its_refusals_are_diagnostics() -> None:
    text = SPEC.replace("conv(8, 3, stride = 2)", "conv(9, 3)")
    with pytest.raises(archdsl.ArchError, match="even number of channels, but gets 9"):
        archdsl.load(text, ops=OPS)
    with pytest.raises(archdsl.ArchError, match="E306"):
        archdsl.load(SPEC.replace("-> halved\n", "-> halved -> channels_last -> grn\n"), ops=OPS)


@pytest.mark.parametrize(
    ("text", "code"),
    [("grn(eps = true)", "E215"), ("grn(epsilon = 1)", "E212"), ("grm", "E201"), ("grn(1, 2)", "E213")],
)
def test_its_arguments_are_checked(text: str, code: str) -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.load(SPEC.replace("second: grn(1e-6)", text), ops=OPS)
    assert [d.code for d in caught.value.diagnostics] == [code]


def test_a_variant_may_put_it_in_place_of_another() -> None:
    variant = 'from "resnet18.arch" import resnet18\nnetwork net extends resnet18 { let relu = grn }\n'
    kinds = {node.op.kind for node in archdsl.load(variant, ops=OPS).nodes}
    assert "grn" in kinds
    assert "relu" not in kinds


# ---- how it is found -----------------------------------------------------------------------------

FILE = """
from archdsl.extensions import FunctionCall, TensorType, TorchCall, Types, UserOp, X

class {name}(UserOp):
    kind = "{kind}"

    def infer(self, inputs):
        return inputs[0]

    def macs(self, inputs, output):
        return 0

    def torch_call(self, inputs):
        return FunctionCall("torch.flip", (X, (3,)))

OPS = [{name}]
"""
MIRRORED = "network net {\n    input 3x8x8\n    mirrored\n}\n"


@pytest.fixture
def mirrored(folder: Path) -> Path:
    """A folder with a spec and the file of the op that it uses."""
    (folder / "net.arch").write_text(MIRRORED, encoding="utf-8")
    (folder / "mirror_ops.py").write_text(FILE.format(name="Mirrored", kind="mirrored"), encoding="utf-8")
    return folder


@pytest.mark.parametrize("source", ["mirror_ops.py", "mirror_ops"])
def test_a_file_or_a_module(source: str, mirrored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(mirrored)
    built = archdsl.build("net.arch", ops=[source])
    assert torch.equal(built(images()), images().flip(3))
    assert archdsl.check("net.arch", ops=[source]) == []
    assert [d.code for d in archdsl.check("net.arch")] == ["E201"]


@pytest.mark.usefixtures("mirrored")
@pytest.mark.parametrize("command", ["check", "stats", "build"])
def test_the_command_line(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute([command, "net.arch", "--ops", "mirror_ops.py"]) == 0
    assert execute([command, "net.arch"]) == 1
    assert "E201" in "".join(capsys.readouterr())


class Entry:
    """Stands for an installed package's entry point."""

    value = "mirror_package:Mirrored"

    def __init__(self, name: str, loaded: object) -> None:
        self.name = name
        self._loaded = loaded

    def load(self) -> object:
        if isinstance(self._loaded, Exception):
            raise self._loaded
        return self._loaded


def offer(monkeypatch: pytest.MonkeyPatch, name: str, loaded: object) -> list[str]:
    """Installs an entry point; gives the list of groups that are asked for."""
    asked: list[str] = []

    def entry_points(*, group: str) -> list[Entry]:
        asked.append(group)
        return [Entry(name, loaded), Entry("another", HalvedOp)]

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    return asked


def test_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = offer(monkeypatch, "halved", HalvedOp)
    text = "network net {\n    input 4x8x8\n    halved\n}\n"
    assert archdsl.load(text).nodes[-1].type.sizes == (2, 8, 8)
    assert archdsl.check(text) == []
    assert set(asked) == {"archdsl.ops"}
    asked.clear()
    archdsl.load("resnet18")
    assert asked == []


def test_packages_are_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = offer(monkeypatch, "halved", HalvedOp)
    unknown = " -> ".join(f"unknown{i}" for i in range(20))
    assert len(archdsl.check(f"network net {{\n    input 4x8x8\n    {unknown}\n}}\n")) == 20
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("name", "loaded", "said"),
    [
        ("mirrored", HalvedOp, "its op is named `halved`"),
        ("mirrored", ImportError("no numpy"), "ImportError: no numpy"),
        ("mirrored", nn.ReLU, "is no op"),
    ],
)
def test_a_wrong_entry_point(name: str, loaded: object, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, name, loaded)
    with pytest.raises(archdsl.ArchError, match=f"(?s)E701.*{said}"):
        archdsl.load(MIRRORED)


# ---- what cannot be loaded -----------------------------------------------------------------------

BAD_FILES = {
    "no list": ("x = 1\n", "has no list `OPS`"),
    "not Python": ("class\n", "SyntaxError"),
    "fails": ("import no_such_package\n", "No module named 'no_such_package'"),
    "no ops": ("OPS = [int]\n", "<class 'int'> is no op"),
    "taken name": (FILE.format(name="Mirrored", kind="relu"), "has the name of one of archdsl's own"),
    "no name": (FILE.format(name="Mirrored", kind="3x"), "has no name"),
    "no torch call": (FILE.format(name="M", kind="m").replace("torch_call", "torch"), "its op M lacks `torch_call`"),
    "twice": (FILE.format(name="A", kind="a") + FILE.format(name="B", kind="a") + "OPS = [A, B]\n", "another op `a`"),
    "a list": (
        FILE.format(name="A", kind="a").replace("kind =", "sizes: list[int]\n    kind ="),
        "the argument `sizes` of its op `a` is a list[int]",
    ),
    "a name": (
        FILE.format(name="A", kind="a").replace("kind =", "memory: int = 3\n    kind ="),
        "the argument `memory` of its op `a` has the name of what every op has",
    ),
    "no method": (
        "from typing import ClassVar\n"
        + FILE.format(name="A", kind="a").replace("kind =", "reads: ClassVar[int] = 3\n    kind ="),
        "`reads` of its op `a` is no method",
    ),
    "arity": (
        FILE.format(name="A", kind="a").replace("kind =", "arity = 0\n    kind ="),
        "the arity of its op `a` is 0",
    ),
    "no type": (
        FILE.format(name="A", kind="a").replace("kind =", "size: 'Unknown'\n    kind ="),
        "arguments of its op",
    ),
}


@pytest.mark.filterwarnings("ignore:Field name")
@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file(case: str, mirrored: Path) -> None:
    text, said = BAD_FILES[case]
    name = f"bad_{case.replace(' ', '_')}.py"
    (mirrored / name).write_text(text, encoding="utf-8")
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.load("net.arch", ops=[name])
    (found,) = caught.value.diagnostics
    assert found.code == "E701"
    assert name in found.message
    assert said in found.message


@pytest.mark.usefixtures("mirrored")
@pytest.mark.parametrize("source", ["missing.py", "no_such_module", "."])
def test_no_file(source: str) -> None:
    assert [d.code for d in archdsl.check("net.arch", ops=[source])] == ["E701"]


def test_a_file_named_as_a_module_is_refused(mirrored: Path) -> None:
    (mirrored / "json.py").write_text("OPS = []\n", encoding="utf-8")
    assert "cannot be its name as a module" in archdsl.check("net.arch", ops=["json.py"])[0].message


@pytest.mark.parametrize("ops", ["mirror_ops.py", HalvedOp, {"halved": HalvedOp}, 3, [3], [None]])
def test_what_is_no_list_of_ops_is_refused(ops: Any) -> None:
    (found,) = archdsl.check(SPEC, ops=ops)
    assert found.code == "E701"
    assert "cannot serve as ops" in found.message


def test_a_module_is_named_or_given() -> None:
    module = ModuleType("given")
    module.OPS = OPS  # type: ignore[attr-defined]
    assert archdsl.check(SPEC, ops=[module]) == []


def test_a_class_that_is_no_op_is_refused() -> None:
    with pytest.raises(archdsl.ArchError, match="E701"):
        archdsl.load(SPEC, ops=[nn.ReLU])  # type: ignore[list-item]


# ---- what breaks its word ------------------------------------------------------------------------


class Failing(GlobalResponseNormOp):
    """Each of its instances breaks its word in the way that ``how`` says."""

    kind = "failing"
    how: str = ""

    @override
    def infer(self, inputs: Types) -> TensorType:
        if self.how == "infer raises":
            raise ZeroDivisionError("no channels")
        return "3x8x8" if self.how == "no type" else inputs[0]  # type: ignore[return-value]

    @override
    def macs(self, inputs: Types, output: TensorType) -> int:
        return -1 if self.how == "negative" else 0

    @override
    def parameters(self, inputs: Types) -> dict[str, ParameterSpec]:
        if self.how == "no specs":
            return {"gamma": (3, 1, 1)}  # type: ignore[dict-item]
        return {} if self.how == "no parameters" else super().parameters(inputs)

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        if self.how == "no class":
            return ModuleCall("torch.nn:NoSuchClass")
        if self.how == "no module":
            return ModuleCall("no_such_module:Norm")
        if self.how == "wrong arguments":
            return ModuleCall(f"{__name__}:GlobalResponseNorm")
        return super().torch_call(inputs)


@pytest.mark.parametrize("how", ["infer raises", "no type", "negative", "no specs"])
def test_a_broken_rule_is_found_where_it_is_used(how: str) -> None:
    text = f'network net {{\n    input 3x8x8\n    failing(how = "{how}")\n}}\n'
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.load(text, ops=[Failing])
    (found,) = caught.value.diagnostics
    assert found.code == "E702"
    assert found.span is not None
    assert found.span.text == f'failing(how = "{how}")'


@pytest.mark.parametrize("how", ["no parameters", "no class", "no module", "wrong arguments"])
def test_a_broken_call_is_found_when_it_is_built(how: str) -> None:
    text = f'network net {{\n    input 3x8x8\n    failing(how = "{how}")\n}}\n'
    archdsl.load(text, ops=[Failing])
    with pytest.raises(archdsl.ArchError, match="E702"):
        archdsl.build(text, ops=[Failing])


class Checked(HalvedOp):
    """Fails while it looks at its arguments."""

    kind = "checked"
    size: int

    @model_validator(mode="after")
    def _look(self) -> Self:
        raise KeyError("size")


def test_a_validator_that_fails_is_found_where_it_is_used() -> None:
    (found,) = archdsl.check("network net {\n    input 4x8x8\n    checked(3)\n}\n", ops=[Checked])
    assert found.message == "`checked`: its code failed: KeyError: 'size'"
    assert found.span is not None
    assert found.span.text == "checked(3)"


def test_an_argument_that_no_spec_can_write_is_refused() -> None:
    class Endless(HalvedOp):
        kind = "endless"
        most: float = float("inf")

    (found,) = archdsl.check("network net {\n    input 4x8x8\n    endless\n}\n", ops=[Endless])
    assert found.code == "E702"
    assert "the argument `most` is inf" in found.message


def test_a_wrong_shape_is_found_when_it_runs(mirrored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = FILE.format(name="Cut", kind="mirrored").replace('"torch.flip", (X, (3,))', '"torch.narrow", (X, 1, 0, 1)')
    (mirrored / "cut_ops.py").write_text(text, encoding="utf-8")
    assert execute(["build", "net.arch", "--ops", "cut_ops.py"]) == 1
    assert "error[E702]: the network does not run, which has the op `mirrored`" in capsys.readouterr().err
