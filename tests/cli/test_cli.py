"""The command line: what it prints where, and how it ends."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import archdsl
from archdsl import compiler
from archdsl.analysis.cost import cost
from cli import build as build_command
from cli.main import execute
from cli.spec_argument import parse_spec
from tests.running import captured
from tests.terminals import Terminal

GOOD = """
# A small one.
network tiny(classes = 10, act = relu) {
    input 3x16x16
    stem { conv(8, 3) -> bn -> act }
    stage layer1 { conv(8, 3) -> conv(8, 3) }
    head { global_avgpool -> flatten -> fc: linear(classes) }
}
"""
BAD = GOOD.replace("bn -> act", "bm -> act").replace("linear(classes)", "linear(clases)")
TWO = "network a { input 3x8x8\n conv(4, 3) }\nnetwork b { input 3x8x8\n conv(5, 3) }\n"


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Specs to work on, in the working directory."""
    monkeypatch.chdir(tmp_path)
    for name, text in (("good.arch", GOOD), ("bad.arch", BAD), ("two.arch", TWO)):
        Path(name).write_text(text, encoding="utf-8")
    return tmp_path


class Run:
    """One in-process run: its exit code and what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        self.code, self.out, self.err = captured(capsys, *arguments)

    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


def environment() -> dict[str, str]:
    """This process's environment, so that archdsl is found from anywhere.

    Without PYTHONUNBUFFERED: Python's unbuffered stdout takes a short write for a whole one.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return {**kept, "PYTHONPATH": str(Path(archdsl.__file__).parent.parent)}


def process(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "archdsl", *arguments],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
        timeout=120,
        **options,
    )


