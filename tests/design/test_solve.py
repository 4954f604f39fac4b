"""``archdsl solve``: the value found is within the budget and the next is not, by torchvision's and torch's counts."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import archdsl
from archdsl.boundary.units import bytes_of, count_of
from archdsl.design.solving import Solution, solve
from tests.running import Run, captured

ROOT = Path(__file__).parents[2]
WIDE_RESNET = str(ROOT / "specs" / "blocks" / "wide_resnet.arch")
RESNET_CIFAR = str(ROOT / "specs" / "blocks" / "resnet_cifar.arch") + ":resnet_cifar"

PLAIN = "network plain(w = 16) { input 3x32x32\n conv(w, 3) -> relu -> conv(w, 3) }"
GROUPED = "network grouped(g = 1) { input 3x32x32\n conv(64, 3) -> conv(64, 3, groups = g) }"
ROUNDED = """
network rounded(w = 1.0) {
    input 3x32x32
    conv(divisible(32 * w), 3) -> conv(divisible(100 - 8 * round(4 * w) % 5), 3)
}
"""


def parameters_of(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def macs_of(module: nn.Module, *sizes: int) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module.eval()(torch.empty(1, *sizes, device="meta"))
    return int(counter.get_total_flops()) // 2


def built_parameters(spec: str, **settings: Any) -> int:
    return parameters_of(archdsl.build(spec, device="meta", **settings))


# ---- against torchvision -------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [24_000_000, "25M", 25_557_032, 25_557_031])
def test_classes_of_resnet50(budget: int | str, torchvision_models: ModuleType) -> None:
    limit = count_of(budget) if isinstance(budget, str) else budget
    found = solve("resnet50", "classes", params=budget)
    with torch.device("meta"):
        here, above = (parameters_of(torchvision_models.resnet50(num_classes=found.value + i)) for i in (0, 1))
    assert here <= limit < above
    assert found.found.counts.parameters == here
    assert found.above is not None
    assert (found.above.value, found.above.counts.parameters) == (found.value + 1, above)


def test_the_published_network_is_found_from_its_own_numbers(torchvision_models: ModuleType) -> None:
    published = torchvision_models.DenseNet121_Weights.IMAGENET1K_V1.meta["num_params"]
    assert solve("densenet121", "growth_rate", params=published).value == 32
    assert solve("densenet121", "growth_rate", params=published - 1).value == 31
    assert solve("densenet121", "growth_rate", params=published + 1).value == 32


def test_the_image_that_the_macs_allow(torchvision_models: ModuleType) -> None:
    found = solve("resnet18", "size", macs="1G")
    with torch.device("meta"):
        module = torchvision_models.resnet18()
    size = int(found.value)
    assert macs_of(module, 3, size, size) == found.found.counts.macs <= 10**9 < macs_of(module, 3, size + 1, size + 1)


def test_several_budgets_hold_at_once() -> None:
    found = solve("densenet121", "growth_rate", params="20M", macs="5G")
    above = archdsl.build("densenet121", device="meta", growth_rate=int(found.value) + 1)
    assert found.found.counts.parameters <= 20e6
    assert found.found.counts.macs <= 5e9 < macs_of(above, 3, 224, 224)


def test_the_papers_wide_resnet_is_the_widest_of_its_size() -> None:
    """WRN-28-10 has 36.5M parameters (Zagoruyko and Komodakis 2016, arXiv:1605.07146, table 4)."""
    assert solve(WIDE_RESNET, "k", params="36.55M", depth=28).value == 10


def test_the_memory_of_training(torchvision_models: ModuleType) -> None:
    """At least weights, gradients and Adam's two moments; and what torch itself keeps for the backward pass."""
    found = solve("resnet18", "size", memory="300MiB", batch=2, optimizer="adam", between=(32, 640), step=32)
    size = int(found.value)
    module = torchvision_models.resnet18()
    weights = {t.untyped_storage().data_ptr() for t in (*module.parameters(), *module.buffers())}
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = module(torch.empty(2, 3, size, size))
    own = sum(t.nbytes for t in (*module.parameters(), *module.buffers()))
    moments = sum(3 * p.nbytes + 4 for p in module.parameters())
    assert found.found.counts.memory == own + moments + sum(kept.values())
    assert found.above is not None
    assert found.found.counts["memory"] <= bytes_of("300MiB") < found.above.counts["memory"]
    del output


def test_inference_takes_less_memory_than_training() -> None:
    options: dict[str, Any] = {"memory": "200MB", "between": (16, 800), "step": 16}
    training = solve("resnet18", "size", **options)
    assert solve("resnet18", "size", inference=True, **options).value > training.value


# ---- which value is found ------------------------------------------------------------------------


