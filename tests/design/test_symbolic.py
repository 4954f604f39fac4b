"""Closed formulas of parameters and MACs: what torchvision's own modules have at points nobody chose."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache, partial
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import archdsl
from archdsl.analysis.symbolic.formulas import Domain, Formula
from archdsl.analysis.symbolic.polynomials import interpolated
from archdsl.design.closed_forms import Formulas, formulas
from tests.running import captured

ROOT = Path(__file__).parents[2]
WIDE_RESNET = ROOT / "specs" / "blocks" / "wide_resnet.arch"

RESIDUAL = """
network residual(w = 64, v = 64) {
    input 3x32x32
    conv(64, 3)
    block unit(c) { (conv(c, 3)) + (id if in.channels == c else conv(c, 1)) }
    unit(w) -> unit(v) -> global_avgpool -> flatten -> linear(10)
}
"""


def parameters_of(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def macs_of(module: nn.Module, *sizes: int) -> int:
    """Half of what torch's counter says of one example in eval mode."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module.eval()(torch.empty(1, *sizes, device="meta"))
    flops = int(counter.get_total_flops())
    assert flops % 2 == 0
    return flops // 2


def on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    with torch.device("meta"):
        return build()


def some(domain: Domain, random: Random, most: int) -> int:
    """A value of the domain, at most ``most`` unless the least is greater, and none of its exceptions."""
    steps = max((most - int(domain.first)) // int(domain.step), 0)
    value = domain.first + domain.step * random.randint(0, steps)
    return int(value) if value in domain else int(domain.last)


def random_points(formula: Formula, count: int, **most: int) -> list[dict[str, Any]]:
    random = Random(20)
    return [{d.variable: some(d, random, most[d.variable]) for d in formula.domains} for _ in range(count)]


# ---- against torchvision -------------------------------------------------------------------------


def densenet121(models: ModuleType, classes: int, growth_rate: int) -> nn.Module:
    blocks, features = (6, 12, 24, 16), 2 * growth_rate
    module: nn.Module = models.DenseNet(growth_rate, blocks, features, num_classes=classes)
    return module


def efficientnet(models: ModuleType, classes: int, width: int) -> nn.Module:
    setting, last = models.efficientnet._efficientnet_conf("efficientnet_b0", width_mult=width, depth_mult=1.0)
    module: nn.Module = models.EfficientNet(setting, 0.2, last_channel=last, num_classes=classes)
    return module


def resnet50(models: ModuleType, classes: int) -> nn.Module:
    module: nn.Module = models.resnet50(num_classes=classes)
    return module


def mnasnet(models: ModuleType, classes: int, width: int) -> nn.Module:
    module: nn.Module = models.MNASNet(width, num_classes=classes)
    return module


VARIED: dict[str, tuple[Callable[..., nn.Module], dict[str, int]]] = {
    "resnet50": (resnet50, {"classes": 3000}),
    "densenet121": (densenet121, {"classes": 500, "growth_rate": 60}),
    "efficientnet_b0": (efficientnet, {"classes": 2000, "width": 5}),
    "mnasnet1_0": (mnasnet, {"classes": 2000, "width": 4}),
}


@pytest.mark.parametrize("spec", VARIED)
def test_parameters_and_macs_are_torchvisions(spec: str, torchvision_models: ModuleType) -> None:
    build, most = VARIED[spec]
    found = formulas(spec, most)
    for point in random_points(found.parameters, 4, **most):
        module = on_meta(partial(build, torchvision_models, **point))
        assert found.parameters.at(**point) == parameters_of(module), point
        assert found.macs.at(**point) == macs_of(module, 3, 224, 224), point


@pytest.mark.parametrize(
    "spec", ["resnet18", "vgg11", pytest.param("mobilenet_v2", marks=pytest.mark.exhaustive), "squeezenet1_1"]
)
def test_macs_by_input_size_are_torchvisions(spec: str, torchvision_models: ModuleType) -> None:
    found = formulas(spec, ["height", "width"])
    module = on_meta(getattr(torchvision_models, spec))
    for point in random_points(found.macs, 3, height=900, width=900):
        assert found.macs.at(**point) == macs_of(module, 3, point["height"], point["width"]), point


def test_the_formulas_go_through_torchvisions_published_numbers(torchvision_models: ModuleType) -> None:
    meta = torchvision_models.ResNet18_Weights.IMAGENET1K_V1.meta
    found = resnet18()
    assert found.parameters.at(classes=1000, size=224) == meta["num_params"]
    assert round(found.macs.at(classes=1000, size=224) / 1e9, 3) == meta["_ops"]


@cache
def wide_resnets() -> Formulas:
    return formulas(WIDE_RESNET, ["depth", "k"], depth=22, k=6)


@cache
def resnet18() -> Formulas:
    return formulas("resnet18", ["classes", "size"])


@pytest.mark.parametrize("depth, k, millions", [(28, 10, 36.5), (16, 8, 11.0), (40, 4, 8.9), (40, 2, 2.2)])
def test_wide_resnets_have_the_papers_parameters(depth: int, k: int, millions: float) -> None:
    """Zagoruyko and Komodakis 2016, arXiv:1605.07146, table 4."""
    assert round(wide_resnets().parameters.at(depth=depth, k=k) / 1e6, 1) == millions


def test_wide_resnets_with_k_1_are_a_case_of_their_own() -> None:
    """There the first group keeps the stem's width and needs no projection."""
    found = formulas(WIDE_RESNET, ["k"], depth=16, k=8)
    assert found.parameters.condition == "k = 2, 3, 4, ..., 65_536"
    built = archdsl.build(WIDE_RESNET, device="meta", depth=16, k=1)
    assert found.parameters.polynomial.at({"k": Fraction(1)}) != parameters_of(built)


# ---- for which values a formula holds ------------------------------------------------------------


def test_a_stride_makes_the_size_count_in_steps(torchvision_models: ModuleType) -> None:
    found = resnet18()
    assert found.macs.condition == "classes = 1, 2, 3, ..., 65_536; size = 32, 64, 96, ..., 65_536"
    assert found.parameters.condition == "classes = 1, 2, 3, ..., 65_536; size = 1, 2, 3, ..., 65_536"
    module = on_meta(torchvision_models.resnet18)
    assert found.macs.polynomial.at({"classes": Fraction(1000), "size": Fraction(100)}) != macs_of(module, 3, 100, 100)
    with pytest.raises(archdsl.ArchError, match="the formula of the MACs does not hold for classes = 1_000, size"):
        found.macs.at(classes=1000, size=100)


def test_another_start_gives_another_class_of_sizes(torchvision_models: ModuleType) -> None:
    found = formulas("resnet18", ["size"], input=(3, 225, 225))
    assert found.base == {"size": 225}
    size = int(found.macs.domains[0].first + 5 * found.macs.domains[0].step)
    assert size % 32 == 1
    assert found.macs.at(size=size) == macs_of(on_meta(torchvision_models.resnet18), 3, size, size)


def test_a_width_that_needs_no_projection_is_an_exception() -> None:
    found = formulas(RESIDUAL, ["w"]).parameters
    assert found.domains[0].exceptions == (Fraction(64),)
    assert not found.holds_at({"w": 64})
    assert found.at(w=65) == parameters_of(archdsl.build(RESIDUAL, device="meta", w=65))


def test_widths_that_must_differ_are_named() -> None:
    found = formulas(RESIDUAL, ["w", "v"]).parameters
    assert found.unequal == (("w", "v"),)
    assert "w other than v" in found.condition
    assert found.at(w=30, v=31) == parameters_of(archdsl.build(RESIDUAL, device="meta", w=30, v=31))
    assert found.polynomial.at({"w": Fraction(30), "v": Fraction(30)}) != parameters_of(
        archdsl.build(RESIDUAL, device="meta", w=30, v=30)
    )


@pytest.mark.parametrize(
    "width, condition",
    [
        ("w", "w = 1, 2, 3, ..., 65_536"),
        ("8 * w if w < 70 else 4 * w", "w = 1, 2, 3, ..., 69"),
        ("w if w > 40 else 8", "w = 41, 42, 43, ..., 65_536"),
        ("max(8, w / 8)", "w = 64, 72, 80, ..., 65_536"),
        ("divisible(1.5 * w)", "w = 16, 32, 48, ..., 65_536"),
        ("w // 3", "w = 4, 7, 10, ..., 65_536"),
    ],
)
def test_the_condition_says_where_the_form_is_the_same(width: str, condition: str) -> None:
    spec = f"network net(w = 64) {{ input 3x8x8\n conv({width}, 3) }}"
    found = formulas(spec, ["w"]).parameters
    assert found.condition == condition
    for point in random_points(found, 4, w=69):
        assert found.at(**point) == parameters_of(archdsl.build(spec, device="meta", **point))


def test_what_two_variables_allow_only_together_is_found() -> None:
    spec = "network net(w = 64, v = 30) { input 3x8x8\n conv(8 * w if w < v else 4 * w, 3) }"
    found = formulas(spec, ["w", "v"]).parameters
    widest, narrowest = int(found.domains[1].last), int(found.domains[0].first)
    assert narrowest >= widest
    assert found.at(w=narrowest, v=widest) == 28 * 4 * narrowest


def test_other_values_stay_as_they_are_set() -> None:
    found = formulas("densenet121", ["classes"], growth_rate=16, input="3x64x64")
    graph = archdsl.build("densenet121", device="meta", growth_rate=16, classes=77)
    assert found.parameters.at(classes=77) == parameters_of(graph)
    assert found.macs.at(classes=77) == macs_of(graph, 3, 64, 64)


# ---- random networks -----------------------------------------------------------------------------

WIDTHS = st.sampled_from(["w", "2 * w", "w + 3", "4 * w", "w * w", "8", "v", "v + w", "w * v"])
LAYERS = st.one_of(
    st.builds("conv({}, {})".format, WIDTHS, st.sampled_from([1, 3, 5])),
    st.builds("conv({}, 3, stride = 2)".format, WIDTHS),
    st.builds("(conv({}, 3) -> bn) + conv({}, 1)".format, st.just("w"), st.just("w")),
    st.sampled_from(["bn", "relu", "maxpool(2)", "id ++ conv(v, 3)", "dwconv(3)", "conv(w, 3, bias = false)"]),
)


@settings(max_examples=25)
@given(layers=st.lists(LAYERS, min_size=1, max_size=5), data=st.data())
def test_random_networks_are_counted_by_torch_alike(layers: list[str], data: st.DataObject) -> None:
    body = "\n".join([*layers, "global_avgpool -> flatten -> linear(10)"])
    spec = f"network random(w = 5, v = 6) {{ input 3x64x64\n{body} }}"
    found = formulas(spec, ["w", "v", "size"])
    steps = {d.variable: (int(d.first), int(d.step)) for d in found.macs.domains}
    point = {name: first + step * data.draw(st.integers(0, 3)) for name, (first, step) in steps.items()}
    size = point["size"]
    if found.macs.holds_at(point):
        built = archdsl.build(spec, device="meta", input=(3, size, size), w=point["w"], v=point["v"])
        assert found.macs.at(**point) == macs_of(built, 3, size, size)
        assert found.parameters.at(**point) == parameters_of(built)


@given(
    terms=st.dictionaries(
        st.tuples(st.integers(0, 3), st.integers(0, 2)), st.fractions(max_denominator=50), min_size=1, max_size=6
    ),
    start=st.integers(-5, 9),
)
def test_a_polynomial_is_found_again_from_its_values(terms: Mapping[tuple[int, int], Fraction], start: int) -> None:
    nodes = [[Fraction(start + 3 * i) for i in range(4)], [Fraction(start + i * i) for i in range(3)]]

    def value(point: tuple[Fraction, ...]) -> Fraction:
        x, y = point
        return sum((c * x**a * y**b for (a, b), c in terms.items()), start=Fraction(0))

    found = interpolated(["x", "y"], nodes, value)
    assert {term.powers: term.coefficient for term in found.terms} == {
        tuple((name, e) for name, e in zip("xy", powers, strict=True) if e): c for powers, c in terms.items() if c
    }
    x, y = Fraction(17, 3), Fraction(-4)
    assert found.at({"x": x, "y": y}) == value((x, y))


# ---- how it is written ---------------------------------------------------------------------------


def test_the_text_means_the_same_to_python() -> None:
    found = resnet18().macs
    point = {"classes": 10, "size": 96}
    assert eval(str(found.polynomial), dict(point)) == found.at(**point)


def test_json_is_exact() -> None:
    found = resnet18()
    data = json.loads(json.dumps(found.as_json()))
    point = {"classes": 10, "size": 96}
    for metric, formula in (("parameters", found.parameters), ("macs", found.macs)):
        total = Fraction(0)
        for term in data[metric]["terms"]:
            value = Fraction(*term["coefficient"])
            for name, exponent in term["powers"].items():
                value *= point[name] ** exponent
            total += value
        assert total == formula.at(**point)


def test_real_numbers_have_exact_domains() -> None:
    domain = Domain("width", Fraction("1.1"), Fraction(1, 2), Fraction("3.1"))
    assert str(domain) == "width = 1.1, 1.6, 2.1, ..., 3.1"
    found = formulas("network net(width = 1.1) { input 3x8x8\n conv(int(10 * width), 3) }", ["width"]).parameters
    assert found.at(width=2.1) == 28 * 21


@pytest.mark.parametrize("values", [{}, {"classes": 3, "size": 224}, {"clases": 3}])
def test_a_formula_is_given_just_its_variables(values: dict[str, int]) -> None:
    found = formulas("resnet18", ["classes"])
    with pytest.raises(archdsl.ArchError, match="a formula in classes is given"):
        found.macs.at(**values)


# ---- what is refused -----------------------------------------------------------------------------

PLAIN = "network net(n = 4, act = relu, on = true) { input 3x64x32\n conv(n, 3) -> act }"


@pytest.mark.parametrize(
    "spec, variables, code, message",
    [
        (PLAIN, ["m"], "E409", "`net` has no parameter or size `m`"),
        (PLAIN, ["act"], "E409", "the parameter `act` is `relu`, not a number"),
        (PLAIN, ["on"], "E409", "the parameter `on` is true, not a number"),
        (PLAIN, ["size"], "E409", "`size` is the side of a square input, and this one is 3x64x32"),
        (PLAIN, ["height", "height"], "E409", "`height` is named twice"),
        (PLAIN.replace("32", "64"), ["size", "width"], "E409", "`size` and `width` set the same size"),
        (PLAIN, [], "E409", "formulas need a variable"),
        (PLAIN.replace("n = 4", "n"), ["n"], "E211", "`net` needs the parameter `n`"),
        (PLAIN.replace("conv(n", "conv(2 ** n"), ["n"], "E803", "no closed formula of the parameters was found"),
        (PLAIN.replace("conv", "conf"), ["n"], "E201", "nothing is named `conf` here"),
        ("efficientnet_b1", ["depth"], "E409", "`efficientnet_b1` fixes `depth`: it is `1.1`"),
        ("network two(n = 3) { input a: 3x8x8, b: 3x8x8\n conv(n, 3) }", ["size"], "E409", "`two` has no parameter or"),
        ("resnet5", ["classes"], "E001", "`resnet5` is neither a file nor a bundled spec"),
    ],
)
def test_faults(spec: str, variables: list[str], code: str, message: str) -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        formulas(spec, variables)
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.message.startswith(message)) == (code, True), diagnostic.message


