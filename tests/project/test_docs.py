"""The documents keep their word: each example compiles, each listing is what comes out, each link leads somewhere.

A fence's first words say what is held of it:

- ``arch``: a whole file, in which every network builds. ``file=NAME`` gives it a name that other blocks of the document
  import, ``bundled=PATH`` says that it is (part of) that bundled spec, word for word.
- ``arch fragment``: statements of a network with ``input 8x32x32``, or with ``input=...``.
- ``... error=E301``: gives that diagnostic, and no other code.
- ``text shapes``: the steps of the last network of the ``arch`` block above with the shapes they make; ``text names``:
  its state_dict; ``text message``: the diagnostics as printed. A line ``...`` stands for any lines.
- ``python``: runs, after those above it, beside the document's named files; ``text output``: what that block prints.
  ``python file=NAME`` is such a file, and ``arch ops=NAME`` is built with the ops in it.
- ``console runs``: what that command prints.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import archdsl
from archdsl import ArchError, Graph, Limits
from archdsl.base.names import KEYWORDS
from archdsl.diagnostics.rendering import render_text
from archdsl.elaborate.interpreter.builtins import BUILTINS
from archdsl.ops import ALL_OPS
from archdsl.zoo.bundled import bundled_file
from cli.main import execute
from tools import ops_page

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
DOCUMENTS = [page for page in PAGES if page.name != "errors.md"]
"""docs/errors.md has a test of its own."""

LISTINGS = ("shapes", "names", "message")
_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block; ``above`` is the one before it in its document."""

    page: Path
    line: int
    kind: str
    marks: dict[str, str]
    text: str
    above: Block | None

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def source(self) -> str:
        """The whole file that an ``arch`` block stands for."""
        if "bundled" in self.marks:
            return bundled_text(self.marks["bundled"])
        if "fragment" not in self.marks:
            return self.text
        body = f"input {self.marks.get('input', '8x32x32')}\n{self.text}"
        return f"network example {{\n{textwrap.indent(body, '    ')}}}\n"

    @property
    def described(self) -> Block:
        """The nearest ``arch`` block above a listing."""
        assert self.above is not None, f"{self}: a listing of nothing"
        return self.above if self.above.kind == "arch" else self.above.described


def bundled_text(path: str) -> str:
    file = bundled_file(path)
    assert file is not None
    return file.read_text(encoding="utf-8")


def blocks(page: Path) -> Iterator[Block]:
    content = page.read_text(encoding="utf-8")
    above = None
    for fence in _FENCE.finditer(content):
        marks = {name: value for name, _, value in (word.partition("=") for word in fence[2].split())}
        above = Block(page, content.count("\n", 0, fence.start()) + 1, fence[1], marks, fence[3], above)
        yield above


BLOCKS = [block for page in DOCUMENTS for block in blocks(page)]
EXAMPLES = [block for block in BLOCKS if block.kind == "arch"]


def write_files(page: Path, folder: Path) -> None:
    for block in blocks(page):
        if "file" in block.marks:
            (folder / block.marks["file"]).write_text(block.source, encoding="utf-8")


def written(block: Block, folder: Path) -> str:
    """The path of a block's file, beside the named files of its document."""
    write_files(block.page, folder)
    name = block.marks.get("file", "example.arch")
    (folder / name).write_text(block.source, encoding="utf-8")
    return name


def last_network(name: str) -> Graph:
    declared = re.findall(r"^network (\w+)", Path(name).read_text(encoding="utf-8"), re.MULTILINE)
    return archdsl.load(name, network=declared[-1])


@pytest.mark.parametrize("block", EXAMPLES, ids=str)
def test_examples_build_or_give_the_error_they_show(block: Block, folder: Path) -> None:
    found = archdsl.check(written(block, folder), ops=[block.marks["ops"]] if "ops" in block.marks else ())
    assert {diagnostic.code for diagnostic in found} == set(filter(None, [block.marks.get("error")]))
    assert {"file", "bundled"} & block.marks.keys() or re.search(r"^network ", block.source, re.MULTILINE)


@pytest.mark.parametrize("block", [block for block in EXAMPLES if "bundled" in block.marks], ids=str)
def test_quoted_specs_are_the_bundled_ones(block: Block) -> None:
    assert block.text in bundled_text(block.marks["bundled"])


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.marks.keys() & set(LISTINGS)], ids=str)
def test_listings_are_what_the_compiler_says(block: Block, folder: Path) -> None:
    (listing,) = block.marks
    name = written(block.described, folder)
    actual = {"shapes": shapes, "names": names, "message": message}[listing](name)
    assert_listed(block.text, actual)


