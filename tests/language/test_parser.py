"""Text to syntax: golden trees and errors, every random tree back from its text, and any text to an end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archdsl.base.names import KEYWORDS
from archdsl.base.source import Source
from archdsl.diagnostics.problems import ArchError
from archdsl.diagnostics.rendering import render_text
from archdsl.language import syntax
from archdsl.language.parser import parse, parse_expression
from archdsl.language.parser.grammar_tables import load_tables
from tests.goldens import FOLDER, check_golden, golden_cases, orphans
from tests.language.parsing import faults, module_of
from tests.language.spoilt_texts import BROKEN, TEXTS, spoilt_programs
from tests.language.syntax_strategies import EXPRESSIONS, MODULES
from tests.language.syntax_text import dump, text_of, without_places

CASES = golden_cases("syntax")


def expression(text: str) -> syntax.Expression:
    return parse_expression(Source("test", text))


def shape(text: str) -> object:
    """An expression without places."""
    return without_places(expression(text))


# ---- goldens -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    source = Source(path.name, path.read_text(encoding="utf-8"))
    parsed = parse(source)
    shown, suffix = dump(parsed.module), ".out"
    if parsed.diagnostics:
        shown, suffix = "\n".join(render_text(diagnostic) for diagnostic in parsed.diagnostics), ".err"
    check_golden(path, shown, suffix)


@pytest.mark.parametrize("stage", ["syntax", "diagnostics"])
def test_no_expectation_is_left_over(stage: str) -> None:
    assert orphans(stage) == []
    assert golden_cases(stage)


def test_golden_errors_show_every_code_of_the_parser() -> None:
    shown = "".join(path.read_text(encoding="utf-8") for path in (FOLDER / "syntax").glob("*.err"))
    assert {"E003", "E101", "E102", "E103", "E104", "E105", "E106", "E502", "E505"} <= set(re.findall(r"E\d{3}", shown))


# ---- trees ---------------------------------------------------------------------------------------


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(MODULES)
def test_a_tree_comes_back_from_its_text(module: syntax.Module) -> None:
    text = text_of(module)
    assert without_places(module_of(text).declarations) == without_places(module.declarations)


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(EXPRESSIONS)
def test_spans_hold_the_text_of_their_node(value: syntax.Expression) -> None:
    """The text of any expression inside a tree, parsed alone, is that expression."""
    text = text_of(
        syntax.Module(Source("", ""), (syntax.Let(value.span, syntax.Name(value.span, "v"), None, value, ""),))
    )
    let = module_of(text).declarations[0]
    assert isinstance(let, syntax.Let)
    for node in (let.value, *direct_parts(let.value)):
        assert without_places(expression(f"({node.span.text})")) == ("Group", None, without_places(node))


def direct_parts(value: syntax.Expression) -> tuple[syntax.Expression, ...]:
    match value:
        case syntax.Chain():
            return value.operands
        case syntax.Flow():
            return value.steps
        case syntax.Ternary():
            return value.value, value.condition, value.otherwise
        case syntax.Binary():
            return value.left, value.right
        case syntax.Group() | syntax.Attribute():
            return (value.value,)
    return ()


@pytest.mark.parametrize(
    "text, grouped",
    [
        ("a + b * c", "a + (b * c)"),
        ("a * b + c", "(a * b) + c"),
        ("-a ** b", "-(a ** b)"),
        ("2 ** -1", "2 ** (-1)"),
        ("a ** b ** c", "a ** (b ** c)"),
        ("-a x 3", "(-a) x 3"),
        ("f x n * 2", "(f x n) * 2"),
        ("fc: f x 3 * 2", "(fc: (f x 3)) * 2"),
        ("a + b..c * d", "(a + b)..(c * d)"),
        ("a..b == c", "(a..b) == c"),
        ("not a == b", "not (a == b)"),
        ("not a and b or c", "((not a) and b) or c"),
        ("a or b if c and d else e", "(a or b) if (c and d) else e"),
        ("a if b else c if d else e", "a if b else (c if d else e)"),
        ("a -> fc: b x 3 -> c", "a -> (fc: (b x 3)) -> c"),
        ("f(a)[0].b(c)", "((f(a))[0].b)(c)"),
        ("-f(a)", "-(f(a))"),
        ("in.channels x x x x", "(in.channels) x x x x"),
    ],
)
def test_precedence(text: str, grouped: str) -> None:
    assert without_groups(shape(text)) == without_groups(shape(grouped))


def without_groups(value: object) -> object:
    if isinstance(value, tuple) and value and value[0] == "Group":
        return without_groups(value[2])
    return tuple(without_groups(item) for item in value) if isinstance(value, tuple) else value


@pytest.mark.parametrize("text", ["a + b - c + d", "a * b / c", "a and b and c", "a or b or c", "a x b x c"])
def test_levels_are_flat(text: str) -> None:
    value = expression(text)
    assert isinstance(value, syntax.Chain)
    assert [operand.span.text for operand in value.operands] == re.findall(r"\b[abcd]\b", text)
    assert [span.text for span in value.operator_spans] == list(value.operators)


@pytest.mark.parametrize(
    "text, value",
    [("25_557_032", 25_557_032), ("1e-6", 1e-6), ("0.5", 0.5), ("1E3", 1000.0), ("1_0.2_5", 10.25), ("007", 7)],
)
def test_numbers(text: str, value: float) -> None:
    found = expression(text)
    assert isinstance(found, syntax.Constant)
    assert (type(found.value), found.value) == (type(value), value)


def test_rounded_numbers_know_their_places() -> None:
    found = expression("25.60M")
    assert isinstance(found, syntax.RoundedNumber)
    assert (found.value, found.scale, found.decimals) == (25.6, 10**6, 2)


@pytest.mark.parametrize(
    "text, parts",
    [
        ('""', ("",)),
        ('"a{{b}}c"', ("a{b}c",)),
        ('"{i}"', ("i",)),
        ('"a{i}b{j}"', ("a", "i", "b", "j")),
        ('"{{{i}}}"', ("{", "i", "}")),
        ('"# no comment"', ("# no comment",)),
        ('"a { f(i, 2) } b"', ("a ", "f(i, 2)", " b")),
    ],
)
def test_strings(text: str, parts: tuple[str, ...]) -> None:
    found = expression(text)
    assert isinstance(found, syntax.String)
    assert tuple(part if isinstance(part, str) else part.span.text for part in found.parts) == parts


@pytest.mark.parametrize(
    "text, steps",
    [
        ("a\nb", 2),
        ("a\n\n# comment\n\nb", 2),
        ("a # comment\nb", 2),
        ("a\n-> b", 1),
        ("a ->\nb", 1),
        ("a\n# comment\n\n    -> b", 1),
        ("(a)\n+ b", 1),
        ("a\n++ b", 1),
        ("a\n* b", 1),
        ("a\n-b", 2),
        ("a if b\nelse c", 1),
        ("f(\na\n,\nb\n)", 1),
        ("f({\na\nb\n})", 1),
        ("if a { b }\nelse { c }", 1),
        ("a\r\nb\r\n", 2),
        ("in\nx", 2),
        ("for i in x {\n}\nx: a", 2),
    ],
)
def test_line_ends(text: str, steps: int) -> None:
    (block,) = module_of(f"block b {{\n{text}\n}}").declarations
    assert isinstance(block, syntax.Block)
    assert isinstance(block.body, syntax.Body)
    assert len(block.body.statements) == steps


@pytest.mark.parametrize("text", ["let x = 3", "let y = f(x)", "let f(x, y = x) = x x x", "block x { x: conv\nx }"])
def test_x_is_an_ordinary_name_elsewhere(text: str) -> None:
    assert module_of(text).declarations


@pytest.mark.parametrize(
    "text, doc",
    [
        ("# one\n#  two\n#three\nlet a = 1", "one\n two\nthree"),
        ("# far\n\nlet a = 1", ""),
        ("# far\n\n# near\nlet a = 1", "near"),
        ("let a = 1 # behind", ""),
        ("let b = 2 # behind\nlet a = 1", ""),
        ("#\r\n# a\r\nlet a = 1", "\na"),
    ],
)
def test_documentation(text: str, doc: str) -> None:
    let = module_of(text).declarations[-1]
    assert isinstance(let, syntax.Let)
    assert let.doc == doc


def test_a_keyword_can_be_a_quoted_label() -> None:
    for keyword in KEYWORDS:
        step = expression(f'"{keyword}": conv')
        assert isinstance(step, syntax.Labelled)
        assert step.label.parts == (keyword,)


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "  # nothing", "3 4", "let a = 3", "a\nb", "{"])
def test_an_expression_is_all_of_its_text(text: str) -> None:
    with pytest.raises(ArchError, match="E101"):
        expression(text)
    assert isinstance(expression("\n f(3)  # a setting\n"), syntax.Call)


@pytest.mark.parametrize("keyword", sorted(KEYWORDS))
def test_a_keyword_is_no_name(keyword: str) -> None:
    (fault,) = faults(f"let {keyword} = 3\nlet fine = 4")
    assert fault.code == "E105"
    assert fault.span is not None
    assert fault.span.text == keyword


READINGS = [
    "conv -> bn + id", "a + b -> c", "a ++ b -> c -> d", "a -> b if c else d", "a if b else c -> d", "a -> b * c",
    "a + b ++ c", "a ++ b + c", "a + b - c ++ d", "a + b ++ c + d", "a ++ b - c + d", "n: a if b else c",
    "a -> b - c -> d", "a -> b == c", "a -> n: b if c else d", "n: a if b else c -> d", "m: a -> n: b if c else d -> e",
]  # fmt: skip


@pytest.mark.parametrize("text", READINGS)
def test_readings_offered_are_correct_and_differ(text: str) -> None:
    """What a help offers is taken, means two different things, and is the text but for parentheses."""
    (fault,) = faults(f"block b = {text}")
    offered = re.findall(r"`([^`]+)`", fault.help[0])
    assert len({without_groups(shape(reading)) for reading in offered}) == 2
    assert all(re.sub(r"[() ]", "", reading) == text.replace(" ", "") for reading in offered)


@pytest.mark.parametrize("statement", BROKEN)
@pytest.mark.parametrize("other", BROKEN[:8])
def test_one_mistake_is_one_error(statement: str, other: str) -> None:
    """Two wrong statements among right ones give two errors, each on its own line."""
    lines = [
        "network a {",
        "  conv(64)",
        f"  {statement}",
        "  conv(64) -> relu",
        f"  {other}",
        "  bn",
        "}",
        "let c = 4",
    ]
    found = faults("\n".join(lines) + "\n")
    shown = "\n".join(render_text(fault) for fault in found)
    places = [fault.span.source.position(fault.span.start)[0] for fault in found if fault.span]
    assert len(places) == 2, shown
    # a bracket left open is noticed where the next line does not fit
    assert places[0] in (3, 4), shown
    assert places[1] in (5, 6), shown


@pytest.mark.parametrize("header", ["network a", "network a(b = 3) extends c(4)", "block a(b)", "block a"])
def test_a_missing_brace_is_one_error(header: str) -> None:
    (fault,) = faults(f"{header}\n    conv(64)\n    relu\n}}\nblock c {{ relu }}\n")
    assert fault.code == "E101"
    assert "`{`" in fault.message


def test_a_body_left_open_is_one_error() -> None:
    (fault,) = faults("network a {\n    stage b {\n        relu\n    }\n\nnetwork c {\n    relu\n}\n")
    assert [label.span.start for label in fault.labels] == [10]


def test_no_more_than_twenty_errors() -> None:
    assert len(faults("network a {\n" + "  a b\n" * 50 + "}")) == 20
    assert len(faults('let a = "' + "{}" * 50 + '"')) == 20


def test_messages_hold_no_names_of_terminals() -> None:
    for statement in BROKEN:
        for fault in faults(f"network a {{\n  {statement}\n}}"):
            words = set(re.findall(r"\b[A-Z_]{2,}\b", fault.message))
            assert not words & set(load_tables().moves[0] | {t.name: 0 for t in load_tables().terminals})


def ends_well(text: str) -> None:
    """A module, with diagnostics that can be shown."""
    parsed = parse(Source("random.arch", text))
    assert isinstance(parsed.module, syntax.Module)
    assert parsed.module.declarations or parsed.diagnostics
    assert all(render_text(diagnostic) for diagnostic in parsed.diagnostics)


@settings(max_examples=300)
@given(st.one_of(TEXTS, st.text(max_size=60)))
def test_any_text_ends_well(text: str) -> None:
    ends_well(text)


@settings(max_examples=200)
@given(spoilt_programs())
def test_any_spoilt_program_ends_well(text: str) -> None:
    ends_well(text)