def test_a_parameter_that_a_variant_fixes_leaves_its_name_to_the_size() -> None:
    base = "network base(width = 8) { input 3x64x32\n conv(width, 3) }\n"
    assert formulas(base, ["width"]).base == {"width": 8}
    assert formulas(base + "network fixed = base(width = 5)", ["width"], network="fixed").base == {"width": 32}


def test_progress_is_told_each_point() -> None:
    told: list[str] = []
    formulas(RESIDUAL, "w", progress=told.append)
    assert "parameters at w = 64" in told
    assert "MACs at w = 65" in told


def test_a_specs_file_is_read_once(tmp_path: Path) -> None:
    """However often its network is counted."""
    spec = tmp_path / "residual.arch"
    spec.write_text(RESIDUAL, encoding="utf-8")
    found = formulas(str(spec), "w", progress=lambda step: spec.unlink(missing_ok=True))
    assert str(found.parameters) == str(formulas(RESIDUAL, "w").parameters)


def test_torch_is_not_imported() -> None:
    script = "import sys, archdsl; archdsl.formulas('resnet18', ['classes']); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# ---- the command line ----------------------------------------------------------------------------


class TestCommand:
    def run(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
        return captured(capsys, "stats", *arguments)

    def test_text(self, capsys: pytest.CaptureFixture[str], torchvision_models: ModuleType) -> None:
        code, out, _ = self.run(capsys, "resnet18", "--symbolic", "classes, size")
        backbone = on_meta(torchvision_models.resnet18)
        del backbone.fc
        assert code == 0
        assert f"parameters = {parameters_of(backbone):_} + 513 * classes\n" in out
        assert "    for classes = 1, 2, 3, ..., 65_536; size = 32, 64, 96, ..., 65_536\n" in out

    def test_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        code, out, _ = self.run(
            capsys, "resnet18", "resnet34", "--symbolic", "classes", "--json", "--set", "classes=10"
        )
        found: list[dict[str, Any]] = json.loads(out)
        assert code == 0
        assert [one["spec"] for one in found] == ["resnet18", "resnet34"]
        assert found[0]["variables"] == {"classes": 10}
        assert found[0]["macs"]["terms"][1] == {"coefficient": [512, 1], "powers": {"classes": 1}}

    @pytest.mark.parametrize("options", [("a-b",), (",",), ("classes", "--csv"), ("classes", "--markdown")])
    def test_usage(self, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]) -> None:
        code, out, err = self.run(capsys, "resnet18", "--symbolic", *options)
        assert (code, out) == (2, "")
        assert "Error: " in err

    def test_a_diagnostic(self, capsys: pytest.CaptureFixture[str]) -> None:
        code, out, err = self.run(capsys, "resnet18", "--symbolic", "clases")
        assert (code, out) == (1, "")
        assert "did you mean `classes`?" in err


@pytest.mark.exhaustive
@pytest.mark.parametrize("spec", archdsl.bundled())
def test_every_bundled_networks_formulas_hold_beside_the_declared_point(spec: str) -> None:
    """By torch's counters of the built module, at one size and number of classes that was not declared."""
    found = formulas(spec, ["classes", "size"])
    classes, size = 7, int(found.macs.domains[1].first + 2 * found.macs.domains[1].step)
    built = archdsl.build(spec, device="meta", input=(3, size, size), classes=classes)
    assert found.parameters.at(classes=classes, size=size) == parameters_of(built)
    assert found.macs.at(classes=classes, size=size) == macs_of(built, 3, size, size)
