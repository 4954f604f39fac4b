"""Diagnostics as text, JSON and SARIF."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from archdsl.base.source import Source, Span
from archdsl.diagnostics.exchange import render_json, render_sarif
from archdsl.diagnostics.model import Diagnostic, Label
from archdsl.diagnostics.rendering import render_text

RESIDUAL = "\n" * 11 + "    (conv(64, 1) -> bn -> relu -> conv(256, 1) -> bn) + id\n"


def label(source: Source, text: str, message: str = "") -> Label:
    """A label on the last place where ``text`` stands."""
    start = source.text.rindex(text)
    return Label(Span(source, start, start + len(text)), message)


def residual_diagnostic() -> Diagnostic:
    source = Source("resnet50.arch", RESIDUAL)
    plus = source.text.index("+ id")
    return Diagnostic(
        "E301",
        "cannot add 256x56x56 to 64x56x56",
        Label(Span(source, plus, plus + 1)),
        (
            label(source, "(conv(64, 1) -> bn -> relu -> conv(256, 1) -> bn)", "256x56x56"),
            label(source, "id", "64x56x56: the tensor that entered the block"),
        ),
        ("while building layer1.0: bottleneck(64), resnet50.arch:24:20",),
        ("project the shortcut: `+ seq(conv(256, 1, bias = false) -> bn)`",),
    )


def test_the_example_of_the_language_reference() -> None:
    assert render_text(residual_diagnostic()) == (
        """\
error[E301]: cannot add 256x56x56 to 64x56x56
  --> resnet50.arch:12:55
   |
12 |     (conv(64, 1) -> bn -> relu -> conv(256, 1) -> bn) + id
   |     ------------------------------------------------- ^ -- 64x56x56: the tensor that entered the block
   |     |
   |     256x56x56
   |
   = while building layer1.0: bottleneck(64), resnet50.arch:24:20
   = help: project the shortcut: `+ seq(conv(256, 1, bias = false) -> bn)`
"""
    )


def test_colour_adds_only_escape_sequences() -> None:
    coloured = render_text(residual_diagnostic(), color=True)
    assert "\x1b[1;31m^\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == render_text(residual_diagnostic())


def test_marks_in_several_lines_and_files() -> None:
    source = Source("a.arch", "let a = 1\n\nlet b = f(\n    2,\n    3,\n)\n\n\nlet c = a\n")
    other = Source("lib/b.arch", "let f(x) = x\n")
    span = Span(source, source.text.index("f("), source.text.index(")") + 1)
    found = render_text(
        Diagnostic(
            "E213",
            "too many",
            Label(span, "this call"),
            (
                Label(Span(source, 4, 5), "A"),
                Label(Span(source, source.text.rindex("a"), source.text.rindex("a") + 1)),
                label(other, "f(x)", "defined here"),
            ),
        )
    )
    assert found == (
        """\
error[E213]: too many
 --> a.arch:3:9
  |
1 | let a = 1
  |     - A
2 |
3 | let b = f(
  |         ^^
...
6 | )
  | ^ this call
...
9 | let c = a
  |         -
  |
 ::: lib/b.arch:1:5
  |
1 | let f(x) = x
  |     ---- defined here
