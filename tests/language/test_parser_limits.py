"""No text takes long or goes deep, and the collector of garbage is left as it was."""

from __future__ import annotations

import gc
import time

import pytest

from archdsl.base.limits import Limits
from archdsl.base.source import Source
from archdsl.language.parser import parse
from tests.language.parsing import faults, module_of

MANY = 100_000
ENDLESS: dict[str, tuple[str, str]] = {
    "parentheses": ("E502", "let a = " + "(" * MANY),
    "braces": ("E502", "block a " + "{" * MANY),
    "lists": ("E502", "let a = " + "[" * MANY),
    "signs": ("E502", "let a = " + "-" * MANY + "b"),
    "not": ("E502", "let a = " + "not " * MANY + "b"),
    "powers": ("E502", "let a = " + "b ** " * MANY + "b"),
    "conditionals": ("E502", "let a = " + "b if c else " * MANY + "b"),
    "calls": ("E502", "let a = b" + "()" * MANY),
    "bytes": ("E501", "#" * 10_000_000),
    "wide characters": ("E501", "#" + "é" * 3_000_000),
    "digits": ("E505", "let a = " + "9" * 1_000_000),
    "exponent": ("E505", "let a = 1e400"),
    "line": ("E101", "let a = " + "b " * MANY),
    "open calls": ("E101", "network a {\n" + "conv(3\n" * MANY),
    "closing braces": ("E101", "let a = 3\n" + "}\n" * MANY),
    "interpolations": ("E101", 'let a = "' + "{}" * MANY + '"'),
    "nothing": ("E003", "\n# empty\n" * MANY),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_limits_end_in_a_diagnostic_soon(name: str) -> None:
    code, text = ENDLESS[name]
    start = time.process_time()
    found = faults(text)
    assert time.process_time() - start < 4
    assert found[0].code == code


@pytest.mark.parametrize(
    "text", ["(" * 30 + "a" + ")" * 30, "-" * 30 + "a", "a" + "()" * 30, "a if b else " * 30 + "a", "a ** " * 30 + "a"]
)
def test_nesting_can_be_raised(text: str) -> None:
    (fault,) = faults(f"let a = {text}", Limits(nesting=29))
    assert fault.code == "E502"
    assert "`--limit nesting=58`" in fault.help[0]
    assert module_of(f"let a = {text}", Limits(nesting=30)).declarations


@pytest.mark.parametrize("text", ["a + " * MANY + "a", "a -> " * MANY + "a", "[" + "1, " * MANY + "]"])
def test_long_is_not_deep(text: str) -> None:
    assert module_of(f"let a = {text}").declarations


def test_many_branches_are_not_deep() -> None:
    assert module_of("block a { if b { c }" + " else if b { c }" * 1000 + " else { d } }").declarations


def test_depth_counts_levels_not_operators() -> None:
    text = "a - (" * 99 + "b" + ")" * 99
    assert module_of(f"let a = {text}").declarations


def test_garbage_collection_is_left_as_it_was() -> None:
    for restore, text in ((gc.enable, "let a = 3"), (gc.disable, "let a = 3"), (gc.enable, "let a = ")):
        restore()
        before = gc.isenabled()
        parse(Source("test.arch", text))
        assert gc.isenabled() == before
    gc.enable()
