"""What counts as a name is what the parser takes for one."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from archdsl.base.names import KEYWORDS, LABEL_KEYWORDS, is_name, label_text, wire_text
from archdsl.base.source import Source
from archdsl.diagnostics.problems import ArchError
from archdsl.graph.step_names import is_label
from archdsl.language import syntax
from archdsl.language.parser import parse, parse_expression
from archdsl.language.parser.tokens import lexicon

WORDS = st.one_of(
    st.sampled_from(
        sorted(KEYWORDS | {"x", "x3", "_", "größe", "a²", "²", "℘", "a·b", "e\u0301", "ﬁ", "", "3a", "a-b"})
    ),
    st.text(string.ascii_letters + "_x0123", max_size=6),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
)


def test_the_keywords_are_those_of_the_grammar() -> None:
    assert lexicon().keywords == {word: word.upper() for word in KEYWORDS} | {"x": "TIMES"}
    assert LABEL_KEYWORDS < KEYWORDS


@given(WORDS)
@example("x")
@example("a²")
def test_a_name_is_what_can_be_defined(word: str) -> None:
    parsed = parse(Source("names.arch", f"let {word} = 1"))
    names = [each.name.name for each in parsed.module.declarations if isinstance(each, syntax.Let)]
    assert is_name(word) == (not parsed.diagnostics and names == [word])


def spelled(text: str) -> syntax.Expression | None:
    try:
        return parse_expression(Source("names.arch", text))
    except ArchError:
        return None


@given(WORDS.filter(is_label))
@example("stem")
@example("for")
@example("branches.0")
def test_labels_and_wires_are_read_as_they_are_written(label: str) -> None:
    labelled, wire = spelled(f"{label_text(label)}: relu"), spelled(wire_text(label))
    assert isinstance(labelled, syntax.Labelled)
    assert isinstance(wire, syntax.Wire)
    assert labelled.label.parts == wire.path.parts == (label,)


@given(st.sampled_from(sorted(KEYWORDS)) | st.text(string.ascii_letters + "_0123.-", min_size=1, max_size=6))
def test_quotes_stand_only_where_they_must(label: str) -> None:
    bare = spelled(f"{label}: relu")
    assert (label_text(label) == label) == (isinstance(bare, syntax.Labelled) and bare.label.parts == (label,))


@pytest.mark.parametrize(
    "text", ["let a² = 1", "network a² { relu }", "let f(a²) = 1", "let b = a²", "let b = f(a² = 1)"]
)
def test_what_is_no_identifier_is_no_name(text: str) -> None:
    """Names come to stand in Python code."""
    (fault,) = parse(Source("names.arch", text)).diagnostics
    assert (fault.code, fault.message) == ("E106", "`a²` is no name")
    assert fault.span is not None
    assert fault.span.text == "a²"


@pytest.mark.parametrize("path, written", [
    ("down1", "@down1"),
    ("0", '@"0"'),
    ("branches.0", '@"branches.0"'),
    ("a-b", '@"a-b"'),
    ("for", '@"for"'),
    ("x", "@x"),
    ("größe", "@größe"),
])  # fmt: skip
def test_a_wire_is_shown_as_it_is_written(path: str, written: str) -> None:
    assert wire_text(path) == written
    assert not parse(Source("net.arch", f"block b {{ {written} }}")).diagnostics
