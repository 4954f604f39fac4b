"""A text with mistakes in it gives all that was read before, between and behind them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from archdsl.base.limits import Limits
from archdsl.base.source import Source
from archdsl.language import syntax
from archdsl.language.parser import Parsed, parse
from archdsl.language.walking import descendants
from tests.goldens import golden_cases
from tests.language.spoilt_texts import BROKEN, PROGRAMS, spoilt_programs
from tests.language.syntax_strategies import MODULES
from tests.language.syntax_text import children, text_of, without_places

SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]


def parsed(text: str, limits: Limits | None = None) -> Parsed:
    return parse(Source("test.arch", text), limits or Limits())


def outline(node: Any) -> str:
    """Declarations and sections with what is in them, steps as their text: ``a{s{relu} bn}``."""
    match node:
        case syntax.Module():
            return " ".join(map(outline, node.declarations))
        case syntax.Body():
            return "{" + " ".join(map(outline, node.statements)) + "}"
        case syntax.Section():
            return f"{node.label.span.text if node.label else node.kind}{outline(node.body)}"
        case syntax.Block() | syntax.Network():
            return f"{node.name.name}{outline(node.body) if isinstance(node.body, syntax.Body) else ''}"
        case syntax.Let():
            return node.name.name
        case syntax.For() | syntax.If():
            return f"{type(node).__name__.lower()}{''.join(outline(body) for body in bodies(node))}"
    return " ".join(node.span.text.split())


def bodies(node: syntax.For | syntax.If) -> list[syntax.Body]:
    if isinstance(node, syntax.For):
        return [node.body]
    return [*(body for _, body in node.branches), *filter(None, [node.otherwise])]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("network a {\n  relu\n  a b\n  bn\n}\nlet c = 4\n", "a{relu a bn} c"),
        ("let a = 3\nlet = 4\nlet c = 5", "a c"),
        # of a wrong statement its beginning, where that could stand alone
        ("let a = 3 3\nlet c = 5", "a c"),
        ("block a {\n  relu\n  conv(3,\n  bn\n}\nblock c { bn }", "a{relu conv} c{bn}"),
        # a body left open, before a declaration and before the end
        ("network a {\n  stage b {\n    relu\n  bn\n\nnetwork c {\n  relu\n}\n", "a{b{relu bn}} c{relu}"),
        ("network a {\n  stem { relu }\n  stage b {\n    relu\n    conv(3", "a{stem{relu} b{relu conv}}"),
        ("network a {\n  for i in 0..3 {\n    if i > 1 {\n      relu\n", "a{for{if{relu}}}"),
        ("network a {\n  if b { relu } else {\n    bn\n", "a{if{relu}{bn}}"),
        ("network a {\n  relu\n  seq {\n    bn\n    x: (a + {\n      id\n", "a{relu seq { bn x: (a + { id}"),
        ("network a {\n  relu\n  x: f(\n", "a{relu x: f}"),
        ("network a", ""),
        ("network a {", "a{}"),
        ("block b = relu\nnetwork a {\n  relu ->", "b a{relu}"),
        # what cannot be read at all
        ("", ""),
        ("# nothing", ""),
        ("let = 4", ""),
        ("}", ""),
    ],
)
def test_what_is_whole_is_there(text: str, expected: str) -> None:
    found = parsed(text)
    assert found.diagnostics
    assert outline(found.module) == expected


def test_faults_of_what_is_only_kept_are_not_reported() -> None:
    """``relu -> bn + { ... }`` has a reading of its own wrong only if it is all there."""
    found = parsed("network a {\n  x: relu -> bn + {\n    id\n\nnetwork c { relu }\n")
    assert [fault.code for fault in found.diagnostics] == ["E101"]
    assert outline(found.module) == "a{x: relu -> bn + { id} c{relu}"


def test_a_body_left_open_ends_behind_what_is_in_it() -> None:
    found = parsed("network a {\n  stage b {\n    relu  # one\n\n# two\nnetwork c { relu }\n")
    first, _ = found.module.declarations
    assert first.span.text == "network a {\n  stage b {\n    relu  # one"


def test_reading_ends_with_the_twentieth_error() -> None:
    found = parsed("let a = 3\nnetwork b {\n" + "  relu\n  = 3\n" * 50 + "}\nlet c = 4")
    assert len(found.diagnostics) == 20
    assert outline(found.module) == "a b{" + " ".join(["relu"] * 20) + "}"


@pytest.mark.parametrize("opener", ["(", "{", "[", "-", "not ", "a ** "])
def test_reading_ends_where_it_nests_too_deep(opener: str) -> None:
    found = parsed(f"let a = 3\nblock b {{\n  relu\n  {opener * 40}", Limits(nesting=30))
    assert [fault.code for fault in found.diagnostics] == ["E502"]
    assert outline(found.module).startswith("a b{relu")


def test_a_text_too_large_has_no_tree() -> None:
    found = parsed("let a = 3\n", Limits(source_bytes=5))
    assert [fault.code for fault in found.diagnostics] == ["E501"]
    assert found.module.declarations == ()


@settings(max_examples=80, suppress_health_check=SLOW)
@given(st.data())
def test_a_wrong_declaration_costs_no_other(data: st.DataObject) -> None:
    module = data.draw(MODULES)
    before = data.draw(st.integers(0, len(module.declarations)))
    first, last = module.declarations[:before], module.declarations[before:]
    wrong = data.draw(
        st.sampled_from(["let = 4", "network { relu }", "block b(", "let a = b c", "let a = )", "stem { relu }"])
    )
    texts = [text_of(syntax.Module(module.source, part)) for part in (first, last)]
    found = parsed(f"{texts[0]}{wrong}\n{texts[1]}")
    kept = [without_places(declaration) for declaration in found.module.declarations]
    assert found.diagnostics
    assert all(without_places(declaration) in kept for declaration in module.declarations)
    assert len(kept) <= len(module.declarations) + 1


@pytest.mark.parametrize("wrong", BROKEN)
def test_a_wrong_statement_costs_no_other(wrong: str) -> None:
    found = parsed(f"network a {{\n  one(1)\n  {wrong}\n  two(2) -> relu\n  three: bn\n}}\nlet c = 4\n")
    shown = outline(found.module)
    assert found.diagnostics
    assert shown.startswith("a{one(1)")
    # a bracket left open takes the line behind it, which may be meant for it
    assert "two(2) -> relu" in shown or wrong in ("conv(3", "[1, 2")
    assert shown.endswith("three: bn} c")


@settings(max_examples=60, suppress_health_check=SLOW)
@given(MODULES)
def test_a_body_left_open_at_the_end_is_all_there(module: syntax.Module) -> None:
    text = text_of(module).rstrip()
    assume(text.endswith("}") and isinstance(getattr(module.declarations[-1], "body", None), syntax.Body))
    found = parsed(text.removesuffix("}"))
    assert found.diagnostics
    assert without_places(found.module.declarations) == without_places(module.declarations)


@settings(max_examples=100)
@given(st.data())
def test_a_text_broken_off_gives_what_stands_before(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(PROGRAMS))
    end = data.draw(st.integers(0, len(text)))
    whole, part = parsed(text).module, parsed(text[:end]).module
    before = [declaration for declaration in whole.declarations if declaration.span.end < end]
    assert without_places(part.declarations[: len(before)]) == without_places(tuple(before))


def is_well_placed(module: syntax.Module) -> bool:
    """Whether every node stands inside the one that it is part of."""
    size = len(module.source.text)
    nodes = [node for declaration in module.declarations for node in descendants(declaration)]
    return all(0 <= node.span.start <= node.span.end <= size for node in nodes) and all(
        node.span.start <= child.span.start and child.span.end <= node.span.end
        for node in nodes
        for child in children(node)
    )


@settings(max_examples=200)
@given(spoilt_programs())
def test_what_is_kept_of_a_spoilt_program_is_well_placed(text: str) -> None:
    assert is_well_placed(parsed(text).module)


@pytest.mark.parametrize("path", golden_cases("syntax"), ids=lambda path: path.stem)
def test_goldens_are_well_placed(path: Any) -> None:
    assert is_well_placed(parsed(path.read_text(encoding="utf-8")).module)
