"""Networks side by side: what the command prints, what differs by how much, and the parts that add up."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import archdsl
from cli.main import execute
from tests.running import captured

NAMES = ["resnet18", "densenet121", "googlenet"]


@pytest.mark.parametrize("names", [NAMES[:2], NAMES])
@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ((), {}),
        (("--depth", "0"), {"with_sections": False}),
        (("--columns", "buffers,rf,shape"), {"columns": "buffers, rf, shape"}),
        (("--batch", "8"), {"columns": ["params", "macs", "memory"], "batch": 8}),
    ],
)
def test_it_prints_as_the_command_does(
    capsys: pytest.CaptureFixture[str], names: list[str], options: tuple[str, ...], arguments: dict[str, Any]
) -> None:
    code, printed, _ = captured(capsys, "stats", *names, *options)
    assert code == 0
    assert str(archdsl.compare(*names, **arguments)) == printed


def test_differences_stand_beside(capsys: pytest.CaptureFixture[str]) -> None:
    execute(["stats", "resnet50", "resnet18"])
    lines = capsys.readouterr().out.splitlines()
    (parameters,) = [line for line in lines if line.startswith("parameters")]
    assert parameters.split() == ["parameters", "25,557,032", "11,689,512", "-54.3%"]


def test_differences_are_fractions_of_the_first() -> None:
    found = archdsl.compare("resnet18", "resnet50", "resnet34")
    macs = [archdsl.stats(name).macs for name in ("resnet18", "resnet50", "resnet34")]
    row = next(row for row in found.rows if row.name == "MACs")
    assert row.numbers == tuple(macs)
    assert row.differences == tuple(float(Fraction(count, macs[0]) - 1) for count in macs)
    assert row.differences[0] == 0


def test_what_is_no_number_has_no_difference() -> None:
    found = archdsl.compare("resnet18", "densenet121")
    by_name = {row.name: row for row in found.rows}
    assert by_name["input"].differences == (None, None)
    assert by_name["layer1: MACs"].figures[1] is None
    assert by_name["layer1: MACs"].differences == (0, None)
    assert by_name["denseblock1: MACs"].differences == (None, None)


@pytest.mark.parametrize("key", ["parameters", "macs", "memory"])
def test_parts_add_up_to_the_network(key: str) -> None:
    found = archdsl.compare(*NAMES, columns="params, macs, memory", batch=2).to_dicts()
    for name in NAMES:
        stats = archdsl.stats(name, batch=2)
        whole = {"parameters": stats.parameters, "macs": stats.macs, "memory": stats.memory.activations}
        parts = [row["number"] for row in found if row["network"] == name and row["part"] and row["figure"] == key]
        assert sum(parts) == whole[key]


def test_data_has_a_row_for_each_figure_of_each_network() -> None:
    found = archdsl.compare("resnet18", "resnet34").to_dicts()
    heads = [row for row in found if (row["part"], row["figure"]) == ("head", "parameters")]
    assert [row["network"] for row in heads] == ["resnet18", "resnet34"]
    assert heads[1] == {
        "part": "head", "figure": "parameters", "unit": "count", "network": "resnet34",
        "text": "513,000", "number": 513_000, "difference": 0.0,
    }  # fmt: skip


def test_a_network_without_a_part_has_no_row_for_it() -> None:
    found = archdsl.compare("resnet18", "densenet121").to_dicts()
    assert {row["network"] for row in found if row["part"] == "layer1"} == {"resnet18"}


class Cells(HTMLParser):
    """The texts of a page's table, cell by cell."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("th", "td"):
            self.found.append("")

    def handle_data(self, data: str) -> None:
        if self.found and data != "\n":
            self.found[-1] += data


def test_notebooks_show_the_same_cells() -> None:
    found = archdsl.compare("resnet18", "googlenet", titles=["a < b", "c"], columns=("params", "memory"))
    table = found.table()
    cells = [cell.replace("\xa0", " ") for cell in Cells(found._repr_html_()).found]
    assert cells == [*table.titles, *[cell for row in table.rows for cell in row]]
    assert "a < b" in cells


def test_titles() -> None:
    ten = archdsl.stats("resnet18", classes=10)
    assert archdsl.compare("resnet18", "resnet34").titles == ("resnet18", "resnet34")
    assert archdsl.compare("resnet18", ten, titles=["1000", "10"]).titles == ("1000", "10")
    assert repr(archdsl.compare("resnet18", "resnet34")).startswith("<Comparison of resnet18, resnet34;")


def test_files_with_networks_of_one_name_go_by_their_paths(tmp_path: Path) -> None:
    text = "network net { input 3x8x8\n conv(4, 3) }"
    paths = [tmp_path / "a.arch", tmp_path / "b.arch"]
    for path in paths:
        path.write_text(text, encoding="utf-8")
    assert archdsl.compare(*paths).titles == tuple(map(str, paths))
    assert archdsl.compare(text, paths[0]).titles == ("net", str(paths[0]))


def test_stats_and_graphs_serve_as_well() -> None:
    found = archdsl.compare(archdsl.load("resnet18"), archdsl.stats("resnet34"))
    assert str(found) == str(archdsl.compare("resnet18", "resnet34"))


@pytest.mark.parametrize(
    ("specs", "arguments", "message"),
    [
        ((), {}, "there is nothing to compare"),
        (("resnet18",), {"titles": ["a", "b"]}, "the number of titles is 2, that of networks 1"),
        ((["resnet18", "resnet34"],), {}, "a spec is a path, a bundled name or a text, not a list"),
        (("resnet18",), {"columns": "latency"}, "there is no column `latency`"),
        (("resnet18",), {"columns": ()}, "no column is named"),
        (("resnet18",), {"batch": 0}, "a batch has one example or more, not 0"),
        ((archdsl.stats("resnet18"),), {"batch": 2}, "the stats of `resnet18` are there already"),
    ],
)
def test_wrong_requests(specs: tuple[Any, ...], arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.compare(*specs, **arguments)
    assert caught.value.diagnostics[0].message.startswith(message)


def test_the_faults_of_all_specs_are_told() -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.compare("resnet1", "resnet18", "resnet3")
    assert [fault.message.split()[0] for fault in caught.value.diagnostics] == ["`resnet1`", "`resnet3`"]


def test_it_imports_no_torch() -> None:
    code = "import archdsl, sys; str(archdsl.compare('resnet18', 'resnet34')); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
