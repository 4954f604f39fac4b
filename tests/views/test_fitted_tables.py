"""Tables on terminals: as wide as these are, whole all the same, and told apart."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archdsl
from archdsl.views.forms.fitted_tables import fitted_table
from archdsl.views.forms.markdown_form import markdown_table
from archdsl.views.forms.tables import Table, TableColumn
from archdsl.views.stats_table import tree_table
from cli.main import execute
from tests.terminals import Terminal

COLUMNS = [
    TableColumn("layer"), TableColumn("kind"), TableColumn("parameters", right=True),
    TableColumn("share", right=True, follows=True),
    TableColumn("MACs", right=True),
]  # fmt: skip
ROWS = [["    a_layer_of_some_length", "a_kind_of_some_length x 3", "25,557,032", "99.0%*", "4,089,184,256"]]


def widest(text: str) -> int:
    return max(map(len, text.splitlines()))


def tables(text: str) -> list[list[str]]:
    """The lines of each table of several."""
    return [table.splitlines() for table in text.rstrip("\n").split("\n\n")]


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_numbers_are_never_cut(width: int) -> None:
    shown = fitted_table(Table(COLUMNS, ROWS), width)
    exact = "25,557,032" in shown and "4,089,184,256" in shown
    assert exact or ("25.557M" in shown and "4.089G" in shown)
    assert exact == (width >= 92)
    assert widest(shown) <= width


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("name", ["resnet18", "densenet121", "googlenet", "swin_v2_t"])
def test_trees_fit_with_every_column(name: str, width: int) -> None:
    names = ("kind", "shape", "params", "macs", "memory", "rf", "stride", "offset")
    table = tree_table(archdsl.stats(name), names, 1)
    shown = fitted_table(table, width)
    assert widest(shown) <= width
    parts = tables(shown)
    assert {len(part) for part in parts} == {len(table.rows) + 2}
    titles = [title for part in parts for title in part[0].split()]
    assert [title for title in titles if title != "layer"] == table.titles[1:]


@pytest.mark.parametrize("width", [28, 40, 60])
def test_what_follows_a_column_stays_beside_it(width: int) -> None:
    heads = [part[0].split() for part in tables(fitted_table(Table(COLUMNS, ROWS), width))]
    assert any(head[-2:] == ["parameters", "share"] or ("share" in head and "parameters" in head) for head in heads)


def test_names_lose_their_middle_and_stay_different() -> None:
    names = [f"stem_of_the_network: {what}" for what in ("parameters", "MACs")]
    names += [f"denseblock{i}: {what}" for i in (1, 2, 3) for what in ("parameters", "MACs")]
    shown = fitted_table(Table([TableColumn(""), TableColumn("n", right=True)], [[name, "1"] for name in names]), 24)
    cells = [line.split("  ")[0] for line in shown.splitlines()[2:]]
    assert widest(shown) <= 24
    assert len(set(cells)) == len(names)
    assert all("…" in cell for cell, name in zip(cells, names, strict=True) if cell != name)


@given(st.lists(st.text("ab1_", min_size=1, max_size=30), min_size=1, max_size=8), st.integers(20, 60))
def test_different_names_stay_different(names: list[str], width: int) -> None:
    shown = fitted_table(
        Table([TableColumn("name"), TableColumn("n", right=True)], [[name, "7"] for name in names]), width
    )
    cells = [line.removesuffix("7").rstrip() for line in shown.splitlines()[2:]]
    assert len(set(cells)) == len(set(names))


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_formulas_are_broken_and_whole(width: int) -> None:
    formula = "4 * padded * in_channels ** 2 + 2 * padded * kernel * in_channels + bias_offsets * 512 * (2 + heads)"
    columns = [TableColumn("op"), TableColumn("MACs", right=True), TableColumn("formula of one use", is_formula=True)]
    shown = fitted_table(Table(columns, [["window_attention", "2,070,000,000", formula], ["bn", "0", "0"]]), width)
    assert widest(shown) <= width
    last = tables(shown)[-1]
    start = last[0].index("formula")
    assert " ".join(line[start:].strip() for line in last[2:-1]) == formula


def test_lists_are_broken_and_whole() -> None:
    outputs = "output: 1000, aux1: 1000, aux2: 1000"
    shown = fitted_table(Table([TableColumn(""), TableColumn("googlenet", right=True)], [["output", outputs]]), 34)
    assert " ".join(shown.split()[3:]).replace("output ", "", 1) == outputs
    assert widest(shown) <= 34


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What a command prints on a terminal of a width and an encoding."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def run(*arguments: str, width: int = 80, encoding: str = "utf-8") -> str:
        monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((width, 24)))
        stream = Terminal(encoding)
        monkeypatch.setattr(sys, "stdout", stream)
        assert execute(arguments) == 0
        return stream.text()

    return run


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", text)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize(
    "arguments",
    [
        ("densenet121", "--depth", "1"),
        ("densenet121", "--columns", "kind,shape,params,macs,memory,rf"),
        ("resnet50", "densenet121", "googlenet", "--batch", "8"),
        ("swin_v2_t", "--explain-cost"),
    ],
)
def test_commands_fit(on_terminal: Callable[..., str], arguments: tuple[str, ...], width: int) -> None:
    assert widest(plain(on_terminal("stats", *arguments, width=width))) <= width


def test_pipes_are_never_cut(on_terminal: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    execute(["stats", "densenet121", "--explain-cost"])
    assert "out_channels * in_channels / groups * kernel * out_places" in capsys.readouterr().out


def test_percent_signs_stand_below_one_another(on_terminal: Callable[..., str]) -> None:
    shown = plain(on_terminal("stats", "resnet18", "--depth", "1", "--columns", "params"))
    lines = [line for line in shown.splitlines() if "%" in line]
    assert len({line.index("%") for line in lines}) == 1
    assert any(line.endswith("*") for line in lines)


def test_without_colour_there_are_no_escapes(on_terminal: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[1m" in on_terminal("stats", "resnet18")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in on_terminal("stats", "resnet18")


def test_rules_and_dots_are_what_the_encoding_has(on_terminal: Callable[..., str]) -> None:
    shown = on_terminal("stats", "densenet121", width=40, encoding="ascii")
    assert "\\u" not in shown
    assert "-----" in shown
    assert "─" in on_terminal("stats", "densenet121")


def test_markdown_headings_are_escaped() -> None:
    assert markdown_table(Table([TableColumn("a|b"), TableColumn("c")], [])).splitlines()[0] == "| a\\|b | c |"