"""
    )


def test_labels_that_start_together_and_nest() -> None:
    source = Source("n", "f(g(x))\n")
    outer, middle, inner = (Label(Span(source, a, b), text) for a, b, text in ((0, 7, "all"), (0, 1, "f"), (2, 6, "g")))
    rows = render_text(Diagnostic("E221", "m", outer, (middle, inner))).splitlines()
    assert rows[-5:] == [
        "1 | f(g(x))",
        "  | -^----^ all",
        "  | | |",
        "  | | g",
        "  | f",
    ]


@pytest.mark.parametrize("offset", [0, 500, 1999, 2000])
def test_long_lines_are_cut_around_the_mark(offset: int) -> None:
    text = "".join(chr(ord("a") + i % 26) for i in range(2000))
    source = Source("long", text)
    rows = render_text(Diagnostic("E102", "m", Label(Span(source, offset, offset + 1))), width=60).splitlines()
    line, marks = rows[-2], rows[-1]
    assert len(line) <= 60 + len("1 | ")
    assert len(marks) == marks.index("^") + 1
    assert line[marks.index("^") : marks.index("^") + 1] == text[offset : offset + 1]


def test_a_huge_line_and_a_huge_mark_stay_small() -> None:
    source = Source("huge", "x" * 5_000_000)
    assert len(render_text(Diagnostic("E102", "m", Label(Span(source, 10, 4_000_000), "here")))) < 1000


def test_nothing_steers_the_terminal() -> None:
    source = Source("a\x1b]0;b", "let a\x1b[31m = \u202e1\r\n")
    found = render_text(Diagnostic("E201", "\x07m", Label(Span(source, 4, 5), "\x9bl"), (), ("n\x1b",), ("h\x00",)))
    assert found.isascii() or not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", found)
    assert "\x1b" not in found


def test_without_a_place_there_is_no_excerpt() -> None:
    found = render_text(Diagnostic("E001", "no file", help=("first\nsecond",)))
    assert found == "error[E001]: no file\n  = help: first\n          second\n"


LINES = st.text(st.sampled_from("ab \t漢字e\u0301\u00e9\uff57한+"), min_size=1, max_size=40)


@given(LINES, st.data())
def test_marks_stand_under_their_text(line: str, data: st.DataObject) -> None:
    """rich measures the columns that terminals give to wide and combining characters."""
    start = data.draw(st.integers(0, len(line) - 1))
    source = Source("s", line)
    rows = render_text(Diagnostic("E102", "m", Label(Span(source, start, start + 1)))).splitlines()
    before = ""
    for character in line[:start]:
        before += " " * (4 - cell_len(before) % 4) if character == "\t" else character
    assert rows[-1].index("^") - len("1 | ") == cell_len(before)


@given(st.text(max_size=60), st.data())
def test_any_text_and_span_can_be_shown(text: str, data: st.DataObject) -> None:
    source = Source("s", text)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    other = data.draw(st.integers(0, len(text)))
    diagnostic = Diagnostic("E101", text, Label(Span(source, start, end), text), (Label(Span(source, other, other)),))
    assert "^" in render_text(diagnostic, width=data.draw(st.integers(1, 80)))
    assert json.loads(render_json([diagnostic]))[0]["message"] == text


def test_json_says_all_that_the_diagnostic_says() -> None:
    (found,) = json.loads(render_json([residual_diagnostic()]))
    assert found["place"] == {
        "file": "resnet50.arch", "line": 12, "column": 55, "end_line": 12, "end_column": 56, "text": "",
    }  # fmt: skip
    assert [place["text"] for place in found["labels"]] == ["256x56x56", "64x56x56: the tensor that entered the block"]
    assert found["code"] == "E301"
    assert found["notes"] == list(residual_diagnostic().notes)
    assert found["help"] == list(residual_diagnostic().help)


def test_sarif_has_what_the_standard_requires() -> None:
    """SARIF 2.1.0, sections 3.13 (log), 3.14 (run), 3.18 (tool), 3.27 (result), 3.30 (region), 3.49 (rule)."""
    log = json.loads(render_sarif([residual_diagnostic(), Diagnostic("E001", "no file")]))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert run["tool"]["driver"]["name"] == "archdsl"
    assert [rule["id"] for rule in rules] == ["E001", "E301"]
    first, second = run["results"]
    for result in (first, second):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in {"error", "warning", "note", "none"}
        assert result["message"]["text"]
    assert "locations" not in second
    locations = first["locations"] + first["relatedLocations"]
    assert len(locations) == 3
    for location in locations:
        assert_valid_region(location["physicalLocation"]["region"])
        assert location["physicalLocation"]["artifactLocation"]["uri"] == "resnet50.arch"


def assert_valid_region(region: dict[str, Any]) -> None:
    assert min(region.values()) >= 1
    assert (region["startLine"], region["startColumn"]) <= (region["endLine"], region["endColumn"])


@pytest.mark.parametrize(
    ("name", "uri"),
    [("specs/a.arch", "specs/a.arch"), ("/tmp/a b.arch", "file:///tmp/a%20b.arch"), ("<string>", "%3Cstring%3E")],
)
def test_sarif_names_files_by_valid_references(name: str, uri: str) -> None:
    log = json.loads(render_sarif([Diagnostic("E201", "m", Label(Span(Source(name, "x"), 0, 1)))]))
    location = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == uri
