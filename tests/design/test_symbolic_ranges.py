"""For which values a closed formula holds: judged by arithmetic at every value, far beyond the declared ones."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import archdsl
from archdsl.analysis.symbolic.formulas import Formula
from archdsl.design.closed_forms import formulas
from cli.main import execute

FARTHEST = 65_536


def of_width(width: str, declared: int = 64) -> Formula:
    """The parameters of one 3x3 convolution of an image: 27 weights and a bias for each of ``width`` channels."""
    return formulas(f"network net(w = {declared}) {{ input 3x8x8\n conv({width}, 3) }}", ["w"]).parameters


def by_hand(width: str, w: int) -> int:
    """Python means the same by these expressions as the language does."""
    return 28 * int(eval(width, {"max": max, "min": min}, {"w": w}))


def every_value() -> list[int]:
    return [*range(1, 2000), *range(2000, FARTHEST, 97), FARTHEST, FARTHEST + 1, 10**6]


@pytest.mark.parametrize(
    "width, last",
    [
        ("max(32, w // 16)", 32 * 16 + 15),
        ("w + max(32, w // 16)", 32 * 16 + 15),
        ("8 if w < 300 else 16", 299),
        ("w if w < 5000 else 2 * w", 4999),
        ("min(w, 40000)", 40_000),
        ("min(w, 100000)", FARTHEST),
        ("w + (1 if w == 77 else 0)", FARTHEST),
        ("w + (1 if w == 4001 else 0)", FARTHEST),
        ("(w + 8 if w < 210 else w) if w >= 200 else w", 199),
        ("(w + 8 if w <= 4002 else w) if w > 4000 else w", 4000),
    ],
)
def test_a_formula_is_exact_at_every_value_at_which_it_says_that_it_holds(width: str, last: int) -> None:
    found = of_width(width)
    (domain,) = found.domains
    assert (int(domain.last), domain.bounded) == (last, last < FARTHEST)
    for w in every_value():
        if found.holds_at({"w": w}):
            assert found.at(w=w) == by_hand(width, w), w
        else:
            assert w > last or by_hand(width, w) != found.polynomial.at({"w": Fraction(w)}), w


@settings(max_examples=20)
@given(threshold=st.integers(2, FARTHEST - 1), declared=st.integers(1, 600))
def test_the_end_is_found_to_the_value(threshold: int, declared: int) -> None:
    assume(not declared < threshold < declared + 12)  # too little is left on the declared value's side
    hidden = f"min({threshold - 1} + 1 - 1, 10 ** 9)"
    (domain,) = of_width(f"w if w <= {hidden} else w + 3", declared).domains
    ends = int(domain.first), int(domain.last), domain.bounded
    if declared < threshold:
        assert ends == (1, threshold - 1, True)
    else:
        assert ends == (threshold, FARTHEST, False)


def test_a_threshold_of_a_feature_map_ends_the_sizes() -> None:
    spec = "network net { input 3x64x64\n conv(8, 3)\n if in.height > 700 { maxpool(2) }\n conv(8, 3) }"
    found = formulas(spec, "size")
    assert found.parameters.condition == "size = 1, 2, 3, ..., 65_536"
    assert found.macs.condition == "size = 1, 2, 3, ..., 700"
    assert found.macs.at(size=700) == 700 * 700 * (27 * 8 + 72 * 8)
    assert not found.macs.holds_at({"size": 701})


def test_ranges_that_do_not_hold_together_are_narrowed() -> None:
    """The width is ``w + v`` as long as ``w * v`` is below 10^6."""
    spec = "network net(w = 8, v = 8) { input 3x8x8\n conv(w + v if w * v < 10 ** 6 else w + 2 * v, 3) }"
    found = formulas(spec, "w, v").parameters
    lasts = [int(domain.last) for domain in found.domains]
    assert min(lasts) >= 100
    assert found.at(w=lasts[0], v=2) == 28 * (lasts[0] + 2)
    assert found.at(w=lasts[0], v=lasts[1]) == 28 * sum(lasts)
    assert math.prod(lasts) < 10**6


def test_a_depth_is_compared_as_far_as_the_network_stays_small() -> None:
    spec = "network net(n = 3) { input 8x8x8\n { conv(8, 3) -> relu } x n }"
    found = formulas(spec, "n").parameters
    last = int(found.domains[0].last)
    assert 1_000 <= last <= 10_000
    assert found.at(n=last) == last * (8 * 8 * 9 + 8)
    narrow = formulas(spec, "n", limits=archdsl.Limits(nodes=700)).parameters
    assert narrow.domains[0].last * 2 <= 700


def test_beyond_what_was_compared_nothing_is_said() -> None:
    found = of_width("w")
    with pytest.raises(archdsl.ArchError) as caught:
        found.at(w=FARTHEST + 1)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "E803"
    assert diagnostic.message == (
        "the formula of the parameters was compared with the network up to w = 65_536, not at 65_537"
    )
    assert diagnostic.help[-1] == "`archdsl.stats` counts the network for w = 65_537"


@pytest.mark.parametrize("value", [math.nan, math.inf, "10", None, True, [3]])
def test_a_formula_is_given_numbers(value: Any) -> None:
    with pytest.raises(archdsl.ArchError, match=r"E409\]: `w` takes a number, not"):
        of_width("w").at(w=value)


def test_names_may_stand_in_one_text() -> None:
    one = formulas("resnet18", "classes")
    assert one.parameters.polynomial == formulas("resnet18", ["classes"]).parameters.polynomial
    assert list(formulas("resnet18", "classes, size").base) == ["classes", "size"]
    with pytest.raises(archdsl.ArchError, match="a variable is given by its name, not 3"):
        formulas("resnet18", [3])  # type: ignore[list-item]


def test_a_rate_that_is_declared_as_0_is_a_fraction() -> None:
    found = formulas("densenet100_k12", "dropout_rate").parameters
    parameters = sum(p.numel() for p in archdsl.build("densenet100_k12", device="meta").parameters())
    assert found.at(dropout_rate=0.25) == parameters
    assert not found.holds_at({"dropout_rate": 1.5})


@pytest.mark.parametrize(
    "spec, variable, message, help_",
    [
        (
            "densenet_bc100_k12",
            "compression",
            "`densenet_bc100_k12` fixes `compression`: it is `0.5`",
            "it is a parameter of `densenet_cifar`, on which this network is built",
        ),
        (
            "network two { input a: 3x8x8, b: 3x8x8\n @b -> conv(3, 3) }",
            "size",
            "`two` has no parameter or size `size`",
            "the sizes of several inputs are no variables",
        ),
        (
            "network req(w) { input 3x8x8\n conv(w, 3) }",
            "w",
            "`req` needs the parameter `w`",
            "a formula is sought from a value: give one with `--set w=16` or `w=16`",
        ),
        (
            "resnet18",
            "batch",
            "`resnet18` has no parameter or size `batch`",
            "`archdsl stats --batch-for 24GiB` finds the largest batch that fits",
        ),
    ],
)
def test_hints(spec: str, variable: str, message: str, help_: str) -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        formulas(spec, variable)
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.message, diagnostic.help) == (message, (help_,))


def test_the_command_says_how_far(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    spec = tmp_path / "net.arch"
    spec.write_text("network net(w = 64) { input 3x8x8\n conv(max(32, w // 16), 3) }", encoding="utf-8")
    assert execute(["stats", str(spec), "--symbolic", "w"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:5] == [
        "parameters = 896",
        "    for w = 1, 2, 3, ..., 527",
        "    beyond w = 527 the counts are others",
    ]
    assert execute(["stats", str(spec), "--symbolic", "w", "--json"]) == 0
    (domain,) = json.loads(capsys.readouterr().out)[0]["parameters"]["domains"]
    assert domain == {"variable": "w", "first": 1, "step": 1, "last": 527, "exceptions": [], "bounded": True}
