"""One model of figures: what is written out where, and that all data says the same of a network."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archdsl
from archdsl.views.figures import BYTES, COUNT, TEXT, Figure, difference_text, share_text, summed
from tests.running import captured
from tests.views.test_stats import TWO_INPUTS

AMOUNTS = st.integers(0, 10**15)


def data(capsys: pytest.CaptureFixture[str], spec: str, form: str) -> str:
    code, printed, _ = captured(capsys, "stats", spec, form, "--columns", "memory,rf,stride,offset")
    assert code == 0
    return printed


def nested(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rows of the JSON in the order of the spec."""
    for row in rows:
        yield row
        yield from nested(row["rows"])


COMMON = ("name", "kind", "path", "output", "parameters", "buffers", "macs", "flops", "memory")


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "swin_t", "two.arch"])
class TestAllDataAgrees:
    @pytest.fixture(autouse=True)
    def in_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        Path("two.arch").write_text(TWO_INPUTS, encoding="utf-8")

    def test_json(self, capsys: pytest.CaptureFixture[str], name: str) -> None:
        stats = archdsl.stats(name)
        (found,) = json.loads(data(capsys, name, "--json"))
        root, *rows = stats.to_dicts()
        assert [{key: row[key] for key in COMMON} for row in nested(found["rows"])] == [
            {key: row[key] for key in COMMON} for row in rows
        ]
        assert all(found[key] == root[key] for key in ("parameters", "buffers", "macs", "flops"))
        assert found["memory"]["activations"] == root["memory"]

    def test_fields_in_json(self, capsys: pytest.CaptureFixture[str], name: str) -> None:
        stats = archdsl.stats(name)
        (found,) = json.loads(data(capsys, name, "--json"))
        several = len(stats.seen_inputs) > 1
        for nested_row, row in zip(nested(found["rows"]), stats.to_dicts()[1:], strict=True):
            axes: list[dict[str, Any]] = nested_row["receptive_field"]
            for source in stats.seen_inputs:
                suffix = f":{source.path}" if several else ""
                for key, part in (("receptive_field", "size"), ("stride", "stride"), ("offset", "offset")):
                    assert row[key + suffix] == [axis[part] for axis in axes if axis["input"] == source.path]

    def test_csv(self, capsys: pytest.CaptureFixture[str], name: str) -> None:
        stats = archdsl.stats(name)
        lines = list(csv.DictReader(io.StringIO(data(capsys, name, "--csv"))))
        for line, row in zip(lines, stats.to_dicts(), strict=True):
            assert all(line[key] == str(row[key]) for key in ("level", "path", "name", "kind", "memory"))
            assert all(int(line[key]) == row[key] for key in ("parameters", "buffers", "macs", "flops"))
            if len(row["output"]) > 0:
                assert [int(size) for size in line["output"].split("x")] == row["output"]

    def test_fields_in_csv(self, capsys: pytest.CaptureFixture[str], name: str) -> None:
        stats = archdsl.stats(name)
        lines = list(csv.DictReader(io.StringIO(data(capsys, name, "--csv"))))
        suffixes = [f":{source.path}" for source in stats.seen_inputs] if len(stats.seen_inputs) > 1 else [""]
        for line, row in zip(lines, stats.to_dicts(), strict=True):
            for suffix in suffixes:
                for title, key in (("rf", "receptive_field"), ("stride", "stride"), ("offset", "offset")):
                    texts = [text for text in line[title + suffix].split("x") if text]
                    numbers = [number for number in row[key + suffix] if number is not None]
                    assert {float(Fraction(text)) for text in texts} == set(numbers)


# ---- how they are shown --------------------------------------------------------------------------


@given(AMOUNTS)
def test_a_count_is_read_back(number: int) -> None:
    figure = Figure("macs", "MACs", COUNT, number)
    assert int(figure.cell.replace(",", "") or 0) == int(figure.full.replace(",", "")) == figure.data == number
    assert figure.line == ("MACs", figure.full)


@given(AMOUNTS)
def test_bytes_are_written_out_beside_their_unit(number: int) -> None:
    figure = Figure("memory", "kept", BYTES, number, note="most at fc")
    assert f"({number:,} bytes)" in figure.full
    assert figure.full.startswith(figure.cell)
    assert figure.line == ("kept", f"{figure.full}, most at fc")
    assert (figure.data, figure.plain) == (number, str(number))


@pytest.mark.parametrize("unit", [COUNT, BYTES])
def test_what_is_not_known_is_no_zero(unit: Any) -> None:
    figure = Figure("memory", "kept", unit, None)
    assert (figure.cell, figure.full, figure.plain, figure.data) == ("?", "not known", "", None)
    assert Figure("memory", "kept", unit, 0).cell == ""


def test_a_text_is_no_number() -> None:
    assert Figure("kind", "kind", TEXT, "12").number is None


def test_a_sum_with_a_gap_is_not_known() -> None:
    assert (summed([1, 2, 3]), summed([1, None]), summed([])) == (6, None, 0)


@given(AMOUNTS, st.integers(1, 10**15))
def test_shares_are_rounded_percentages(part: int, whole: int) -> None:
    exact = Fraction(100 * part, whole)
    assert abs(Fraction(share_text(part, whole).removesuffix("%")) - exact) <= Fraction(1, 20) + exact / 10**12


@given(st.integers(1, 10**12), st.integers(1, 10**13))
def test_differences_are_rounded_percentages_or_multiples(first: int, other: int) -> None:
    text, exact = difference_text(first, other), Fraction(other, first)
    if first == other:
        assert text == ""
    elif text.startswith("x "):
        assert exact >= 11
        assert abs(Fraction(text[2:]) - exact) <= Fraction(1, 20) + exact / 10**12
    else:
        percent = Decimal(text.removesuffix("%"))
        assert percent > -100
        assert abs(Fraction(percent) - max(100 * (exact - 1), Fraction(-999, 10))) <= Fraction(51, 1000)
        assert percent == percent.quantize(Decimal("0.1"), ROUND_HALF_UP)


@pytest.mark.parametrize(("first", "other"), [(0, 5), (None, 5), (5, None), (7, 7)])
def test_what_cannot_be_compared_has_no_difference(first: int | None, other: int | None) -> None:
    assert difference_text(first, other) == ""


def test_nothing_left_is_minus_a_hundred_percent() -> None:
    assert difference_text(10**9, 0) == "-100.0%"
    assert difference_text(10**9, 1) == "-99.9%"
