"""Amounts of memory as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archdsl
from archdsl.boundary.units import bytes_of, count_of, format_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("24GiB", 24 * 2**30), ("512MB", 512_000_000), ("1.5G", 1_500_000_000), ("1_000_000", 1_000_000),
        ("80 gib", 80 * 2**30), ("7B", 7), (".5KiB", 512), (" 2TB ", 2 * 10**12),
        ("1e9", 10**9), ("2.5e3 KiB", 2_560_000), ("25,557,032", 25_557_032), ("1,024.5K", 1_024_500),
    ],
)  # fmt: skip
def test_amounts_are_read(text: str, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GiB",
        "24gigs",
        "-1GB",
        "0GB",
        "1.5B",
        "1e-9",
        "1,5G",
        "25,55",
        ",000",
        "1,0000",
        "e9",
        "nan",
        "1" * 50,
        "24 G i B",
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        bytes_of(text)
    assert [diagnostic.code for diagnostic in caught.value.diagnostics] == ["E801"]


@pytest.mark.parametrize(
    ("text", "number"),
    [("2.5e7", 25_000_000), ("25,557,032", 25_557_032), ("1.5E3K", 1_500_000), ("4.1G", 4_100_000_000)],
)
def test_counts_are_read_as_reports_print_them(text: str, number: int) -> None:
    assert count_of(text) == number


@given(st.text())
def test_any_text_gives_bytes_or_a_diagnostic(text: str) -> None:
    try:
        assert bytes_of(text) >= 1
    except archdsl.ArchError as error:
        assert error.diagnostics[0].code == "E801"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.00 KiB"), (3 * 2**29, "1.50 GiB"), (24 * 2**30, "24.0 GiB")],
)
def test_amounts_are_written(size: int, text: str) -> None:
    assert format_bytes(size) == text
