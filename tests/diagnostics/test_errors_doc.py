"""docs/errors.md: a chapter for every code, whose examples give just that code, and none once mended."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

import archdsl
from archdsl.diagnostics.codes import Code, ErrorCode, NoteCode, WarningCode, severity_of
from archdsl.diagnostics.explanations import UnknownCodeError, explain, titles

CODES: tuple[Code, ...] = (*get_args(ErrorCode), *get_args(NoteCode), *get_args(WarningCode))
GOLDEN = Path(__file__).parents[1] / "golden" / "diagnostics"
NOT_GOLDEN = {"E602", "E604", "E607"}
"""What hangs on a checkpoint, the machine or installed packages: tests/cli/test_cli.py has them."""
_BLOCK = re.compile(r"^```(arch|console) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Chapter:
    """The examples of one code."""

    def __init__(self, code: str) -> None:
        blocks = _BLOCK.findall(explain(code))
        self.is_note = code in get_args(NoteCode)
        self.console = [text for kind, _, text in blocks if kind == "console"]
        self.files = {name: text for kind, name, text in blocks if kind == "arch" and name}
        self.examples = [text for kind, name, text in blocks if kind == "arch" and not name]
        if self.files and not self.examples:
            self.examples = [next(iter(self.files.values()))]

    def codes(self, text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
        """The codes that an example gives, with the other files of its chapter beside it."""
        monkeypatch.chdir(folder)
        for name, content in {**self.files, "example.arch": text}.items():
            (folder / name).write_text(content, encoding="utf-8")
        if self.is_note:
            return {diagnostic.code for diagnostic in archdsl.check("example.arch")}
        try:
            return {diagnostic.code for diagnostic in archdsl.load("example.arch").diagnostics}
        except archdsl.ArchError as error:
            return {diagnostic.code for diagnostic in error.diagnostics}


def test_every_code_has_a_chapter_and_every_chapter_a_code() -> None:
    assert list(titles()) == sorted(CODES)


def test_every_code_has_a_golden_diagnostic() -> None:
    assert {path.name[:4] for path in GOLDEN.rglob("*.err")} == set(CODES) - NOT_GOLDEN


@pytest.mark.parametrize("code", [code for code in CODES if Chapter(code).examples and code != "E606"])
def test_the_first_example_gives_its_code(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chapter = Chapter(code)
    assert chapter.codes(chapter.examples[0], tmp_path, monkeypatch) == {code}


@pytest.mark.parametrize("code", [code for code in CODES if len(Chapter(code).examples) > 1])
def test_the_second_example_is_right(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chapter = Chapter(code)
    assert chapter.codes(chapter.examples[1], tmp_path, monkeypatch) == set()


def test_what_only_a_backend_refuses_is_refused_there() -> None:
    bad, good = Chapter("E606").examples
    with pytest.raises(archdsl.ArchError, match="E606"):
        archdsl.build(bad)
    archdsl.build(good)


@pytest.mark.parametrize("code", CODES)
def test_every_chapter_shows_an_example(code: Code) -> None:
    chapter = Chapter(code)
    assert chapter.examples or any(f"{severity_of(code)}[{code}]" in text for text in chapter.console)


def test_a_chapter_is_printed_whole_and_alone() -> None:
    text = explain("e301")
    assert text.startswith("## E301: ")
    assert text.count("\n## ") == 0
    assert explain(" E607\n").endswith("Install it.\n")


def test_an_unknown_code_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownCodeError, match="E309"):
        explain("E310")
    with pytest.raises(UnknownCodeError, match="did you mean"):
        explain("nonsense")
