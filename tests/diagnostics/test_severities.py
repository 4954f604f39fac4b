"""Errors, warnings and notes, from where they are found to exit codes: a warning never costs the graph."""

from __future__ import annotations

import json
import pickle
from copy import deepcopy
from pathlib import Path
from typing import get_args

import pytest

import archdsl
from archdsl.base.limits import DEFAULT_LIMITS
from archdsl.base.source import Source, Span
from archdsl.diagnostics.codes import Code, ErrorCode, NoteCode, Severity, WarningCode, severity_of
from archdsl.diagnostics.exchange import render_json, render_sarif
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError, Problems
from archdsl.diagnostics.rendering import render_text
from archdsl.elaborate.finding import read_spec
from archdsl.elaborate.help.unused import unused_imports
from tests.running import captured

IMPORT = 'from "blocks/residual.arch" import basic_block\n'
NET = "network net {\n    input 3x8x8\n    conv(8, 3)\n}\n"
BASE = "network base(width) {\n    input 3x8x8\n    conv(width, 3)\n}\n"
WRONG = "network wrong {\n    input 3x8x8\n    conv(nothing, 3)\n}\n"
OF_EACH: dict[Severity, Code] = {"error": "E201", "warning": "W401", "note": "N401"}

each_severity = pytest.mark.parametrize(("severity", "code"), OF_EACH.items())


def found(text: str) -> list[tuple[str, Severity]]:
    return [(each.code, each.severity) for each in archdsl.check(text)]


class TestCodes:
    @pytest.mark.parametrize(
        ("codes", "severity"), [(ErrorCode, "error"), (WarningCode, "warning"), (NoteCode, "note")]
    )
    def test_the_letter_says_how_grave_it_is(self, codes: object, severity: Severity) -> None:
        assert {severity_of(code) for code in get_args(codes)} == {severity}

    @each_severity
    def test_all_forms_say_it(self, severity: Severity, code: Code) -> None:
        diagnostic = Diagnostic(code, "m", Span(Source("s", "text"), 0, 4))
        assert render_text(diagnostic).startswith(f"{severity}[{code}]: m\n")
        assert json.loads(render_json([diagnostic]))[0]["severity"] == severity
        (result,) = json.loads(render_sarif([diagnostic]))["runs"][0]["results"]
        assert (result["ruleId"], result["level"]) == (code, severity)

    def test_each_has_a_colour_of_its_own(self) -> None:
        painted = [render_text(Diagnostic(code, "m"), color=True).partition("[")[0] for code in OF_EACH.values()]
        assert all(text.startswith("\x1b") for text in painted)
        starts = {render_text(Diagnostic(code, "m"), color=True).partition("m")[0] for code in OF_EACH.values()}
        assert len(starts) == len(OF_EACH)


class TestProblems:
    def test_warnings_and_notes_are_no_errors(self) -> None:
        problems = Problems()
        problems.extend([Diagnostic("W401", "w"), Diagnostic("N401", "n")])
        problems.raise_errors()
        assert (len(problems), problems.errors) == (2, 0)

    def test_an_error_brings_what_was_found_beside_it(self) -> None:
        problems = Problems()
        problems.extend([Diagnostic("W401", "w"), Diagnostic("E201", "e")])
        with pytest.raises(ArchError) as caught:
            problems.raise_errors()
        assert [each.code for each in caught.value.diagnostics] == ["W401", "E201"]


class TestPython:
    def test_check_returns_all(self) -> None:
        assert found(IMPORT + NET) == [("W401", "warning")]
        assert found(BASE) == [("N401", "note")]
        assert found(IMPORT + BASE + WRONG) == [("W401", "warning"), ("N401", "note"), ("E201", "error")]

    def test_a_warning_costs_no_graph(self) -> None:
        graph, clean = archdsl.load(IMPORT + NET), archdsl.load(NET)
        (warning,) = graph.diagnostics
        assert warning.code == "W401"
        assert warning.span is not None
        assert warning.span.text == "basic_block"
        assert clean.diagnostics == ()
        assert graph.digest() == clean.digest()
        assert archdsl.stats(IMPORT + NET).graph.diagnostics[0].message == warning.message
        assert pickle.loads(pickle.dumps(graph)).diagnostics[0].message == warning.message
        assert deepcopy(graph).diagnostics[0].code == "W401"
        archdsl.build(IMPORT + NET)

    def test_an_error_costs_it_and_the_warning_is_told_all_the_same(self) -> None:
        with pytest.raises(archdsl.ArchError) as caught:
            archdsl.load(IMPORT + WRONG)
        assert [each.code for each in caught.value.diagnostics] == ["W401", "E201"]

    def test_a_graph_is_written_without_its_warnings(self) -> None:
        graph = archdsl.load(IMPORT + NET)
        assert "W401" not in graph.to_json()
        assert graph.text() == archdsl.load(NET).text()


