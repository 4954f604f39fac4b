"""Texts that are wrong, each in one place or anyhow."""

from __future__ import annotations

from hypothesis import strategies as st

from archdsl.base.names import KEYWORDS
from tests.goldens import golden_cases

BROKEN = [
    "conv(3", "let = 4", "for i 0..3 { relu }", "a b", "a -> -> b", "a + * b", "f(a,,b)", "[1, 2", "let a 3",
    "if a = 3 { relu }", "default: relu", "'a': relu", '"a: relu', "3abc", "a < b < c", "relu; relu", "f(=3)", "@3",
    "stage 3 { relu }", "a.3", "[a for in b]", "default conv", "assert , b", "network n { relu }", "conv(] -> relu",
    "else { relu }", "seq relu", "if a { relu } elif b { relu }", "a => b", '"{a b}": relu', "f(a b)", "f(a = 1, 2)",
    "conv(3))", "block b { f(3); }", "c{i}: relu", "@c{i}", "convs.{i}: relu", "stage a{i} { relu }", "output relu",
    "relu if a",
]  # fmt: skip
"""Statements with one mistake."""

PIECES = [
    *"abxfi0123 \n\n\"{}()[]->+*.,:=@#/%<;'é\t",
    "->",
    "++",
    "..",
    *(f" {keyword} " for keyword in sorted(KEYWORDS)),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
PROGRAMS = [path.read_text(encoding="utf-8") for path in golden_cases("syntax") if path.with_suffix(".out").exists()]


@st.composite
def spoilt_programs(draw: st.DrawFn) -> str:
    """A right program with a few places of it overwritten."""
    text = draw(st.sampled_from(PROGRAMS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(start + 12, len(text))))
        text = text[:start] + draw(TEXTS)[:6] + text[end:]
    return text
