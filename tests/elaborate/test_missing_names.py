"""What is offered for names and wires that lead nowhere, and for layers that nothing uses."""

from __future__ import annotations

from pathlib import Path

import pytest

import archdsl
from archdsl import ArchError, Diagnostic
from archdsl.zoo.bundled import bundled


def diagnostics(body: str, declarations: str = "") -> tuple[Diagnostic, ...]:
    text = f"{declarations}\nnetwork net {{\n input 8x32x32\n{body}\n}}\n"
    try:
        archdsl.load(text)
    except ArchError as error:
        return error.diagnostics
    return ()


def help_of(code: str, body: str, declarations: str = "") -> str:
    (found,) = diagnostics(body, declarations)
    assert found.code == code
    return " ".join(found.help)


class TestSteps:
    @pytest.mark.parametrize("use", ["id + a", "concat([id, a])", "conv(a.channels, 1)", "relu -> a", "{ id + a }"])
    def test_the_label_of_a_step_above_is_a_wire(self, use: str) -> None:
        assert help_of("E201", f"a: conv(8, 3)\n{use}") == "the step is `@a`"

    def test_what_is_offered_works(self) -> None:
        assert diagnostics("a: conv(8, 3)\nconcat([id, @a])\nconv(@a.channels, 1)") == ()

    def test_an_unlabelled_step_too(self) -> None:
        assert "`@conv1`" in help_of("E201", "conv(8, 3)\nid + conv1")

    def test_no_label_of_another_block_nor_one_below(self) -> None:
        assert "@" not in help_of("E201", "unit\nid + a", "block unit { a: relu }")
        assert "@" not in help_of("E201", "id + later\nlater: relu")

    def test_a_label_inside_a_block_of_this_body_is_not_its_own(self) -> None:
        assert "@" not in help_of("E201", "block unit { a: relu }\nunit\nid + a")


class TestImports:
    def test_a_bundled_block_is_imported_from_its_file(self) -> None:
        found = help_of("E201", "bottleneck(64)")
        assert '`from "blocks/residual.arch" import bottleneck`' in found
        assert diagnostics("bottleneck(64)", 'from "blocks/residual.arch" import bottleneck') == ()

    @pytest.mark.parametrize("name", ["resnet50", "vgg16"])
    def test_a_bundled_network_is_imported_from_its_own(self, name: str) -> None:
        assert name in bundled()
        assert f'`from "{name}.arch" import {name}`' in help_of("E201", name)

    def test_the_file_that_the_base_uses_comes_first(self) -> None:
        text = 'from "{base}.arch" import {base}\nnetwork net extends {base} {{ stage layer1 {{ {block}(64) }} }}'
        with pytest.raises(ArchError) as caught:
            archdsl.load(text.format(base="resnet50", block="bottleneck"))
        (found,) = caught.value.diagnostics
        assert found.help[0].startswith('import it: `from "blocks/residual.arch" import bottleneck`')

    def test_a_file_of_ones_own_that_is_imported_already(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        Path("parts.arch").write_text("block one { relu }\nblock bottleneck { relu }\n", encoding="utf-8")
        found = help_of("E201", "one -> bottleneck", 'from "parts.arch" import one')
        assert found.startswith('import it: `from "parts.arch" import bottleneck`, or `from "blocks/')

    def test_a_slip_in_a_name_of_ones_own_goes_before_bundled_ones_of_private_use(self) -> None:
        assert help_of("E201", "unti", "block unit { relu }") == "did you mean `unit`?"

    @pytest.mark.parametrize("written, meant", [("False", "false"), ("True", "true"), ("None", "none")])
    def test_constants_of_python(self, written: str, meant: str) -> None:
        assert help_of("E201", f"conv(8, 3, bias = {written})") == f"did you mean `{meant}`?"


class TestWires:
    def test_a_step_further_down(self) -> None:
        assert "further down" in help_of("E204", "id + @late\nlate: relu")

    @pytest.mark.parametrize("inside", ["id + @early", "{ id + @early }", "g: (relu -> (id + @early))"])
    def test_a_step_of_the_user(self, inside: str) -> None:
        assert "as an argument" in help_of("E204", "early: relu\nunit", f"block unit {{ {inside} }}")

    def test_a_step_of_the_users_user(self) -> None:
        blocks = "block inner { id + @early }\nblock outer { inner }"
        assert "as an argument" in help_of("E204", "early: relu\nouter", blocks)

    def test_a_step_beside_the_block_is_not_its_users(self) -> None:
        blocks = "block first { early: relu }\nblock second { id + @early }"
        assert "as an argument" not in help_of("E204", "first\nsecond", blocks)

    def test_a_path_is_quoted(self) -> None:
        halves = "block halves { a: chunk(2, 0) }"
        assert help_of("E205", "h: halves\n@h.a", halves) == 'the step inside it is `@"h.a"`'
        assert diagnostics('h: halves\n@"h.a"', halves) == ()
        assert "it has `.channels`, `.height`" in help_of("E205", "h: halves\n@h.b", halves)


class TestUnusedLayers:
    @pytest.mark.parametrize("value, offered", [
        ("conv(16, 3)", "x: conv(16, 3)"),
        ("conv(16, 3) -> relu", "x: (conv(16, 3) -> relu)"),
        ("seq(relu -> bn)", "x: seq(relu -> bn)"),
        ("relu + id", "x: (relu + id)"),
        ("relu x 3", "x: (relu x 3)"),
    ])  # fmt: skip
    def test_a_let_makes_no_step(self, value: str, offered: str) -> None:
        assert f"`{offered}`" in help_of("E207", f"let x = {value}\nrelu")
        assert diagnostics(f"{offered}\nrelu") == ()

    @pytest.mark.parametrize("body", [
        "let x = conv(8, 3)\nx",
        "let x = conv(8, 3)\n{ x }",
        "let x = conv(8, 3)\nif false { x }",
        "let x = conv(8, 3)\nlet layers = [x]",
        "let x = conv(8, 3)\nlet f() = x",
        "let act = relu",
        "let n = 3",
        "let f(n) = conv(n, 3)",
        "let layers = [conv(8, 3)]",
        "block unit { relu }",
    ])  # fmt: skip
    def test_what_is_mentioned_or_no_layer_is_left_alone(self, body: str) -> None:
        assert diagnostics(f"{body}\nrelu") == ()

    def test_it_is_said_once_for_a_block_used_often(self) -> None:
        assert len(diagnostics("unit x 3", "block unit { let x = conv(8, 3)\n relu }")) == 1
