"""Writes into the documents what their commands print: ``python -m tools.fill_docs``.

A fence ``console runs`` holds a command and its output. Those with a line ``...``, which stands for any lines, stay.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import tempfile
from pathlib import Path

from cli.main import execute

DOCS = Path(__file__).parent.parent / "docs"
_RUNS = re.compile(r"^(```console runs\n\$ (archdsl [^\n]+)\n)(.*?)(^```$)", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^```\w+[^\n]*? file=(\S+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def filled(text: str) -> str:
    """The document with every whole output as it is now, beside the files that the document names."""

    def printed(found: re.Match[str]) -> str:
        if re.search(r"^\.\.\.$", found[3], re.MULTILINE):
            return found[0]
        with contextlib.redirect_stdout(io.StringIO()) as output:
            execute(shlex.split(found[2])[1:])
        lines = [line.rstrip() for line in output.getvalue().rstrip().splitlines()]
        return found[1] + "".join(f"{line}\n" for line in lines) + found[4]

    with tempfile.TemporaryDirectory() as folder:
        before = Path.cwd()
        os.chdir(folder)
        try:
            for name, content in _FILE.findall(text):
                Path(name).write_text(content, encoding="utf-8")
            return _RUNS.sub(printed, text)
        finally:
            os.chdir(before)


def main() -> None:
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        changed = filled(text)
        if changed != text:
            page.write_text(changed, encoding="utf-8")
            print(f"wrote {page.name}")


if __name__ == "__main__":
    main()
