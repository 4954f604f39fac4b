"""Programs that ask for too much end in a diagnostic that names the limit; a raised limit lets them through."""

from __future__ import annotations

from pathlib import Path

import pytest

import archdsl
from archdsl import ArchError, Diagnostic, Limits


def refused(text: str, limits: Limits | None = None) -> Diagnostic:
    with pytest.raises(ArchError) as caught:
        archdsl.load(text, limits=limits or Limits())
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


def network(body: str, declarations: str = "") -> str:
    return f"{declarations}\nnetwork n {{\n input 3x8x8\n {body}\n}}\n"


DOUBLING_LIST = "let f(l, n) = l if n == 0 else f(l ++ l, n - 1)"
DOUBLING_TEXT = 'let f(s, n) = s if n == 0 else f("{s}{s}", n - 1)'
SQUARING = "let f(k, n) = k if n == 0 else f(k * k, n - 1)"
BLOCKS_OF_BLOCKS = "\n".join(f"block {outer} {{ {inner} x 20 }}" for outer, inner in ("ed", "dc", "cb", "ba"))
BLOCKS_OF_BLOCKS += "\nblock a { relu x 20 }"
FIBONACCI = "let f(n) = 1 if n < 2 else f(n - 1) + f(n - 2)"
DEEP_CALLS = "\n".join([*(f"let f{i}(n) = f{i + 1}(n)" for i in range(300)), "let f300(n) = n"])

EXPLOSIONS = {
    "loop": (network("for i in 0..10 ** 9 { }"), "E504", "turns"),
    "nested loops": (network("for i in 0..10000 { for j in 0..10000 { } }"), "E504", "turns"),
    "repeat": (network("relu x 10 ** 9"), "E504", "nodes"),
    "nested repeats": (network("((relu x 1000) x 1000) x 1000"), "E504", "nodes"),
    "blocks of blocks": (network("e", BLOCKS_OF_BLOCKS), "E504", "nodes"),
    "power": (network("conv(2 ** 10 ** 9, 1)"), "E505", "number_bits"),
    "tower of powers": (network("conv(9 ** 9 ** 9 ** 9, 1)"), "E505", "number_bits"),
    "squaring": (network("conv(f(3, 60), 1)", SQUARING), "E505", "number_bits"),
    "float power": (network("conv(10.0 ** 400, 1)"), "E505", "number_bits"),
    "list": (network("conv(len(f([1], 60)), 1)", DOUBLING_LIST), "E505", "list_items"),
    "comprehension": (network("conv(len([i for i in 0..10 ** 8]), 1)"), "E504", "turns"),
    "long list of a range": (network("conv(sum(0..10 ** 8), 1)"), "E505", "list_items"),
    "text": (network("conv(len(f(\"a\", 60)), 1)", DOUBLING_TEXT), "E505", "text_length"),
    "function without end": (network("conv(f(1), 1)", "let f(n) = f(n + 1)"), "E206", "calls"),
    "block without end": (network("b", "block b { b }"), "E206", "calls"),
    "branching recursion": (network("conv(f(90), 1)", FIBONACCI), "E504", "turns"),
    "deep calls": (network("conv(f0(1), 1)", DEEP_CALLS), "E503", "calls"),
    "parentheses": (network("(" * 100_000 + "relu" + ")" * 100_000), "E502", "nesting"),
    "minus": (network("conv(" + "-" * 100_000 + "1, 1)"), "E502", "nesting"),
    "not": (network("if " + "not " * 100_000 + "true { relu }"), "E502", "nesting"),
    "else": (network("conv(" + "1 if true else " * 100_000 + "1, 1)"), "E502", "nesting"),
    "braces": (network("{" * 100_000 + "relu" + "}" * 100_000), "E502", "nesting"),
    "labels in labels": (network("a: (" * 50_000 + "relu" + ")" * 50_000), "E502", "nesting"),
    "large text": (network("relu\n" * 1_000_000), "E501", "source_bytes"),
}  # fmt: skip


@pytest.mark.parametrize("text, code, limit", EXPLOSIONS.values(), ids=EXPLOSIONS.keys())
def test_explosions_end_in_a_diagnostic_that_names_the_limit(text: str, code: str, limit: str) -> None:
    diagnostic = refused(text)
    assert diagnostic.code == code
    assert any(f"--limit {limit}=" in line for line in diagnostic.help)


def test_a_file_of_ten_megabytes_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "large.arch"
    path.write_text("# comment\n" * 1_000_000, encoding="utf-8")
    with pytest.raises(ArchError) as caught:
        archdsl.load(path)
    assert [d.code for d in caught.value.diagnostics] == ["E501"]


@pytest.mark.parametrize(
    "text, limits",
    [
        (network("relu x 300"), Limits(nodes=301)),
        (network("(" * 120 + "relu" + ")" * 120), Limits(nesting=130)),
        (network("b(0)", "block b(n) { if n < 250 { b(n + 1) } else { relu } }"), Limits(calls=260, nesting=100)),
    ],
)
def test_a_raised_limit_lets_a_program_through(text: str, limits: Limits) -> None:
    assert archdsl.load(text, limits=limits).nodes[-1].op.kind == "relu"


@pytest.mark.parametrize("layers", [30_000])
def test_long_flows_and_sums_meet_no_recursion_limit(layers: int) -> None:
    assert len(archdsl.load(network(" -> ".join(["relu"] * layers))).nodes) == layers + 1
    assert len(archdsl.load(network(" + ".join(["id"] * layers))).nodes) == 2
