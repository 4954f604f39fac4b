"""``archdsl check``: what it keeps apart, what it takes for one mistake, what it says it left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import archdsl
from archdsl.base.source import Source
from archdsl.diagnostics.model import Diagnostic
from tests.running import captured

NET = "network net(width = 8) {{ input 8x32x32\n {body} }}\n"


def found(text: str) -> list[Diagnostic]:
    return archdsl.check(Source("net.arch", text))


class TestFaultsAtOnePlace:
    def test_two_values_are_two_mistakes_with_one_message_or_two(self) -> None:
        text = NET.format(body="conv(width, 3)")
        assert len(found(text + 'network a = net("8")\nnetwork b = net(0)')) == 2
        first, second = found(text + "network a = net(0)\nnetwork b = net(0)")
        assert [each.notes[-1] for each in (first, second)] == [
            "while building a: net(0), net.arch:3:13",
            "while building b: net(0), net.arch:4:13",
        ]

    @pytest.mark.parametrize("variants", [
        "network a = net(4)\nnetwork b extends net { stem { id } }",
        "network c = a\nnetwork a = net(4)",
    ])  # fmt: skip
    def test_a_mistake_of_the_base_is_none_of_its_variants(self, variants: str) -> None:
        (fault,) = found(NET.format(body="stem { id }\n conv(width, 3) -> linear(3)") + variants)
        assert fault.notes == ()

    def test_the_variant_may_stand_before_its_base(self) -> None:
        (fault,) = found("network a = net(4)\n" + NET.format(body="linear(width)"))
        assert fault.notes == ()

    def test_values_that_differ_in_the_turns_of_a_loop(self) -> None:
        assert len(found(NET.format(body="for i in 0..3 { conv(i - 9, 3) }"))) == 3
        assert len(found(NET.format(body="for i in 0..3 { conv(-1, 3) }"))) == 1

    @pytest.mark.parametrize("body", [
        'for i in 0..5 { "a.{i // 2}": conv(8, 3) }',
        "for i in 0..3 { conv(nothing, 3) }",
    ])  # fmt: skip
    def test_what_is_wrong_in_the_text_is_one_mistake_whatever_is_built(self, body: str) -> None:
        assert len(found(NET.format(body=body) + "network a = net(4)\nnetwork b = net(2)")) == 1


class TestSettings:
    def test_from_python(self) -> None:
        with pytest.raises(archdsl.ArchError) as caught:
            archdsl.load(NET.format(body="conv(width, 3)"), width="8")
        assert caught.value.diagnostics[0].notes == ("with `width` set to the string '8'",)


class TestBasesThatAreNotBuilt:
    @pytest.mark.parametrize("declared, code", [
        ("network a = net(widht = 4)", "E212"),
        ("network a = net(4, 5, 6)", "E213"),
        ("network a(depth) = net(4, width = depth)", "E214"),
        ("network a extends net(widht = 4) { stem { id } }", "E212"),
        ("network a(w) = conv", "E411"),
        ("network a(w) = a(w)", "E411"),
        ("network a(w) = unit", "E411"),
        ("network a = net(4)\nnetwork b = a(widht = 3)", "E212"),
    ])  # fmt: skip
    def test_their_arguments_are_checked(self, declared: str, code: str) -> None:
        text = "block unit { relu }\nnetwork net(width, depth) { input 8x32x32\n conv(width, 3) x depth }\n"
        assert [each.code for each in found(text)] == ["N401"]
        assert [each.code for each in found(text + declared) if each.severity != "note"] == [code]

    def test_the_last_line_names_what_was_not_built(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.chdir(tmp_path)
        text = "network net(width, depth) { input 8x32x32\n conv(width, 3) x depth }\n"
        more = "network a = net(4)\nnetwork b(width) = net(width)\nnetwork c = net(4, 2)\n"
        Path("net.arch").write_text(text + more, encoding="utf-8")
        code, out, _ = captured(capsys, "check", "net.arch")
        assert code == 0
        assert out.splitlines() == [
            "1 spec checked: no errors",
            "3 networks not built: `net` waits for `width`, `depth`; "
            "`a` waits for `depth`, which `net(4)` leaves open: only `--set` gives it; "
            "`b` waits for `width` and for `depth`, which `net(width)` leaves open: only `--set` gives it",
        ]
        assert captured(capsys, "check", "net.arch:c")[1] == "1 spec checked: no errors\n"
        noted = json.loads(captured(capsys, "check", "net.arch", "--format", "json")[1])
        assert [(each["code"], each["severity"], each["place"]["line"]) for each in noted] == [
            ("N401", "note", 1),
            ("N401", "note", 3),
            ("N401", "note", 4),
        ]
        assert noted[0]["message"] == "`net` waits for `width`, `depth`"
        Path("net.arch").write_text(text + "".join(f"network n{i} = net(4)\n" for i in range(9)), encoding="utf-8")
        assert captured(capsys, "check", "net.arch")[1].endswith("; 5 more\n")
