"""How names stand in sentences."""

from __future__ import annotations

import pytest

from archdsl.base.wording import either, quoted


@pytest.mark.parametrize(("names", "text"), [([], ""), (["a"], "`a`"), (["a", "b"], "`a`, `b`")])
def test_names_as_code(names: list[str], text: str) -> None:
    assert quoted(names) == text


@pytest.mark.parametrize(("choices", "text"), [(["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")])
def test_one_of_several(choices: list[str], text: str) -> None:
    assert either(choices) == text
