"""``archdsl stats``: options that bring others along or exclude one another, questions to several networks, CSV."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

import archdsl
from archdsl.analysis.cost import cost
from tests.running import captured

WATCHED = """network watched {
    input 3x8x8
    conv(4, 3) -> relu
    aux early { global_avgpool -> flatten -> linear(5) }
    conv(8, 3)
    linears: flatten -> linear(3)
}
"""
SMALL = "network small { input 3x8x8\n stem { conv(4, 3) -> relu }\n head { conv(2, 3) } }\n"
LARGE = SMALL.replace("small", "large").replace("conv(4", "conv(400")


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in (("watched", WATCHED), ("small", SMALL), ("large", LARGE)):
        Path(f"{name}.arch").write_text(text, encoding="utf-8")


class Run:
    """One run of ``archdsl stats``: its exit code and what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        self.code, self.out, self.err = captured(capsys, "stats", *arguments)

    def rows(self) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.out)))

    def json(self) -> Any:
        return json.loads(self.out)


class TestMemoryOptions:
    @pytest.mark.parametrize(
        "option", [("--batch", "32"), ("--dtype", "bfloat16"), ("--optimizer", "adam"), ("--device", "cuda")]
    )
    def test_they_bring_the_memory_along(self, capsys: pytest.CaptureFixture[str], option: tuple[str, str]) -> None:
        run = Run(capsys, "small.arch", *option)
        assert "kept" in run.out.splitlines()[0].split()
        (settings,) = [line for line in run.out.splitlines() if line.startswith("memory for")]
        assert option[1] in settings
        assert Run(capsys, "small.arch", "--json", *option).json()[0]["memory"][option[0][2:]] in (option[1], 32)
        assert "memory" in Run(capsys, "small.arch", "--csv", *option).rows()[0]
        assert "kept for backward" in Run(capsys, "small.arch", "large.arch", *option).out
        assert "kept" in Run(capsys, "small.arch", "--columns", "params", *option).out.splitlines()[0]

    def test_without_them_there_is_none(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "kept" not in Run(capsys, "small.arch").out


class TestExclusions:
    @pytest.mark.parametrize(
        ("options", "named"),
        [
            (("--explain-cost", "--symbolic", "size"), ("--explain-cost", "--symbolic")),
            (("--batch-for", "1GiB", "--symbolic", "size"), ("--batch-for", "--symbolic")),
            (("--batch-for", "1GiB", "--explain-cost"), ("--batch-for", "--explain-cost")),
            (("--batch-for", "1GiB", "--batch", "4"), ("--batch-for", "--batch")),
            (("--batch-for", "1GiB", "--columns", "rf"), ("--batch-for", "--columns")),
            (("--explain-cost", "--depth", "1"), ("--explain-cost", "--depth")),
            (("--explain-cost", "--dtype", "bfloat16"), ("--explain-cost", "--dtype")),
            (("--symbolic", "size", "--columns", "foo"), ("--symbolic", "--columns")),
            (("--symbolic", "size", "--batch", "0"), ("--symbolic", "--batch")),
            (("--symbolic", "size", "--csv"), ("--json",)),
            (("small.arch", "--depth", "2"), ("--depth", "--json")),
        ],
    )
    def test_they_are_named(
        self, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], named: tuple[str, ...]
    ) -> None:
        run = Run(capsys, "large.arch", *options)
        assert (run.code, run.out) == (2, "")
        assert all(name in run.err for name in named)


