"""How names stand in sentences."""

from __future__ import annotations

import pytest

from archdsl.base.wording import cut, did_you_mean, either, quoted


@pytest.mark.parametrize(("names", "text"), [([], ""), (["a"], "`a`"), (["a", "b"], "`a`, `b`")])
def test_names_as_code(names: list[str], text: str) -> None:
    assert quoted(names) == text


@pytest.mark.parametrize(("choices", "text"), [(["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")])
def test_one_of_several(choices: list[str], text: str) -> None:
    assert either(choices) == text


def test_nobody_is_asked_about_nothing() -> None:
    assert did_you_mean("conv") == "did you mean `conv`?"
    assert did_you_mean(None) == did_you_mean() == ""


@pytest.mark.parametrize(("text", "shown"), [("", ""), ("abc", "abc"), ("abcd", "abc...")])
def test_long_texts_are_cut(text: str, shown: str) -> None:
    assert cut(text, 3) == shown
