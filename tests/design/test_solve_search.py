"""How ``archdsl solve`` searches where counts rise and fall, fractions are wanted or the compiler's limits end it."""

from __future__ import annotations

import json
import math
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archdsl
from archdsl.design.searching import Search
from archdsl.design.solving import solve
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError
from tests.running import Run, captured

UNEVEN = "network uneven(n = 10) { input 3x16x16\n conv(n % 7 * 8 + 8, 3) -> global_avgpool -> flatten -> linear(n) }"
DEEP = "network deep(n = 3) { input 8x8x8\n { conv(8, 3) -> relu } x n }"
WIDE = "network wide(m = 1) { input 3x16x16\n conv(64 * m, 3) }"


def uneven_parameters(n: int) -> int:
    """27 weights and a bias for each channel of the convolution; a weight a channel and a bias for each class."""
    channels = n % 7 * 8 + 8
    return 28 * channels + n * (channels + 1)


def fault(*arguments: Any, **options: Any) -> Diagnostic:
    with pytest.raises(ArchError) as caught:
        solve(*arguments, **options)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


# ---- counts that rise and fall -------------------------------------------------------------------


def test_the_counts_by_hand_are_the_modules() -> None:
    for n in (7, 12, 399):
        module = archdsl.build(UNEVEN, device="meta", n=n)
        assert sum(p.numel() for p in module.parameters()) == uneven_parameters(n)


@settings(max_examples=20)
@given(budget=st.integers(300, 20_000), first=st.integers(1, 500), length=st.integers(2, 1024))
def test_a_range_of_uneven_counts_is_tried_whole(budget: int, first: int, length: int) -> None:
    last = first + length - 1
    within = [n for n in range(first, last + 1) if uneven_parameters(n) <= budget]
    if not within:
        assert fault(UNEVEN, "n", params=budget, between=(first, last)).code == "E802"
        return
    found = solve(UNEVEN, "n", params=budget, between=(first, last))
    assert found.value == within[-1]