def test_values_that_the_spec_refuses_are_passed_over() -> None:
    spec, _, network = RESNET_CIFAR.rpartition(":")
    found = solve(spec, "depth", params="1.7M", network=network)
    assert found.value == 104
    assert found.above is not None
    assert found.above.value == 110
    assert found.refused
    assert all(refusal.value % 6 != 2 and "E408" in refusal.reason for refusal in found.refused if refusal.value > 8)


def test_counts_that_fall_are_searched_too() -> None:
    assert built_parameters(GROUPED, g=4) > 10_000 >= built_parameters(GROUPED, g=8)
    found = solve(GROUPED, "g", params="10K")
    assert found.value == 64
    assert found.above is None
    assert solve(GROUPED, "g", params="10K", between=(1, 8)).value == 8


def test_the_range_and_its_step_bound_the_values() -> None:
    found = solve(PLAIN, "w", params="100K", between=(8, 64), step=24)
    assert (found.value, found.above, found.tried, found.every_value) == (56, None, 3, True)
    wide = solve(PLAIN, "w", params="1M", between=(100, 5000))
    assert wide.every_value is False
    assert built_parameters(PLAIN, w=wide.value) <= 10**6 < built_parameters(PLAIN, w=wide.value + 1)


def test_nearest_may_be_above_the_budget() -> None:
    below, above = built_parameters(PLAIN, w=20), built_parameters(PLAIN, w=21)
    assert solve(PLAIN, "w", params=above - 1).value == 20
    assert solve(PLAIN, "w", params=above - 1, nearest=True).value == 21
    assert solve(PLAIN, "w", params=below + 1, nearest=True).value == 20
    assert solve(PLAIN, "w", params=1, nearest=True).value == 1


def test_other_numbers_go_in_hundredths() -> None:
    found = solve("mnasnet1_0", "width", params="10M")
    value = float(found.value)
    assert round(value, 2) == value
    assert found.above is not None
    assert found.above.value == pytest.approx(value + 0.01)
    assert found.found.counts.parameters <= 10**7 < found.above.counts.parameters


@cache
def rounded_parameters(hundredths: int) -> int:
    return built_parameters(ROUNDED, w=hundredths / 100)


@settings(max_examples=15)
@given(budget=st.integers(5_000, 150_000), lowest=st.integers(20, 60), steps=st.integers(0, 40))
def test_a_short_range_is_searched_exactly_though_counts_rise_and_fall(budget: int, lowest: int, steps: int) -> None:
    values = [lowest + 5 * i for i in range(steps + 1)]
    within = [value for value in values if rounded_parameters(value) <= budget]
    between = (lowest / 100, values[-1] / 100)
    if within:
        found = solve(ROUNDED, "w", params=budget, between=between, step=0.05)
        assert found.value == pytest.approx(within[-1] / 100)
    else:
        with pytest.raises(archdsl.ArchError, match="E802"):
            solve(ROUNDED, "w", params=budget, between=between, step=0.05)


@settings(max_examples=15)
@given(budget=st.integers(84 + 28, 4_000_000), start=st.integers(1, 400))
def test_halving_finds_what_growing_counts_allow(budget: int, start: int) -> None:
    found = solve(PLAIN, "w", params=budget, w=start)

    def by_hand(width: int) -> int:
        return 28 * width + 9 * width * width + width

    assert by_hand(int(found.value)) <= budget < by_hand(int(found.value) + 1)


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec, variable, options, code, message",
    [
        (PLAIN, "w", {"params": 10}, "E802", "no value of `w` was found that makes a network of at most 10 parameters"),
        (PLAIN, "w", {"params": 0}, "E802", "no value of `w` was found that makes a network of at most 0 parameters"),
        (
            PLAIN,
            "w",
            {"params": "1M", "macs": 1},
            "E802",
            "no value of `w` was found that makes a network of at most 1,0",
        ),
        (PLAIN, "size", {"params": "1M"}, "E802", "`size` does not change what the budget is for"),
        (PLAIN, "w", {}, "E802", "there is no budget to meet"),
        (PLAIN, "w", {"params": "25 apples"}, "E801", "`25 apples` is no amount of parameters or MACs"),
        (PLAIN, "w", {"memory": "25 apples"}, "E801", "`apples` is no unit of memory"),
        (
            PLAIN,
            "w",
            {"memory": 10},
            "E802",
            "no value of `w` was found that makes a network of at most 10 bytes of memory",
        ),
        (PLAIN, "w", {"params": "1M", "between": (9, 8)}, "E409", "there is no value of `w` from 9 to 8"),
        (PLAIN, "w", {"params": "1M", "step": 0}, "E409", "values cannot be 0 apart"),
        (PLAIN, "size", {"macs": "1M", "step": 0.5}, "E409", "`size` is a number of elements"),
        (PLAIN, "v", {"params": "1M"}, "E409", "`plain` has no parameter or size `v`"),
        (GROUPED, "g", {"params": "1M", "between": (65, 70)}, "E802", "the network takes no value of `g` that was tri"),
        (WIDE_RESNET, "k", {"params": "1M"}, "E211", "`wide_resnet_cifar` needs the parameter `depth`"),
        ("efficientnet_b0", "dropout_rate", {"params": "9M"}, "E802", "`dropout_rate` does not change what the budget"),
    ],
)
def test_faults(spec: str, variable: str, options: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        solve(spec, variable, **options)
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.message.startswith(message)) == (code, True), diagnostic.message