class TestExplainCost:
    def test_uses_and_macs_are_of_evaluation(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Uses times formula is the op's MACs, computed here anew."""
        (found,) = Run(capsys, "watched.arch", "--explain-cost", "--json").json()
        graph = archdsl.load("watched.arch")
        auxiliary = graph.auxiliary_nodes()
        for row in found["ops"]:
            nodes = [node for node in graph.nodes if node.op.kind == row["op"]]
            evaluated = [node for node in nodes if node.id not in auxiliary]
            counted = evaluated if row["formula"] != "0" else []
            values = [node.op.mac_variables(graph.input_types(node), node.type) for node in counted]
            assert row["macs"] == sum(eval(row["formula"], {}, each) for each in values)
            assert (row["uses"], row["auxiliary_uses"]) == (len(evaluated), len(nodes) - len(evaluated))
        linear = next(row for row in found["ops"] if row["op"] == "linear")
        assert (linear["uses"], linear["auxiliary_uses"], linear["macs"]) == (1, 1, 8 * 8 * 8 * 3)
        assert found["macs"] == sum(row["macs"] for row in found["ops"]) == cost(graph).macs

    def test_text_has_a_column_for_auxiliary_uses_where_there_are_some(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = Run(capsys, "watched.arch", "--explain-cost").out
        assert "auxiliary uses" in text.splitlines()[0]
        assert [line.split()[:4] for line in text.splitlines() if line.startswith("linear")] == [
            ["linear", "1", "1", "1,536"]
        ]
        assert "auxiliary" not in Run(capsys, "small.arch", "--explain-cost").out

    def test_csv(self, capsys: pytest.CaptureFixture[str]) -> None:
        rows = Run(capsys, "watched.arch", "small.arch", "--explain-cost", "--csv").rows()
        assert {row["spec"] for row in rows} == {"watched.arch", "small.arch"}
        assert sum(int(row["macs"]) for row in rows if row["spec"] == "small.arch") == 64 * 27 * 4 + 64 * 36 * 2


class TestBatchFor:
    def test_the_failing_network_is_named_and_others_are_kept(self, capsys: pytest.CaptureFixture[str]) -> None:
        run = Run(capsys, "small.arch", "large.arch", "--batch-for", "100KiB")
        assert run.code == 1
        assert run.out.startswith("small.arch: batch ")
        assert run.err.startswith("error[E802]: large.arch: one example takes ")

    def test_json_is_a_list_with_an_object_for_each_spec(self, capsys: pytest.CaptureFixture[str]) -> None:
        run = Run(capsys, "small.arch", "large.arch", "small.arch", "--batch-for", "100KiB", "--json")
        found = run.json()
        assert [each["spec"] for each in found] == ["small.arch", "large.arch", "small.arch"]
        assert [each["batch"] is None for each in found] == [False, True, False]
        fits = [archdsl.stats("small.arch", batch=found[0]["batch"] + more).memory.training for more in (0, 1)]
        assert (fits[0] or 0) <= 100 * 1024 < (fits[1] or 0)

    def test_csv_and_markdown(self, capsys: pytest.CaptureFixture[str]) -> None:
        (row,) = Run(capsys, "small.arch", "--batch-for", "1MiB", "--csv", "--optimizer", "adam").rows()
        assert (row["spec"], row["bytes"], row["optimizer"]) == ("small.arch", str(2**20), "adam")
        assert Run(capsys, "small.arch", "--batch-for", "1MiB", "--markdown").out.startswith("| spec |")


class TestComparison:
    def test_memory_has_its_difference(self, capsys: pytest.CaptureFixture[str]) -> None:
        run = Run(capsys, "small.arch", "large.arch", "--batch", "2")
        small, large = (archdsl.stats(f"{name}.arch", batch=2).memory.gradients for name in ("small", "large"))
        (line,) = [line for line in run.out.splitlines() if line.startswith("gradients")]
        assert line.endswith(f"x {large / small:.1f}")

    def test_columns_say_what_is_compared_of_sections(self, capsys: pytest.CaptureFixture[str]) -> None:
        out = Run(capsys, "small.arch", "large.arch", "--columns", "buffers,rf,shape").out
        lines = {line.partition("  ")[0]: line.split()[2:] for line in out.splitlines()}
        assert lines["stem: output"] == ["4x8x8", "400x8x8"]
        assert lines["head: field"] == ["5", "5"]
        assert not any(name.endswith(": parameters") for name in lines)

    def test_depth_0_leaves_sections_out(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "stem" not in Run(capsys, "small.arch", "large.arch", "--depth", "0").out
        assert "stem" in Run(capsys, "small.arch", "large.arch", "--depth", "1").out

    def test_what_is_not_gone_is_not_minus_a_hundred_percent(self, capsys: pytest.CaptureFixture[str]) -> None:
        Path("huge.arch").write_text(SMALL.replace("conv(4", "conv(100000"), encoding="utf-8")
        (line,) = [line for line in Run(capsys, "huge.arch", "small.arch").out.splitlines() if line.startswith("MACs")]
        assert line.endswith("-99.9%")

    def test_markdown_escapes_names(self, capsys: pytest.CaptureFixture[str]) -> None:
        Path("a|b.arch").write_text(SMALL, encoding="utf-8")
        heading = Run(capsys, "small.arch", "a|b.arch", "--markdown").out.splitlines()[0]
        assert heading == "|  | small.arch | a\\|b.arch |  |"


class TestCsv:
    def test_numbers_are_plain(self, capsys: pytest.CaptureFixture[str]) -> None:
        rows = Run(capsys, "densenet121", "--csv", "--columns", "rf,stride,offset").rows()
        assert all("," not in row[name] for row in rows for name in ("rf", "stride", "offset", "parameters"))
        assert all(row["rf"].isdigit() for row in rows)
        features = next(row for row in rows if row["name"] == "features")
        assert features["rf"] == "2071"
        assert rows[0]["rf"] == "224"

    def test_axes_are_both_shown_where_they_differ(self, capsys: pytest.CaptureFixture[str]) -> None:
        Path("wide.arch").write_text("network wide { input 3x64x64\n conv(4, 1x7) }", encoding="utf-8")
        assert Run(capsys, "wide.arch", "--csv", "--columns", "rf").rows()[-1]["rf"] == "1x7"