def test_an_open_end_of_uneven_counts_is_searched_around() -> None:
    found = solve(UNEVEN, "n", params=200_000)
    assert found.value == max(n for n in range(200_000 // 8) if uneven_parameters(n) <= 200_000)
    assert (found.every_value, found.is_even) == (False, False)
    assert found.tried < 500


def test_what_was_not_tried_is_not_denied() -> None:
    spec = "network net(n = 4) { input 3x8x8\n conv(2000 + n if n % 1500 != 1499 else 8, 3) }"
    found = fault(spec, "n", params=1000)
    assert found.message == "no value of `n` was found that makes a network of at most 1,000 parameters"
    assert "of a range such as `--set n=1..1024` or `between=(1, 1024)` each is" in found.help[1]
    assert fault(spec, "n", params=1000, between=(1, 100)).message == (
        "no value of `n` makes a network of at most 1,000 parameters"
    )
    assert solve(spec, "n", params=1000, between=(1400, 1600)).value == 1499
    assert "not each of them, and the counts grew with them; of a range" in fault(DEEP, "n", params=10).help[1]


# ---- fractions -----------------------------------------------------------------------------------


@cache
def compressed(compression: float) -> int:
    module = archdsl.build("densenet100_k12", device="meta", compression=compression)
    return sum(p.numel() for p in module.parameters())


def test_a_default_of_1_does_not_hide_fractions() -> None:
    found = solve("densenet100_k12", "compression", params="3M")
    assert found.value == 0.27
    assert compressed(0.27) <= 3e6 < compressed(0.28)
    assert found.found.counts.parameters == compressed(0.27)
    assert str(found.grid) == "hundredths from 0.01 to 1"


def test_the_nearest_may_be_a_fraction() -> None:
    budget = compressed(0.5) + 1
    assert solve("densenet100_k12", "compression", params=budget, nearest=True).value == 0.5


def test_where_whole_numbers_will_do_fractions_are_mentioned(run: Run) -> None:
    found = solve(WIDE, "m", params=28 * 64 * 3 + 1)
    assert (found.value, type(found.value), found.takes_fractions) == (3, int, True)
    _, out, _ = run("wide.arch", "--set", "m=?", "--params", str(28 * 64 * 3 + 40))
    assert "fractions were not tried: --set m=3..4:0.01 tries them\n" in out
    _, out, _ = run("wide.arch", "--set", "m=3..4:0.25", "--params", str(28 * 64 * 3 + 28 * 16))
    assert out.startswith("m = 3.25 is the largest value within")
    assert not solve(UNEVEN, "n", params=5000).takes_fractions


# ---- limits of the compiler ----------------------------------------------------------------------


@pytest.mark.parametrize("nodes", [10, 333, 2000])
def test_the_largest_network_that_can_be_built_is_found(nodes: int) -> None:
    """One node for the input, two for each repetition."""
    limits = archdsl.Limits(nodes=nodes)
    found = solve(DEEP, "n", params="1T", limits=limits)
    assert found.value == (nodes - 1) // 2
    assert len(archdsl.load(DEEP, n=found.value, limits=limits).nodes) <= nodes
    assert found.above is None
    assert found.too_large is not None
    assert found.too_large.value == found.value + 1
    assert found.too_large.help.startswith(f"raise the limit with `--limit nodes={2 * nodes}`")
    assert found.tried < 40


def test_a_budget_below_the_limit_ends_it_first() -> None:
    found = solve(DEEP, "n", params=584 * 30, limits=archdsl.Limits(nodes=100))
    assert (found.value, found.too_large) == (30, None)


def test_the_command_says_which_limit(run: Run) -> None:
    code, out, _ = run("deep.arch", "--set", "n=?", "--params", "1T", "--limit", "nodes=500")
    assert code == 0
    assert out.startswith("n = 249 is the largest value found within 1,000,000,000,000 parameters\n")
    assert "no budget ends it but a limit of the compiler: 250 is refused\n" in out
    assert "`--limit nodes=1000`" in out
    assert "passed over" not in out


class Number:
    """Counts of a network that has ``nodes`` alone, as many as parameters."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __getitem__(self, metric: str) -> int:
        return self.number


TOO_LARGE = ArchError(Diagnostic("E504", "too large"))
REFUSED = ArchError(Diagnostic("E408", "not this one"))


@given(
    power=st.integers(1, 3),
    budget=st.integers(2, 10**9),
    most=st.integers(20, 10**5),
    each=st.integers(1, 40),
    start=st.integers(0, 300),
)
def test_growing_counts_are_searched_exactly_and_quickly(
    power: int, budget: int, most: int, each: int, start: int
) -> None:
    """Of the values every ``each``-th is taken, up to the most; what is found is the last whose power is within."""

    def measure(index: int) -> Number | ArchError:
        if index > most:
            return TOO_LARGE
        return Number(index**power + 1) if index % each == 0 else REFUSED

    search = Search(measure, [("parameters", budget)], nodes=10**30, top=2**24, start=start, is_range=False)
    best = search.greatest()
    assert best == max(i for i in range(0, most + 1, each) if i**power + 1 <= budget)
    assert len(search.counts) < 130


# ---- the command line ----------------------------------------------------------------------------


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``archdsl solve`` in a folder with the specs: its exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    for name, text in {"uneven": UNEVEN, "deep": DEEP, "wide": WIDE}.items():
        Path(f"{name}.arch").write_text(text, encoding="utf-8")

    return partial(captured, capsys, "solve")


def test_what_is_over_the_budget_reads_over(run: Run) -> None:
    """One parameter is left, of eleven millions; the next class takes 512 more than that."""
    per_class = 512 + 1
    base = sum(p.numel() for p in archdsl.build("resnet18", device="meta", classes=1).parameters())
    budget = base + 9 * per_class + 1
    _, out, _ = run("resnet18", "--set", "classes=?", "--params", str(budget))
    shares = [line.split()[-1] for line in out.splitlines() if line.endswith("%")]
    assert shares == ["99.99%", "100.01%"]
    _, out, _ = run("resnet18", "--set", "classes=?", "--params", str(budget - 1))
    assert next(line.split()[-1] for line in out.splitlines() if line.endswith("%")) == "100.00%"


@pytest.mark.parametrize(
    "options, line",
    [
        ("deep.arch --set n=1..5 --params 1M", "the range ends here"),
        ("deep.arch --set n=1..5 --params 1M", "tried 5: all of whole numbers from 1 to 5"),
        ("deep.arch --set n=1..9:2 --params 1K", "tried 5: all of steps of 2 from 1 to 9"),
        ("mnasnet1_0 --set width=? --params 10M", "found by halving, hundredths from 0.01"),
        ("uneven.arch --set n=? --params 20K", "not each of them, and the counts rise and fall"),
    ],
)
def test_the_text_says_what_was_tried(run: Run, options: str, line: str) -> None:
    code, out, _ = run(*options.split())
    assert code == 0
    assert any(found.endswith(line) or line in found for found in out.splitlines()), out


def test_the_device_is_that_of_the_memory(run: Run) -> None:
    arguments = ["resnet18", "--set", "size=?", "--memory", "300MiB", "--batch", "2", "--json"]
    found = {
        device: json.loads(run(*arguments, "--device", device, "--dtype", "float16")[1])["found"]["counts"]["memory"]
        for device in ("cpu", "cuda")
    }
    for device, memory in found.items():
        use: dict[str, Any] = {"batch": 2, "device": device, "dtype": "float16"}
        size = int(solve("resnet18", "size", memory="300MiB", **use).value)
        stats = archdsl.stats("resnet18", input=(3, size, size), **use)
        assert memory == stats.memory.training


@pytest.mark.parametrize("option", ["--batch=2", "--dtype=float16", "--optimizer=adam", "--device=cpu", "--inference"])
def test_what_the_memory_is_for_needs_a_budget_of_memory(run: Run, option: str) -> None:
    code, _, err = run("deep.arch", "--set", "n=?", "--params", "1M", option)
    assert code == 2
    assert "is for --memory, which is not given" in err


# ---- from Python ---------------------------------------------------------------------------------


def test_progress_is_told_each_value() -> None:
    told: list[str] = []
    found = solve(DEEP, "n", params=10_000, progress=told.append)
    assert len(told) == found.tried
    assert "n = 3" in told


@pytest.mark.parametrize(
    "options, code, message",
    [
        ({"params": math.nan}, "E801", "`nan` is no amount of parameters"),
        ({"params": math.inf}, "E801", "`inf` is no amount of parameters"),
        ({"params": -1}, "E801", "`-1` is no amount of parameters"),
        ({"macs": [1]}, "E801", "`[1]` is no amount of MACs"),
        ({"params": True}, "E801", "`True` is no amount of parameters"),
        ({"params": 1000, "between": (1,)}, "E409", "`between` takes two numbers, not (1,)"),
        ({"params": 1000, "between": 5}, "E409", "`between` takes two numbers, not 5"),
        ({"params": 1000, "between": (1, "5")}, "E409", "`between` takes a number, not '5'"),
        ({"params": 1000, "step": math.inf}, "E409", "`step` takes a number, not inf"),
        ({"params": 1000, "batch": 2}, "E802", "there is no budget of memory, for which `batch`, `dtype`, `optimizer`"),
        ({"memory": "1MB", "device": "gpu"}, "E801", "`gpu` is no device"),
    ],
)
def test_what_is_no_argument_is_a_diagnostic(options: dict[str, Any], code: str, message: str) -> None:
    found = fault(DEEP, "n", **options)
    assert (found.code, found.message.startswith(message)) == (code, True), found.message


def test_a_variable_is_one_name() -> None:
    assert fault(DEEP, ["n"], params=1000).message == "a variable is given by its name, not ['n']"


def test_a_solution_is_printed_in_a_line() -> None:
    found = solve(DEEP, "n", params="10K", memory="1MB")
    assert str(found) == f"n = 17: 9,928 parameters, 626,688 MACs, {found.found.counts.memory:,} bytes of memory"


def test_budgets_may_be_floats() -> None:
    assert solve(DEEP, "n", params=584 * 10 + 0.5).value == 10