class TestCommands:
    @pytest.fixture(autouse=True)
    def specs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        texts = {"warned": IMPORT + NET, "clean": NET, "base": BASE, "wrong": IMPORT + WRONG}
        for name, text in texts.items():
            Path(f"{name}.arch").write_text(text, encoding="utf-8")

    @pytest.mark.parametrize(
        ("arguments", "code", "last"),
        [
            (["clean.arch"], 0, "1 spec checked: no errors"),
            (["warned.arch"], 0, "1 spec checked: no errors, 1 warning"),
            (["warned.arch", "clean.arch"], 0, "2 specs checked: no errors, 1 warning"),
            (["wrong.arch", "warned.arch"], 1, "2 specs checked: 1 error, 2 warnings"),
            (["base.arch"], 0, "1 network not built: `base` waits for `width`"),
            (["warned.arch", "--strict"], 1, "1 spec checked: no errors, 1 warning"),
            (["base.arch", "--strict"], 0, "1 network not built: `base` waits for `width`"),
        ],
    )
    def test_check(self, arguments: list[str], code: int, last: str, capsys: pytest.CaptureFixture[str]) -> None:
        given, out, err = captured(capsys, "check", *arguments)
        assert (given, out.splitlines()[-1], err) == (code, last, "")
        assert out.count("warning[W401]") == sum(name in ("warned.arch", "wrong.arch") for name in arguments)
        assert "note[" not in out

    @pytest.mark.parametrize("form", ["json", "sarif"])
    def test_strict_is_for_every_form(self, form: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert captured(capsys, "check", "warned.arch", "--format", form)[0] == 0
        assert captured(capsys, "check", "warned.arch", "--format", form, "--strict")[0] == 1

    def test_sarif_has_every_level(self, capsys: pytest.CaptureFixture[str]) -> None:
        out = captured(capsys, "check", "base.arch", "wrong.arch", "--format", "sarif")[1]
        (run,) = json.loads(out)["runs"]
        rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
        assert {(rules[each["ruleIndex"]], each["level"]) for each in run["results"]} == {
            ("E201", "error"), ("N401", "note"), ("W401", "warning"),
        }  # fmt: skip

    @pytest.mark.parametrize("command", [["stats"], ["build"], ["stats", "--json"]])
    def test_other_commands_print_warnings_to_stderr_and_go_on(
        self, command: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        name, *options = command
        code, out, err = captured(capsys, name, "warned.arch", *options)
        assert code == 0
        assert "W401" not in out
        assert err.startswith("warning[W401]: nothing in this file uses the import `basic_block`\n")
        assert captured(capsys, name, "clean.arch", *options)[2] == ""

    @pytest.mark.parametrize(("code", "title"), [("N401", "network not built"), ("W401", "import that nothing uses")])
    def test_explain(self, code: str, title: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert captured(capsys, "explain", code)[1].startswith(f"## {code}: {title}\n")
        assert f"{code}  {title}\n" in captured(capsys, "explain")[1]


class TestUnusedImports:
    @pytest.mark.parametrize("use", [
        "network net { input 3x8x8\n basic_block(8) }",
        "network net { input 3x8x8\n default basic_block(zero_init = true)\n conv(8, 3) }",
        "default basic_block(zero_init = true)\n" + NET,
        "let block_of = basic_block\n" + NET,
        'network net { input 3x8x8\n "{basic_block(8)}": conv(8, 3) }',
        "network net(unit = basic_block) { input 3x8x8\n conv(8, 3) }",
        "block other { basic_block(8) }\n" + NET,
    ])  # fmt: skip
    def test_any_mention_is_a_use(self, use: str) -> None:
        assert "W401" not in [code for code, _ in found(IMPORT + use)]

    def test_files_without_networks_import_for_others(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        Path("shared.arch").write_text(IMPORT + "let two = 2\n", encoding="utf-8")
        assert archdsl.check("shared.arch") == []

    def test_of_an_imported_file_its_own_check_tells(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        Path("base.arch").write_text(IMPORT + NET, encoding="utf-8")
        assert archdsl.check(Source("v.arch", 'from "base.arch" import net\nnetwork v = net')) == []

    def test_no_bundled_spec_has_one(self) -> None:
        assert [each for name in archdsl.bundled() for each in unused_imports(read_spec(name, DEFAULT_LIMITS))] == []
