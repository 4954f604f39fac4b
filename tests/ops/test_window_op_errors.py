"""What the ops of attention within windows refuse, and what they say then."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

import archdsl
from archdsl.ops.contract.shapes import Layout, TensorType
from tests.ops.op_refusals import SIZES, make, refusal


@pytest.mark.parametrize("kind, layout, help_", [
    ("patch_merging", "CHW", "`channels_last`"),
    ("window_attention", "CHW", "`channels_last`"),
    ("windows", "HWC", "`channels_first`"),
    ("relative_attention", "CHW", "`windows`"),
    ("unwindows", "CHW", "`windows`"),
])  # fmt: skip
def test_a_refused_layout_names_what_to_write(kind: str, layout: Layout, help_: str) -> None:
    assert help_ in refusal(make(kind), TensorType(SIZES[layout], layout)).help


@pytest.mark.parametrize("kind, arguments, sizes, argument, said", [
    ("windows", {"window": (2, 3)}, (8, 6, 10), "window", "windows of 2x3 of `windows` do not divide an image of 6x10"),
    ("unwindows", {"window": 3}, (4, 9, 8), "size", "windows of 3x3 of `unwindows` do not divide an image of 4x4"),
    ("unwindows", {}, (6, 4, 8), "size", "takes 4 windows of 4 places for an image of 4x4, but gets 6 of 4"),
    ("unwindows", {}, (4, 6, 8), "size", "takes 4 windows of 4 places for an image of 4x4, but gets 4 of 6"),
    ("relative_attention", {}, (3, 5, 8), "window", "takes rows of 2x2 = 4 places, but gets 3x5x8"),
])  # fmt: skip
def test_windows_that_do_not_fit_are_named(
    kind: str, arguments: dict[str, Any], sizes: tuple[int, ...], argument: str, said: str
) -> None:
    error = refusal(make(kind, **arguments), TensorType(sizes, "CHW" if kind == "windows" else "HWC"))
    assert (error.code, error.argument) == ("E308", argument)
    assert said in error.message


def test_rows_of_a_square_offer_its_side() -> None:
    op = make("relative_attention")
    assert "7x7" in refusal(op, TensorType((3, 49, 8), "HWC")).help
    assert refusal(op, TensorType((3, 48, 8), "HWC")).help == ""


@pytest.mark.parametrize("arguments, said", [
    ({"shift": 2}, "`shift` must be below the window 2x2, got 2x2"),
    ({"window": (3, 7), "shift": 3}, "`shift` must be below the window 3x7, got 3x3"),
    ({"window": (7, 3), "shift": 3}, "`shift` must be below the window 7x3, got 3x3"),
    ({"cosine": True, "window": 1}, "`cosine` takes windows from 2x2, got 1x1"),
    ({"cosine": True, "window": (2, 1)}, "`cosine` takes windows from 2x2, got 2x1"),
    ({"shift": -1}, "must be at least 0"),
    ({"window": 0}, "must be at least 1"),
    ({"dropout": 1.5}, "must be at most 1"),
    ({"cosine": 1}, "must be true or false"),
])  # fmt: skip
def test_arguments_that_contradict_each_other(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        make("window_attention", **arguments)


@pytest.mark.parametrize("layer, code", [
    ("window_attention(3, 7)", "E306"),
    ("channels_last -> window_attention(5, 7)", "E305"),
    ("channels_last -> window_attention(3, 7, shift = 7)", "E215"),
    ("channels_last -> window_attention(3)", "E211"),
    ("windows(7)", "E308"),
    ("windows(8) -> relative_attention(3, 7)", "E308"),
    ("windows(8) -> unwindows(8, 24)", "E308"),
    ("patch_merging", "E306"),
])  # fmt: skip
def test_a_spec_gets_a_diagnostic_at_the_layer(layer: str, code: str) -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.load(f"network n {{\n input 12x32x32\n {layer}\n}}")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code
    assert diagnostic.span is not None
    assert diagnostic.span.place.startswith("<string>:3:")
