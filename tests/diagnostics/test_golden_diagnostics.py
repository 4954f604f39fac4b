"""Diagnostics as a user sees them: tests/golden/diagnostics/<code>_<name>.arch beside what is printed.

A file is checked by ``archdsl check``, or by the command line in its first comment: ``# $ archdsl stats ...``.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from cli.main import execute
from tests.goldens import check_golden, golden_cases, orphans

_COMMAND = re.compile(r"# \$ archdsl (.+)")


@pytest.mark.parametrize("path", golden_cases("diagnostics"), ids=lambda path: path.stem)
def test_diagnostics(path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    command = _COMMAND.match(path.read_text(encoding="utf-8"))
    capsys.readouterr()
    code = execute(shlex.split(command[1]) if command else ["check", path.name])
    captured = capsys.readouterr()
    kind = {"E": "error", "W": "warning", "N": "note"}[path.name[0]]
    printed = captured.out + captured.err
    assert code == (1 if kind == "error" else 0)
    assert f"{kind}[{path.name[:4]}]" in printed or (f'"{path.name[:4]}"' in printed and f'"{kind}"' in printed)
    shown = printed.replace(str(path.parent), "<folder>")
    check_golden(path, shown, ".err")


def test_no_expectation_is_left_over() -> None:
    assert orphans("diagnostics") == []
