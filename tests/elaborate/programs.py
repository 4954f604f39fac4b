"""Random programs for the properties: most are wrong in some way, many build."""

from __future__ import annotations

from hypothesis import strategies as st

NAMES = ("a", "b", "c", "unit", "conv", "x", "n", "nothing")
WHOLE = st.integers(-2, 9)
NUMBERS = st.one_of(
    WHOLE.map(str),
    st.sampled_from(
        ["1.5", "0.0", "4.0", "n", "1 / 0", "10 ** 400", "n // 2", "in.channels", "in.height / 2", "2 * n"]
    ),
)
GOOD_NUMBERS = st.sampled_from(["1", "2", "3", "4", "6", "8", "n", "in.channels", "in.channels * 2", "n // 2 + 1"])
KEEPING = st.one_of(
    st.builds("conv({}, {})".format, GOOD_NUMBERS, st.sampled_from(["1", "3", "1x3", "5x1"])),
    st.builds("conv(8, 3, dilation = {}, groups = {})".format, st.sampled_from("12"), st.sampled_from("11111124")),
    st.builds("dwconv({})".format, st.sampled_from("135")),
    st.sampled_from([
        "bn", "relu", "silu", "gelu", "sigmoid", "identity", "id", "dropout(0.5)", "drop_path(0.1)", "ln2d", "softmax",
        "hardswish", "prelu", "pad_channels(40)", "scale(0.5)", "unit(n)", "unit", "f(relu)", "f(unit(4))",
        "maxpool(3, stride = 1)", "(conv(8, 1) -> gn(2) -> channel_shuffle(2))",
        "(channels_last -> ln -> channels_first)", "(channels_last -> linear(6) -> channels_first)",
        "(id * (global_avgpool -> conv(in.channels, 1) -> sigmoid))",
    ]),
)  # fmt: skip
"""Layers that keep height and width and work wherever an image flows (most of the time)."""
OPS = st.one_of(
    KEEPING,
    KEEPING,
    st.builds("conv({}, 2, stride = {}, padding = 1)".format, GOOD_NUMBERS, st.sampled_from("12")),
    st.builds("conv({}, 3, stride = 2)".format, GOOD_NUMBERS),
    st.builds("maxpool({}, stride = {}, ceil = {}, padding = 0)".format, st.sampled_from("23"), st.sampled_from("12"),
              st.sampled_from(["true", "false"])),
    st.builds("avgpool({}, stride = {}, padding = 1)".format, st.sampled_from("23"), st.sampled_from("12")),
    st.sampled_from([
        "global_avgpool", "(conv(4, 1) -> pixel_shuffle(2))", "adaptive_avgpool(3x2)", "upsample(2)", "blurpool",
        "conv_transpose(4, 2, 2)", "(pad(1x1) -> crop(3x3))",
        "(global_avgpool -> flatten -> linear(5) -> reshape(5x1x1))",
        "(conv(4, 1) -> tokens"
        " -> dot_product_attention([linear(6), ln -> linear(6), id], 2) -> image(in.height x in.width))",
    ]),
)  # fmt: skip
WRONG = st.one_of(
    st.builds("{}({})".format, st.sampled_from([*NAMES, "bn", "relu"]), st.lists(NUMBERS, max_size=3).map(", ".join)),
    st.builds("conv({}, {}, {} = {})".format, NUMBERS, NUMBERS, st.sampled_from(["stride", "groups", "x"]), NUMBERS),
    st.builds("@{}".format, st.sampled_from(["conv1", "bn1", "a", '"b.conv1"', "n"])),
    NUMBERS,
    st.builds("dot_product_attention([{}], {})".format, st.lists(OPS, max_size=4).map(", ".join), NUMBERS),
    st.sampled_from(
        [
            "4x8x8",
            "dot_product_attention",
            "dot_product_attention(id, 2)",
            "[1, 2]",
            '"text"',
            "true",
            "none",
            "f",
            "f(1)",
            "sum([])",
            "concat([relu, id])",
        ]
    ),
)


def _grouped(layers: st.SearchStrategy[str], branch: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    branches = st.lists(branch, min_size=2, max_size=3)
    return st.one_of(
        st.lists(layers, min_size=2, max_size=4).map(lambda parts: f"({' -> '.join(parts)})"),
        branches.map(lambda parts: f"({' + '.join(parts)})"),
        branches.map(lambda parts: f"({' * '.join(parts)})"),
        st.lists(st.one_of(KEEPING, branch), min_size=2, max_size=3).map(lambda parts: f"({' ++ '.join(parts)})"),
        st.builds("seq({})".format, layers),
        st.builds("({} x {})".format, KEEPING, st.sampled_from(["0", "1", "2", "n"])),
        st.builds("({} if {} else {})".format, layers, st.sampled_from(["n > 3", "in.channels == 8", "true"]), layers),
        st.builds("(0.5 * {})".format, layers),
        st.builds("{{ {}\n {} }}".format, layers, layers),
    )


def layers(wrong: bool) -> st.SearchStrategy[str]:
    """A layer expression; with ``wrong``, one that may hold any mistake."""
    if wrong:
        leaves = st.one_of(OPS, OPS, OPS, WRONG)
        return st.recursive(leaves, lambda inner: _grouped(inner, inner), max_leaves=6)
    branch = KEEPING.map(lambda layer: f"({layer} -> conv(6, 1))")
    return st.recursive(OPS, lambda inner: _grouped(inner, branch), max_leaves=6)


def _statements(wrong: bool) -> st.SearchStrategy[str]:
    layer = layers(wrong)
    labels = st.sampled_from(["a", "b", '"c{n}"', '"c.0"'])
    return st.one_of(
        layer,
        layer,
        layer,
        layer,
        st.builds("{}: {}".format, labels, layer),
        st.builds("let {} = {}".format, st.sampled_from(["k", "m"]), NUMBERS if wrong else GOOD_NUMBERS),
        st.builds("for i in 0..2 {{ {} }}".format, layer),
        st.builds("if n > {} {{ {} }} else {{ {} }}".format, st.sampled_from("123"), layer, layer),
        st.builds("stage s{} {{ {} }}".format, st.sampled_from("12"), layer),
        st.builds("default conv(bias = {})".format, st.sampled_from(["true", "false"])),
    )


def programs(*, wrong: bool) -> st.SearchStrategy[str]:
    """A whole file with one network."""
    bodies = st.lists(_statements(wrong), min_size=1, max_size=5).map("\n    ".join)
    inputs = st.sampled_from(["4x9x8", "8x16x16", "3x7x7", "6x12x5"])
    return st.builds(
        "block unit(n = 4) {{ (conv(n, 3) -> bn) + conv(n, 1)\n relu }}\n"
        "let f(g) = g -> bn\n"
        "network net(n = {}) {{\n    input {}\n    {}\n}}\n".format,
        st.sampled_from(["2", "4", "3"]),
        inputs,
        bodies,
    )
