"""Comments: none is lost, none is made up, and each is about something."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archdsl.base.source import Source
from archdsl.language import syntax
from archdsl.language.parser import parse
from archdsl.language.parser.kinds import END, NEWLINE
from archdsl.language.parser.tokens import Tokenizer
from archdsl.language.remarks import remarks
from archdsl.language.walking import descendants
from tests.language.spoilt_texts import PROGRAMS, TEXTS, spoilt_programs
from tests.language.syntax_strategies import MODULES
from tests.language.syntax_text import text_of, without_places

SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]


def comments_of(text: str) -> list[str]:
    return [comment.span.text for comment in parse(Source("test.arch", text)).comments]


def tiles(text: str) -> None:
    """Tokens and comments stand one behind another, with nothing but blanks between them."""
    tokens = [(token.start, token.end) for token in Tokenizer(text) if token.kind not in (NEWLINE, END)]
    comments = [comment.span[1:] for comment in parse(Source("test.arch", text)).comments]
    end = 0
    for start, following in sorted(tokens + comments):
        assert end <= start < following
        assert not text[end:start].strip(" \t\r\n")
        end = following
    assert not text[end:].strip(" \t\r\n")


@settings(max_examples=60, suppress_health_check=SLOW)
@given(MODULES)
def test_nothing_of_a_module_is_lost(module: syntax.Module) -> None:
    tiles(text_of(module))


@settings(max_examples=300)
@given(st.one_of(TEXTS, st.text(max_size=60), spoilt_programs()))
def test_nothing_of_any_text_is_lost(text: str) -> None:
    tiles(text)


@pytest.mark.parametrize("text", PROGRAMS)
def test_nothing_of_a_program_is_lost(text: str) -> None:
    tiles(text)


@settings(max_examples=60, suppress_health_check=SLOW)
@given(MODULES)
def test_comments_behind_all_lines_change_nothing_and_are_found(module: syntax.Module) -> None:
    plain = text_of(module)
    lines = plain.split("\n")[:-1]
    code = [number for number, line in enumerate(lines) if line and not line.lstrip().startswith("#")]
    text = "".join(f"{line} # no. {number}\n" if number in code else f"{line}\n" for number, line in enumerate(lines))
    found = parse(Source("test.arch", text))
    assert without_places(found.module.declarations) == without_places(module.declarations)
    assert [comment for comment in comments_of(text) if comment not in comments_of(plain)] == [
        f"# no. {number}" for number in code
    ]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", []),
        ("# a", ["# a"]),
        ("#", ["#"]),
        ("# a\r\n#b\n", ["# a\r", "#b"]),
        ('let a = "# no" # yes', ["# yes"]),
        ('let a = "{b # no}" # yes', ["# yes"]),
        ('let a = "# open\nlet b = 3 # yes "', ['# yes "']),
        ("f(a, # one\n  b) # two # three", ["# one", "# two # three"]),
    ],
)
def test_what_a_comment_is(text: str, expected: list[str]) -> None:
    assert comments_of(text) == expected


REMARKED = """\
# the file

# network a
network a { # opens
    # input
    input 3x8x8 # shape
    conv( # inside conv
        # of conv
        3
    ) # behind conv

    # stage b
    stage b {
        # in b
    } # behind b
    if c { # if
        relu # relu
        # last in if
    } # between
    else { bn }
    seq { # seq
        bn # bn
    }
    # last in a
} # behind a
let d = 4 # d
# the end
"""
ABOUT = {
    "the file": ("above", "network a"), "network a": ("above", "network a"), "opens": ("inside", "network a"),
    "input": ("above", "input 3x8x8"), "shape": ("behind", "input 3x8x8"), "inside conv": ("inside", "conv("),
    "of conv": ("inside", "conv("), "behind conv": ("behind", "conv("), "stage b": ("above", "stage b"),
    "in b": ("inside", "stage b"), "behind b": ("behind", "stage b"), "if": ("inside", "if c"),
    "relu": ("behind", "relu"), "last in if": ("inside", "if c"), "between": ("inside", "if c"),
    "seq": ("inside", "seq {"), "bn": ("behind", "bn"), "last in a": ("inside", "network a"),
    "behind a": ("behind", "network a"), "d": ("behind", "let d"), "the end": ("inside", ""),
}  # fmt: skip


def test_what_comments_are_about() -> None:
    parsed = parse(Source("test.arch", REMARKED))
    assert parsed.diagnostics == ()
    found = list(remarks(parsed.module, parsed.comments))
    assert [remark.comment for remark in found] == list(parsed.comments)
    shown = {remark.comment.span.text[2:]: (remark.where, remark.node) for remark in found}
    assert shown.keys() == ABOUT.keys()
    for text, (where, beginning) in ABOUT.items():
        assert shown[text][0] == where, text
        node = shown[text][1]
        assert (node.span.text if node else "").startswith(beginning), text
        assert bool(node) == bool(beginning), text


def test_comments_alone_on_their_line_are_told_apart() -> None:
    comments = parse(Source("test.arch", "# a\nlet b = 3 # b\n\t # c")).comments
    assert [comment.is_alone for comment in comments] == [True, False, True]


@settings(max_examples=200)
@given(st.one_of(spoilt_programs(), TEXTS))
def test_every_comment_is_about_something_of_the_tree(text: str) -> None:
    parsed = parse(Source("test.arch", text))
    nodes = {node for declaration in parsed.module.declarations for node in descendants(declaration)}
    found = list(remarks(parsed.module, parsed.comments))
    assert [remark.comment for remark in found] == list(parsed.comments)
    for remark in found:
        at, node = remark.comment.span.start, remark.node
        assert node is None or node in nodes
        if node is None:
            assert remark.where == "inside"
        elif remark.where == "inside":
            assert node.span.start < at < node.span.end
        else:
            assert (at < node.span.start) == (remark.where == "above")
