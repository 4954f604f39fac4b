"""``archdsl new``: what it writes changes nothing, and neither does any line of it whose mark is taken away."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import archdsl
from archdsl.design.starting_spec import starting_spec
from archdsl.request import Request
from cli.main import execute

SAMPLE = (
    "resnet50",
    "densenet121",
    "regnet_y_400mf",
    "efficientnet_v2_s",
    "vit_b_16",
    "googlenet",
    "vgg11",
    "convnext_tiny",
)
EXAMPLES = ("let relu = silu", "default bn(eps = 1e-3)", "output features: id", "assert params < 100M")

OPS = """
from archdsl import UserOp
from archdsl.extensions import FunctionCall, X


class Halved(UserOp):
    kind = "halved"

    def infer(self, inputs):
        return inputs[0]

    def macs(self, inputs, output):
        return 0

    def torch_call(self, inputs):
        return FunctionCall("torch.mul", (X, 0.5))


OPS = [Halved]
"""

networks = pytest.mark.parametrize(
    "name", [*SAMPLE, *(pytest.param(n, marks=pytest.mark.exhaustive) for n in archdsl.bundled() if n not in SAMPLE)]
)


def pieces(lines: list[str]) -> list[range]:
    """The lines of each definition that stands in a comment."""
    starts = [i for i, line in enumerate(lines) if re.match(r"\s*#[^\s)\]}]", line)]
    found = []
    for start in starts:
        end = start + 1
        while end < len(lines) and re.match(r"\s*#( {4}|[)\]}]|$)", lines[end]):
            end += 1
        found.append(range(start, end))
    return found


def without_marks(lines: list[str], which: list[range]) -> list[str]:
    marked = {i for piece in which for i in piece}
    return [line.replace("#", "", 1) if i in marked else line for i, line in enumerate(lines)]


@networks
def test_it_changes_nothing(name: str, tmp_path: Path) -> None:
    text = starting_spec(Request(name), tmp_path / "mine.arch")
    assert archdsl.load(text).digest() == archdsl.load(name).digest()


def test_the_command_that_it_names_finds_the_base(folder: Path) -> None:
    (folder / "two.arch").write_text("network a { input 3x8x8\n conv(4, 3) }\nnetwork b = a\n", encoding="utf-8")
    (folder / "below").mkdir()
    assert execute(["new", "two.arch:b", "below/mine.arch"]) == 0
    text = (folder / "below" / "mine.arch").read_text(encoding="utf-8")
    (command,) = re.findall(r"`archdsl (stats [^`]*)`", text.replace("\n# ", " "))
    os.chdir(folder / "below")
    assert execute(command.split()) == 0


@networks
def test_each_piece_says_what_the_base_says(name: str, tmp_path: Path) -> None:
    digest = archdsl.load(name).digest()
    lines = starting_spec(Request(name), tmp_path / "mine.arch").splitlines()
    found = pieces(lines)
    outside = [piece for piece in found if not lines[piece.start].startswith(" ")]
    tried = 0
    for piece in found:
        text = lines[piece.start].strip().removeprefix("#")
        has_defaults_of_its_own = "# In its own file" in lines[piece.start - 1]
        if piece in outside or text in EXAMPLES or has_defaults_of_its_own:
            continue
        try:
            variant = archdsl.load("\n".join(without_marks(lines, [*outside, piece])) + "\n")
        except archdsl.ArchError as error:
            # a function that the base would use with other arguments
            assert [d.code for d in error.diagnostics] == ["E406"]
            assert text.startswith("let ")
            continue
        assert variant.digest() == digest, text
        tried += 1
    assert tried >= 2


def test_it_shows_what_there_is(tmp_path: Path) -> None:
    text = starting_spec(Request("resnet50"), tmp_path / "my-net.arch")
    assert 'from "resnet50.arch" import resnet50\n' in text
    assert "network my_net extends resnet50 {" in text
    assert "classes = 1000" in text
    assert "    #stage layer4 { bottleneck(512, stride = 2) -> bottleneck(512) x 2 }\n" in text
    assert "    #let projection(out, stride) = seq(conv(out, 1, stride) -> bn)\n" in text
    assert max(map(len, text.splitlines())) <= 125


def test_fixed_parameters_are_not_offered(tmp_path: Path) -> None:
    (tmp_path / "ten.arch").write_text(
        'from "densenet121.arch" import densenet121\nnetwork ten = densenet121(10)\n', encoding="utf-8"
    )
    text = starting_spec(Request(tmp_path / "ten.arch"), tmp_path / "mine.arch")
    assert "classes =" not in text
    assert "growth_rate = 32" in text


def test_variants_of_variants(folder: Path) -> None:
    assert execute(["new", "resnet18", "first.arch"]) == 0
    text = (folder / "first.arch").read_text(encoding="utf-8")
    (folder / "first.arch").write_text(text.replace("#let relu = silu", "let relu = silu"), encoding="utf-8")
    (folder / "sub").mkdir()
    assert execute(["new", "first.arch", "sub/second.arch"]) == 0
    written = (folder / "sub" / "second.arch").read_text(encoding="utf-8")
    assert 'from "../first.arch" import first' in written
    assert "#let relu = silu" in written
    assert archdsl.load("sub/second.arch").digest() == archdsl.load("first.arch").digest()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["resnet50", "mine.txt"], "error[E603]: cannot write mine.txt: specs end in .arch"),
        (["resnet50", "resnet50.arch"], "a variant needs another name than its base"),
        (["resnet50", "50.arch"], "`50` cannot be a network's name"),
        (["resnet50", "stage.arch"], "`stage` cannot be a network's name"),
        (["resnet50", "missing/mine.arch"], "there is no directory"),
        (["resnet5", "mine.arch"], "did you mean `resnet50`?"),
        (["resnet50:other", "mine.arch"], "has no network `other`"),
    ],
)
def test_refusals(arguments: list[str], said: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["new", *arguments]) == 1
    assert said in capsys.readouterr().err
    assert list(folder.iterdir()) == []


def test_a_network_may_be_called_x(folder: Path) -> None:
    assert execute(["new", "resnet50", "x.arch"]) == 0
    assert archdsl.load("x.arch").name == "x"


def test_a_base_with_an_op_of_ones_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "starting_ops.py").write_text(OPS, encoding="utf-8")
    (folder / "base.arch").write_text("network base { input 8\n stem { halved } }\n", encoding="utf-8")
    assert execute(["new", "base.arch", "mine.arch"]) == 1
    assert "error[E201]: nothing is named `halved` here" in capsys.readouterr().err
    assert execute(["new", "base.arch", "mine.arch", "--ops", "starting_ops.py"]) == 0
    assert "`archdsl stats base.arch mine.arch --ops starting_ops.py` compares" in capsys.readouterr().out
    assert archdsl.check("mine.arch", ops=["starting_ops.py"]) == []


def test_nothing_is_overwritten_unasked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mine.arch").write_text("# my work\n", encoding="utf-8")
    assert execute(["new", "resnet50", "mine.arch"]) == 1
    assert "mine.arch is there already" in capsys.readouterr().err
    assert (folder / "mine.arch").read_text(encoding="utf-8") == "# my work\n"
    assert execute(["new", "resnet50", "mine.arch", "--force"]) == 0
    assert archdsl.check("mine.arch") == []


def test_a_local_file_of_the_bundled_name_is_not_taken_for_it(folder: Path) -> None:
    (folder / "resnet50.arch").write_text("network resnet50 { input 3x8x8\n relu }\n", encoding="utf-8")
    with pytest.raises(archdsl.ArchError, match="would be taken for the bundled one"):
        starting_spec(Request("resnet50"), folder / "mine.arch")