def shapes(name: str) -> list[str]:
    return [f"{node.path} {node.type}" for node in last_network(name).nodes if node.op.kind != "input"]


def names(name: str) -> list[str]:
    entries = last_network(name).state_entries()
    return [f"{entry.key} {'x'.join(map(str, entry.spec.shape)) or 'scalar'}" for entry in entries]


def message(name: str) -> list[str]:
    with pytest.raises(ArchError) as caught:
        last_network(name)
    return [line for diagnostic in caught.value.diagnostics for line in render_text(diagnostic).splitlines()]


def assert_listed(listed: str, actual: Iterable[str]) -> None:
    """Line by line but for the width of gaps; ``...`` stands for any lines."""
    lines = [" ".join(line.split()) for line in listed.splitlines()]
    found = [" ".join(line.split()) for line in actual]
    if "..." not in lines:
        assert lines == found
    pattern = "".join("(?:.*\n)*" if line == "..." else f"{re.escape(line)}\n" for line in lines)
    assert re.fullmatch(pattern, "".join(f"{line}\n" for line in found)), "\n".join(found)


@pytest.mark.parametrize("page", [page for page in DOCUMENTS if any(b.kind == "python" for b in blocks(page))], ids=str)
def test_python_examples_run(page: Path, folder: Path) -> None:
    write_files(page, folder)
    known: dict[str, object] = {}
    printed = ""
    for block in blocks(page):
        if block.kind == "python" and "file" not in block.marks:
            with contextlib.redirect_stdout(io.StringIO()) as output:
                exec(compile("\n" * block.line + block.text, str(page), "exec"), known)
            printed = output.getvalue()
        elif "output" in block.marks:
            assert_listed(block.text, printed.splitlines())


@pytest.mark.parametrize("block", [block for block in BLOCKS if "runs" in block.marks], ids=str)
def test_commands_print_what_is_shown(block: Block, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_files(block.page, folder)
    command, _, listed = block.text.partition("\n")
    assert execute(shlex.split(command)[2:]) == 0
    assert_listed(listed, capsys.readouterr().out.splitlines())


def test_every_fence_says_what_it_is() -> None:
    known = {"arch": {"fragment", "file", "bundled", "error", "input", "ops"}, "python": {"file"}, "console": {"runs"}}
    known |= {"text": {*LISTINGS, "output"}, "toml": set()}
    assert [str(b) for b in BLOCKS if b.kind not in known or not b.marks.keys() <= known[b.kind]] == []
    assert [str(page) for page in PAGES if page.read_text(encoding="utf-8").count("\n```") % 2] == []


def test_links_lead_somewhere() -> None:
    missing = []
    for page in PAGES:
        for link in _LINK.findall(page.read_text(encoding="utf-8")):
            path, _, anchor = link.partition("#")
            target = page if not path else page.parent / path
            if "://" not in link and not (target.exists() and (not anchor or anchor in anchors(target))):
                missing.append(f"{page.name}: {link}")
    assert missing == []


def anchors(page: Path) -> set[str]:
    """The headings as they are linked: lower case, hyphens for spaces, no punctuation."""
    headings = _HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_op_is_on_its_page() -> None:
    titles = re.findall(r"^### `?(\w+)", ops_page.PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(titles) == sorted(ALL_OPS.keys() - {"input"})


def test_the_ops_page_is_what_the_classes_say() -> None:
    assert ops_page.PAGE.read_text(encoding="utf-8") == ops_page.render(), "run `python -m tools.ops_page`"


def section(title: str) -> str:
    """A section of the language page."""
    page = (DOCS / "language.md").read_text(encoding="utf-8")
    return page.partition(f"### {title}\n")[2].partition("\n##")[0]


def test_the_language_page_lists_all_limits() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) \|", section("Limits"), re.MULTILINE)
    assert {name: int(value.replace(",", "")) for name, value in rows} == {
        name: getattr(Limits(), name) for name in Limits.__slots__
    }


def test_the_language_page_lists_all_functions() -> None:
    assert sorted(re.findall(r"^\| `(\w+)\(", section("Functions"), re.MULTILINE)) == sorted(BUILTINS)


def test_the_language_page_lists_all_keywords() -> None:
    listed = re.findall(r"`(\w+)`", section("Keywords"))
    assert sorted(listed) == sorted(KEYWORDS)
