"""One of several names."""

from __future__ import annotations

import pytest

from archdsl.boundary.choices import known_name
from archdsl.diagnostics.problems import ArchError

NAMES = ("float32", "float16")


def test_a_known_name_comes_back() -> None:
    assert known_name("float16", NAMES, "type") == "float16"


@pytest.mark.parametrize(
    ("name", "help"),
    [
        ("Float32", ("did you mean `float32`?", "there are `float32`, `float16`")),
        ("quad", ("there are `float32`, `float16`",)),
        ("q" * 1000, ("there are `float32`, `float16`",)),
    ],
)
def test_another_is_refused_with_the_nearest(name: str, help: tuple[str, ...]) -> None:
    with pytest.raises(ArchError) as caught:
        known_name(name, NAMES, "type")
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.help) == ("E801", help)
    assert len(diagnostic.message) < 100