def test_the_smallest_network_is_named_where_none_is_small_enough() -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        solve(PLAIN, "w", params=10)
    assert (
        caught.value.diagnostics[0].help[0]
        == f"the smallest that was found has {built_parameters(PLAIN, w=1)} parameters, with w = 1"
    )


def test_a_value_that_is_never_too_large_needs_a_range() -> None:
    spec = "network net(n = 3) { input 3x8x8\n conv(8 + n % 2, 3) }"
    with pytest.raises(archdsl.ArchError, match=r"no value of `n` is too large: even [\d,]+ is within the budget"):
        solve(spec, "n", params="1M")
    assert solve(spec, "n", params="1M", between=(1, 7)).value == 7


def test_torch_is_not_imported() -> None:
    script = "import sys, archdsl; archdsl.solve('resnet18', 'classes', params='12M'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    "text, amount",
    [("25M", 25 * 10**6), ("4.1G", 4_100_000_000), ("25_557_032", 25_557_032), ("1.5k", 1500), ("0.1T", 10**11)],
)
def test_amounts_are_exact(text: str, amount: int) -> None:
    assert count_of(text) == amount


@pytest.mark.parametrize("text", ["", "M", "-5", "25MB", "25 M M", "9" * 50, "0x10", "1.2.3"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(archdsl.ArchError, match="E801"):
        count_of(text)


# ---- the command line ----------------------------------------------------------------------------


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``archdsl solve`` in a folder with ``plain.arch``: its exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    Path("plain.arch").write_text(PLAIN, encoding="utf-8")

    return partial(captured, capsys, "solve")


def test_text(run: Run) -> None:
    code, out, _ = run("plain.arch", "--set", "w=?", "--params", "10K")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "w = 31 is the largest value within 10,000 parameters"
    rows = [line.split()[:2] for line in lines if line.endswith("%")]
    assert rows == [[str(w), f"{built_parameters(PLAIN, w=w):,}"] for w in (31, 32)]
    assert f"{10_000 - built_parameters(PLAIN, w=31):,} parameters left" in lines


def test_json(run: Run) -> None:
    code, out, _ = run("plain.arch", "--set", "w=8..40:8", "--params", "10K", "--macs", "1G", "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["variable"], found["found"]["value"], found["above"]["value"]) == ("w", 24, 32)
    assert found["budgets"] == {"parameters": 10_000, "macs": 10**9}
    assert found["left"]["parameters"] == 10_000 - built_parameters(PLAIN, w=24)


def test_other_settings_are_kept(run: Run) -> None:
    code, out, _ = run(
        WIDE_RESNET, "--set", "depth=16", "--set", "k=?", "--set", "classes=100", "--params", "11.1M", "--nearest"
    )
    assert code == 0
    assert out.startswith("k = 8 comes closest to 11,100,000 parameters\n")


@pytest.mark.parametrize(
    "options",
    [
        ("--set", "w=?"),
        ("--params", "1M"),
        ("--params", "1M", "--set", "w=3"),
        ("--params", "1M", "--set", "w=?", "--set", "v=?"),
        ("--params", "1M", "--set", "w=1..3", "--set", "v=1..3"),
        ("--params", "1M", "--set", "w=?", "--set", "w=3"),
        ("--params", "1M", "--set", "=?"),
        ("--memory", "1G", "--set", "w=?", "--batch", "0"),
    ],
)
def test_wrong_usage_ends_with_2(run: Run, options: tuple[str, ...]) -> None:
    code, out, err = run("plain.arch", *options)
    assert (code, out) == (2, "")
    assert "Error: " in err


@pytest.mark.parametrize(
    "options, code",
    [
        ("w=? --params 5", "E802"),
        ("v=? --params 5", "E409"),
        ("w=9..8 --params 5", "E409"),
        ("w=? --params 5X", "E801"),
        ("w=? --memory 1G --dtype int3", "E801"),
    ],
)
def test_a_diagnostic_ends_with_1(run: Run, options: str, code: str) -> None:
    ended, out, err = run("plain.arch", "--set", *options.split())
    assert (ended, out) == (1, "")
    assert f"error[{code}]" in err


def test_the_python_function_is_public() -> None:
    found = archdsl.solve(PLAIN, "w", params=1000)
    assert isinstance(found, Solution)