class TestStats:
    def test_text_names_macs_and_flops_and_sums_up(self, capsys: pytest.CaptureFixture[str]) -> None:
        run = Run(capsys, "stats", "good.arch")
        total = cost(archdsl.load("good.arch"))
        assert run.code == 0
        assert not run.err
        lines = run.out.splitlines()
        assert f"parameters        {total.parameters:,}" in lines
        assert f"MACs              {total.macs:,}" in lines
        assert f"FLOPs (2 x MACs)  {2 * total.macs:,}" in lines
        assert any(line.startswith("    conv1 ") for line in lines)

    def test_depth_limits_the_tree(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "fc" not in Run(capsys, "stats", "good.arch", "--depth", "1").out
        assert "layer1" not in Run(capsys, "stats", "good.arch", "--depth", "0").out

    def test_json_has_every_row(self, capsys: pytest.CaptureFixture[str]) -> None:
        (found,) = Run(capsys, "stats", "good.arch", "--json").json()
        assert found["flops"] == 2 * found["macs"] > 0
        assert found["macs"] == sum(row["macs"] for row in found["rows"])
        assert found["outputs"] == {"output": [10]}
        head = found["rows"][-1]
        assert [row["path"] for row in head["rows"]][-1] == "fc"

    def test_csv_has_every_row(self, capsys: pytest.CaptureFixture[str]) -> None:
        rows = list(csv.DictReader(io.StringIO(Run(capsys, "stats", "good.arch", "two.arch:b", "--csv").out)))
        assert {row["spec"] for row in rows} == {"good.arch", "two.arch:b"}
        for row in rows:
            assert int(row["flops"]) == 2 * int(row["macs"])

    def test_markdown_is_a_table(self, capsys: pytest.CaptureFixture[str]) -> None:
        lines = Run(capsys, "stats", "good.arch", "--markdown").out.splitlines()
        assert lines[1].startswith("| --- | --- | ---: |")
        assert {line.count("|") for line in lines if line.startswith("|")} == {8}

    def test_several_specs_stand_side_by_side(self, capsys: pytest.CaptureFixture[str]) -> None:
        lines = Run(capsys, "stats", "good.arch", "two.arch:b").out.splitlines()
        assert lines[0].split() == ["tiny", "b"]
        assert any(line.startswith("FLOPs (2 x MACs)") for line in lines)
        assert any(line.startswith("layer1: MACs") for line in lines)

    def test_equal_names_are_told_apart_by_spec(self, capsys: pytest.CaptureFixture[str]) -> None:
        Path("again.arch").write_text(GOOD, encoding="utf-8")
        titles = Run(capsys, "stats", "good.arch", "again.arch").out.splitlines()[0].split()
        assert titles == ["good.arch", "again.arch"]

    def test_many_siblings_are_summed_up_by_default_only(self, capsys: pytest.CaptureFixture[str]) -> None:
        Path("long.arch").write_text("network long { input 3x4x4\n for i in 0..500 { relu } }\n", encoding="utf-8")
        short = Run(capsys, "stats", "long.arch").out
        assert "... 401 more" in short
        assert len(short.splitlines()) < 120
        assert len(Run(capsys, "stats", "long.arch", "--depth", "1").out.splitlines()) > 500

    def test_parameters_and_input_are_set(self, capsys: pytest.CaptureFixture[str]) -> None:
        options = ("--set", "classes=3", "--set", "act=silu", "--input", "3x32x32")
        (found,) = Run(capsys, "stats", "good.arch", "--json", *options).json()
        assert found["outputs"] == {"output": [3]}
        assert found["settings"] == {"classes": 3, "act": "silu"}
        assert found["inputs"] == {"input": [3, 32, 32]}

    def test_errors_of_all_specs_go_to_stderr(self, capsys: pytest.CaptureFixture[str]) -> None:
        run = Run(capsys, "stats", "bad.arch", "missing.arch")
        assert (run.code, run.out) == (1, "")
        assert "error[E201]" in run.err
        assert "error[E001]" in run.err


class TestSpecs:
    @pytest.mark.parametrize(
        "arguments", [("two.arch:b",), ("two.arch", "--network", "b"), ("two.arch:b", "--network", "b")]
    )
    def test_a_network_is_chosen(self, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
        assert Run(capsys, "stats", *arguments, "--json").json()[0]["network"] == "b"

    def test_a_choice_is_needed_and_must_agree(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "error[E405]" in Run(capsys, "stats", "two.arch").err
        assert "error[E404]" in Run(capsys, "stats", "two.arch:c").err
        assert Run(capsys, "stats", "two.arch:a", "--network", "b").code == 2

    def test_a_file_may_have_a_colon_in_its_name(self) -> None:
        Path("a:b").write_text(GOOD, encoding="utf-8")
        assert parse_spec("a:b") == ("a:b", None)
        assert parse_spec("a:c") == ("a", "c")

    def test_bundled_names(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert Run(capsys, "stats", "resnet18", "--json").json()[0]["parameters"] == 11_689_512

    def test_standard_input(self) -> None:
        run = process("stats", "-", "--json", input=GOOD)
        assert json.loads(run.stdout)[0]["network"] == "tiny"
        run = process("stats", "-", "--network", "b", "--json", input=TWO)
        assert json.loads(run.stdout)[0]["network"] == "b"

    @pytest.mark.parametrize("text", ["", "# nothing\n"])
    def test_empty_standard_input(self, text: str) -> None:
        run = process("stats", "-", input=text)
        assert run.returncode == 1
        assert "error[E003]" in run.stderr


class TestUsage:
    @pytest.mark.parametrize(
        "arguments",
        [
            ("stats",),
            ("frobnicate",),
            ("stats", "good.arch", "--nonsense"),
            ("stats", "good.arch", "--json", "--csv"),
            ("stats", "good.arch", "--depth", "-1"),
            ("stats", "good.arch", "--set", "classes"),
            ("stats", "good.arch", "--set", "=3"),
            ("stats", "good.arch", "--set", "classes=3", "--set", "classes=4"),
            ("stats", "good.arch", "--limit", "patience=3"),
            ("stats", "good.arch", "--limit", "nodes=-3"),
            ("stats", "good.arch", "--limit", "nodes=many"),
            ("check", "good.arch", "--format", "xml"),
            ("build", "good.arch", "--device", "abacus"),
            ("explain", "E999"),
        ],
    )
    def test_wrong_usage_exits_with_2(self, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
        run = Run(capsys, *arguments)
        assert (run.code, run.out) == (2, "")
        assert "Error: " in run.err

    def test_a_limit_is_raised_or_lowered(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "error[E504]" in Run(capsys, "stats", "good.arch", "--limit", "nodes=4").err

    def test_help_and_version(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "build" in Run(capsys, "--help").out
        assert Run(capsys, "--version").out == f"archdsl {archdsl.__version__}\n"
        for command in ("build", "stats", "check", "list", "explain"):
            assert Run(capsys, command, "-h").code == 0


class TestCheck:
    def test_a_good_spec(self, capsys: pytest.CaptureFixture[str]) -> None:
        run = Run(capsys, "check", "good.arch")
        assert (run.code, run.out, run.err) == (0, "1 spec checked: no errors\n", "")

    def test_all_errors_of_all_specs_on_stdout(self, capsys: pytest.CaptureFixture[str]) -> None:
        run = Run(capsys, "check", "bad.arch", "good.arch", "missing.arch")
        assert (run.code, run.err) == (1, "")
        assert run.out.count("error[E201]") == 2
        assert run.out.count("error[E001]") == 1
        assert run.out.endswith("3 specs checked: 3 errors\n")

    def test_directories_are_searched(self, capsys: pytest.CaptureFixture[str]) -> None:
        Path("deep/er").mkdir(parents=True)
        Path("good.arch").rename("deep/er/good.arch")
        assert Run(capsys, "check", ".").out.endswith("3 specs checked: 2 errors\n")
        assert Run(capsys, "check", "deep").code == 0

    def test_an_empty_directory_is_an_error(self, capsys: pytest.CaptureFixture[str]) -> None:
        Path("empty").mkdir()
        assert "error[E001]: there is no .arch file in empty" in Run(capsys, "check", "empty").out

    def test_a_fault_in_a_shared_file_is_reported_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        Path("lib.arch").write_text("block b { conv(8 3) }\n", encoding="utf-8")
        for name in ("one", "other"):
            text = f'from "lib.arch" import b\nnetwork {name} {{ input 3x8x8\n b }}\n'
            Path(f"{name}.arch").write_text(text, encoding="utf-8")
        assert Run(capsys, "check", "one.arch", "other.arch").out.count("error[") == 1

    def test_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        run = Run(capsys, "check", "bad.arch", "--format", "json")
        assert [found["code"] for found in json.loads(run.out)] == ["E201", "E201"]
        assert Run(capsys, "check", "good.arch", "--format", "json").json() == []

    def test_sarif(self, capsys: pytest.CaptureFixture[str]) -> None:
        run = Run(capsys, "check", "bad.arch", "--format", "sarif")
        assert run.code == 1
        assert [result["ruleId"] for result in json.loads(run.out)["runs"][0]["results"]] == ["E201", "E201"]
        assert Run(capsys, "check", "good.arch", "--format", "sarif").json()["runs"][0]["results"] == []


class TestListAndExplain:
    def test_list_shows_every_bundled_spec(self, capsys: pytest.CaptureFixture[str]) -> None:
        found = {spec["name"]: spec for spec in Run(capsys, "list", "--json").json()}
        assert sorted(found) == sorted(archdsl.bundled())
        assert found["resnet50"]["parameters"] == 25_557_032
        assert all(spec["title"] and spec["family"] and spec["year"] for spec in found.values())
        text = Run(capsys, "list").out
        assert all(f" {name} " in text for name in found)

    @pytest.mark.parametrize(
        "options, satisfies, listed, unlisted",
        [
            (["resnext"], lambda spec: "resnext" in spec["name"], {"resnext50_32x4d"}, {"resnet50"}),
            (
                ["wide", "DenseNet121"],
                lambda spec: "wide" in spec["name"] or spec["name"] == "densenet121",
                {"wide_resnet50_2", "densenet121"},
                {"densenet169", "resnet50"},
            ),
            (
                ["pre-activation"],  # of which no name speaks
                lambda spec: spec["family"] == "Pre-activation ResNet",
                {"preact_resnet50"},
                {"resnet50"},
            ),
            (["--max-macs", "1.9G"], lambda spec: spec["macs"] <= 1.9e9, {"resnet18"}, {"resnet50"}),
            (
                ["--max-parameters", "11689512"],  # those of ResNet-18
                lambda spec: spec["parameters"] <= 11_689_512,
                {"resnet18", "densenet121"},
                {"resnet34"},
            ),
            (["--since", "2016"], lambda spec: spec["year"] >= 2016, {"wide_resnet50_2", "vit_b_16"}, {"resnet50"}),
            (
                ["densenet", "--max-parameters", "8M", "--max-macs", "3g"],
                lambda spec: "densenet" in spec["name"] and spec["parameters"] <= 8e6 and spec["macs"] <= 3e9,
                {"densenet121"},
                {"densenet161", "resnet18", "mobilenet_v2"},
            ),
        ],
    )
    def test_list_is_filtered(
        self,
        capsys: pytest.CaptureFixture[str],
        options: list[str],
        satisfies: Callable[[dict[str, Any]], bool],
        listed: set[str],
        unlisted: set[str],
    ) -> None:
        every = Run(capsys, "list", "--json").json()
        assert {spec["name"] for spec in every} >= listed | unlisted
        found = Run(capsys, "list", *options, "--json").json()
        assert found == [spec for spec in every if satisfies(spec)]
        names = {spec["name"] for spec in found}
        assert listed <= names
        assert not unlisted & names

    def test_list_refuses_what_is_no_amount(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert Run(capsys, "list", "--max-macs", "lots").code == 2

    def test_explain_prints_a_chapter(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert Run(capsys, "explain", "e301").out.startswith("## E301: ")

    def test_explain_lists_the_codes(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert len(Run(capsys, "explain").out.splitlines()) > 50


class TestBuild:
    def test_says_what_was_built(self, capsys: pytest.CaptureFixture[str]) -> None:
        run = Run(capsys, "build", "good.arch", "--set", "classes=7")
        assert (run.code, run.err) == (0, "")
        assert run.out.startswith("tiny(classes = 7, act = relu)\n")
        for expected in ("parameters", "MACs", "FLOPs (2 x MACs)", "depth", "forward pass"):
            assert expected in run.out
        assert "  output            7\n" in run.out

    @pytest.mark.parametrize("suffix", ["py", "pt2", "onnx", "safetensors", "json"])
    def test_writes_the_artifact(self, capsys: pytest.CaptureFixture[str], suffix: str) -> None:
        run = Run(capsys, "build", "good.arch", "-o", f"out.{suffix}")
        assert run.code == 0, run.err
        size = Path(f"out.{suffix}").stat().st_size
        assert f"wrote             out.{suffix} ({size:,} bytes)" in run.out

    def test_loads_weights(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert Run(capsys, "build", "good.arch", "-o", "first.safetensors").code == 0
        options = ("--weights", "first.safetensors", "-o", "second.safetensors")
        assert Run(capsys, "build", "good.arch", *options).code == 0
        first, second = (load_file(name) for name in ("first.safetensors", "second.safetensors"))
        assert first.keys() == second.keys()
        assert all(torch.equal(first[key], second[key]) for key in first)

    @pytest.mark.parametrize(
        ("options", "code"),
        [
            (("-o", "out.xyz"), "E605"),
            (("-o", "missing/out.py"), "E603"),
            (("-o", "folder.py"), "E603"),
            (("--weights", "none.pth"), "E001"),
            (("--weights", "bad.arch"), "E601"),
            (("--input", "3x0x3"), "E309"),
            (("--input", "huge"), "E309"),
            (("--set", "clases=3"), "E409"),
        ],
    )
    def test_bad_requests(self, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], code: str) -> None:
        Path("folder.py").mkdir()
        before = sorted(Path().iterdir())
        run = Run(capsys, "build", "good.arch", *options)
        assert (run.code, run.out) == (1, "")
        assert f"error[{code}]" in run.err
        assert sorted(Path().iterdir()) == before

    def test_a_checkpoint_of_another_network_is_refused(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert Run(capsys, "build", "good.arch", "--set", "classes=3", "-o", "three.safetensors").code == 0
        run = Run(capsys, "build", "good.arch", "--weights", "three.safetensors")
        assert run.code == 1
        assert "error[E602]" in run.err
        assert "fc.weight" in run.err
        assert "fc.bias" in run.err

    def test_a_missing_package_is_named(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("archdsl.boundary.formats.find_spec", lambda name: None)
        run = Run(capsys, "build", "good.arch", "-o", "out.onnx")
        assert run.code == 1
        assert "error[E607]" in run.err
        assert "pip install" in run.err

    def test_an_impossible_target_is_refused_before_the_work(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def too_late(*_: object) -> None:
            raise AssertionError("lowered although the result cannot be written")

        monkeypatch.setattr(build_command, "_lowered", too_late)
        assert "E605" in Run(capsys, "build", "good.arch", "-o", "out.xyz").err
        assert "E603" in Run(capsys, "build", "good.arch", "-o", "missing/out.py").err

    def test_cuda_is_refused_where_there_is_none(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("torch.cuda.is_available", lambda: False)
        run = Run(capsys, "build", "good.arch", "--device", "cuda")
        assert run.code == 1
        assert "error[E604]" in run.err

    def test_a_module_that_breaks_the_promise_is_a_bug(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = archdsl.build(GOOD, classes=3)
        monkeypatch.setattr(build_command, "_lowered", lambda *_: other)
        run = Run(capsys, "build", "good.arch")
        assert run.code == 70
        assert "bug in archdsl" in run.err
        assert "output has shape (3,), expected 10" in run.err


class TestEnds:
    def test_a_bug_is_reported_as_one(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object, **__: object) -> None:
            raise KeyError("lost")

        monkeypatch.setattr(compiler, "check", broken)
        run = Run(capsys, "check", "good.arch")
        assert run.code == 70
        assert run.err.startswith("internal error: KeyError: 'lost'\n  at ")
        assert "Traceback" not in run.err
        monkeypatch.setenv("ARCHDSL_TRACEBACK", "1")
        assert "Traceback" in Run(capsys, "check", "good.arch").err

    def test_an_interrupt_is_quiet(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(compiler, "check", interrupted)
        run = Run(capsys, "check", "good.arch")
        assert (run.code, run.out, run.err) == (130, "", "")

    @pytest.mark.skipif(os.name == "nt", reason="pipes end differently")
    def test_a_closed_pipe_is_quiet(self) -> None:
        Path("long.arch").write_text("network n { input 3x4x4\n for i in 0..9000 { relu } }\n", encoding="utf-8")
        command = [sys.executable, "-m", "archdsl", "stats", "long.arch", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as running:
            assert running.stdout
            assert running.stderr
            running.stdout.readline()
            running.stdout.close()
            assert running.stderr.read() == b""
            assert running.wait() == 128 + signal.SIGPIPE

    @pytest.mark.parametrize(
        "arguments", [("stats", "resnet50"), ("check", "resnet50"), ("list",), ("explain", "E301"), ("--help",)]
    )
    def test_torch_rich_and_networkx_stay_out(self, arguments: tuple[str, ...]) -> None:
        script = (
            "import sys; from cli.main import execute; code = execute(sys.argv[1:]);"
            "print([m for m in ('torch', 'rich', 'networkx') if m in sys.modules], file=sys.stderr); sys.exit(code)"
        )
        run = subprocess.run(
            [sys.executable, "-c", script, *arguments], capture_output=True, text=True, env=environment(), check=False
        )
        assert (run.returncode, run.stderr) == (0, "[]\n")

    def test_exit_codes_of_the_process(self) -> None:
        assert process("check", "good.arch").returncode == 0
        assert process("check", "bad.arch").returncode == 1
        assert process("check").returncode == 2


class TestTerminals:
    @pytest.fixture
    def terminal(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
        """Runs a command whose stdout is a terminal; gives what it printed."""
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.delenv("NO_COLOR", raising=False)

        def run(*arguments: str) -> str:
            stream = Terminal()
            monkeypatch.setattr(sys, "stdout", stream)
            execute(arguments)
            return stream.text()

        return run

    def test_colour_on_a_terminal(self, terminal: Callable[..., str]) -> None:
        assert "\x1b[1;31merror[E201]" in terminal("check", "bad.arch")

    def test_no_color_is_respected(self, terminal: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        shown = terminal("check", "bad.arch") + terminal("stats", "good.arch")
        assert "error[E201]" in shown
        assert not re.search(r"\x1b\[[\d;]*3\dm", shown)

    def test_a_dumb_terminal_is_plain(self, terminal: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TERM", "dumb")
        assert "\x1b" not in terminal("check", "bad.arch") + terminal("stats", "good.arch")

    def test_headings_are_ruled(self, terminal: Callable[..., str]) -> None:
        assert "─" in terminal("stats", "good.arch")

    def test_a_narrow_encoding_is_no_reason_to_fail(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        monkeypatch.setattr(sys, "stdout", stream)
        Path("wide.arch").write_text('network n { input 3x8x8\n @"漢" }\n', encoding="utf-8")
        assert execute(["check", "wide.arch"]) == 1
        stream.seek(0)
        assert "\\u6f22" in stream.read()
