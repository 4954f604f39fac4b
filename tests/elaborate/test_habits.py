"""Arguments in PyTorch's order are refused with the call to write; what can be meant as written is not."""

from __future__ import annotations

from typing import Any

import pytest

import archdsl
from archdsl import ArchError, Diagnostic
from archdsl.ops import OPS


def diagnostics(body: str, input: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(ArchError) as caught:
        archdsl.load(f"network net {{\n input {input}\n {body}\n}}\n")
    return caught.value.diagnostics


def help_of(body: str, input: str = "64x256x256") -> str:
    (found,) = diagnostics(body, input)
    return " ".join(found.help)


@pytest.mark.parametrize("written, meant", [
    ("conv(64, 128, 3)", "conv(128, 3)"),
    ("conv(64, 128, 3, padding = 1)", "conv(128, 3)"),
    ("conv(64, 128, 3, 2, 1)", "conv(128, 3, 2, 1)"),
    ("conv(64, 64, 3, 1, 1, bias = false)", "conv(64, 3, 1, 1)"),
    ("conv(64, 128, kernel_size = 3)", "conv(128, kernel_size = ...)"),
    ("conv(64, 128, 3, stride = 2)", "conv(128, 3, stride = ...)"),
    ("dwconv(64, 3)", "dwconv(3)"),
    ("dwconv(64, 3, padding = 1)", "dwconv(3)"),
    ("dwconv(64, 64, 3, 1, 1)", "dwconv(3, 1, 1)"),
    ("dwconv(64, 64, 3, padding = 1)", "dwconv(3, padding = ...)"),
    ("conv_transpose(64, 32, 2)", "conv_transpose(32, 2)"),
    ("conv_transpose(64, 32, 4, 2, 1)", "conv_transpose(32, 4, 2, 1)"),
    ("flatten -> linear(4194304, 10)", "linear(10)"),
])  # fmt: skip
def test_input_channels_are_left_out(written: str, meant: str) -> None:
    assert f"`{meant}`" in help_of(written)


@pytest.mark.parametrize("written, meant", [
    ("dwconv(8, 3)", "dwconv(3)"), ("conv(8, 8, 3)", "conv(8, 3)"), ("conv(8, 4, 3)", "conv(4, 3)"),
    ("dwconv(8)", "dwconv(3)"), ("dwconv(8, stride = 2)", "dwconv(3)"), ("dwconv(64)", "dwconv(3)"),
])  # fmt: skip
def test_a_kernel_of_as_many_as_come_in_may_be_the_channels(written: str, meant: str) -> None:
    assert f"`{meant}`" in help_of(written, "8x32x32")


@pytest.mark.parametrize("written", ["conv(8, 4, 2)", "dwconv(8, 2)", "dwconv(6, 3)", "conv(16, 8, 3)"])
def test_an_even_kernel_that_may_be_meant_gets_its_padding(written: str) -> None:
    found = help_of(written, "8x32x32")
    assert "padding = " in found
    assert "channels" not in found


@pytest.mark.parametrize("written, meant", [
    ("bn(64)", "bn"), ("bn(64, 0.1)", "bn"), ("ln2d(64)", "ln2d"), ("instance_norm(64)", "instance_norm"),
    ("channels_last -> ln(64)", "ln"), ("channels_last -> ln(64x256x256)", "ln"), ("gn(4, 64)", "gn(4)"),
    ("bn(64, eps = 1e-3)", "bn(eps = ...)"),
    ("scale(64)", "scale"), ("channels_last -> scale(64)", "scale"), ("scale(in.channels)", "scale"),
])  # fmt: skip
def test_norms_know_their_channels(written: str, meant: str) -> None:
    assert f"write `{meant}`" in help_of(written)


@pytest.mark.parametrize("kind", ["bn", "ln", "ln2d", "gn", "instance_norm"])
@pytest.mark.parametrize("eps", [1, 1.0, 64])
def test_an_eps_of_1_or_more_is_refused(kind: str, eps: float) -> None:
    op: Any = OPS[kind]
    groups = {"num_groups": 1} if kind == "gn" else {}
    assert op(eps=0.999, **groups).eps == 0.999
    with pytest.raises(ValueError, match="must be below 1"):
        op(eps=eps, **groups)


@pytest.mark.parametrize("body, shape", [
    ("conv(64, 33, 3)", "64x86x86"),
    ("conv(64, 31, 1, 15)", "64x256x256"),
    ("conv(64, 16, 16, 0)", "64x16x16"),
    ("conv(64, kernel_size = 64, stride = 3, padding = 1)", "64x65x65"),
    ("conv(32, 64, 3, padding = 1)", "32x65x65"),
    ("dwconv(7, 1, 3)", "64x256x256"),
    ("gn(64)", "64x256x256"),
    ("scale(value = 64)", "64x256x256"),
    ("scale(32)", "64x256x256"),
    ("conv(8, 1) -> scale(8)", "8x256x256"),
])  # fmt: skip
def test_what_can_be_meant_is_taken_as_written(body: str, shape: str) -> None:
    graph = archdsl.load(f"network net {{\n input 64x256x256\n {body}\n}}\n")
    assert str(graph.nodes[-1].type) == shape


@pytest.mark.parametrize("op", ["conv(8, {}, stride = {})", "maxpool({}, {})"])
@pytest.mark.parametrize("kernel, stride", [(4, 2), (6, 2), (6, 4), (10, 2)])
def test_the_padding_offered_for_an_even_kernel_leaves_the_size_to_the_stride(
    op: str, kernel: int, stride: int
) -> None:
    call = op.format(kernel, stride)
    help_ = help_of(call, "8x48x48")
    offered = help_.split("`")[1]
    graph = archdsl.load(f"network net {{\n input 8x48x48\n {call[:-1]}, {offered})\n}}\n")
    assert str(graph.nodes[-1].type) == f"8x{48 // stride}x{48 // stride}"


def test_the_padding_offered_for_a_transposed_convolution_multiplies_the_size() -> None:
    offered = help_of("conv_transpose(8, 4, stride = 2)").split("`")[1]
    graph = archdsl.load(f"network net {{\n input 8x16x16\n conv_transpose(8, 4, stride = 2, {offered})\n}}\n")
    assert str(graph.nodes[-1].type) == "8x32x32"


@pytest.mark.parametrize("written, meant", [
    ("reshape(32, 256)", "reshape(32x256)"),
    ("reshape(in.height, 4 * 64)", "reshape(in.height x (4 * 64))"),
    ("permute(1, 2, 0)", "permute([1, 2, 0])"),
    ("adaptive_avgpool(7, 7)", "adaptive_avgpool(7x7)"),
    ("concat([id, relu], 1)", "concat([id, relu])"),
    ("concat([id, relu], dim = -3)", "concat([id, relu])"),
    ("id / 2", "0.5 * id"),
    ("id / 3", "(1.0 / 3) * id"),
    ("relu / in.channels", "(1.0 / (in.channels)) * relu"),
    ("id - 1", "-1 + id"),
    ("id - in.channels", "-(in.channels) + id"),
    ("id - -1", "1 + id"),
    ("a: relu / 2", "0.5 * a: relu"),
    ("relu * id / 2", "0.5 * relu * id"),
    ("-conv(8, 3)", "-1.0 * conv(8, 3)"),
    ("conv(8, 3) ** 2", "(conv(8, 3) -> (id * id))"),
    ('"out"', '"out": id'),
    ('"silu"', "silu"),
])  # fmt: skip
def test_what_is_offered_is_taken(written: str, meant: str) -> None:
    before = "flatten -> " if "reshape" in written else ""
    assert f"`{meant}`" in help_of(before + written, "8x32x32")
    archdsl.load(f"network net {{\n input 8x32x32\n {before}{meant}\n}}\n")


@pytest.mark.parametrize("written, meant", [
    ("in.height * in.width x 8", "(in.height * in.width) x 8"),
    ("8 x in.height * 32", "8 x (in.height * 32)"),
    ("2 * 4x1024", "(2 * 4) x 1024"),
    ("31 + 1 x 32 x 4 * 2", "(31 + 1) x 32 x (4 * 2)"),
])  # fmt: skip
def test_a_computed_size_stands_in_parentheses(written: str, meant: str) -> None:
    assert help_of(f"flatten -> reshape({written})", "8x32x32") == f"write `{meant}`"
    archdsl.load(f"network net {{\n input 8x32x32\n flatten -> reshape({meant})\n}}\n")


def test_layers_are_no_sizes() -> None:
    assert help_of("conv(8, relu x 3 + 1)") == ""
    assert help_of("concat([id, relu], 2)").endswith("takes no axis")
    assert "write" not in help_of("id % 2")


@pytest.mark.parametrize("written, meant", [
    ("upsample(2, mode = bilinear)", 'mode = "bilinear"'),
    ("upsample(2, bicubc)", 'mode = "bicubic"'),
    ("upsample(2, mode = linear)", 'mode = "bilinear"'),
    ("conv(8, 3, init = kaiming_normal(mode = fan_out))", 'mode = "fan_out"'),
    ("conv(8, 3, init = kaiming_normal(nonlinearity = relu))", 'nonlinearity = "relu"'),
    ("default conv(padding_mode = reflect)\n conv(8, 3)", 'padding_mode = "reflect"'),
])  # fmt: skip
def test_texts_are_quoted(written: str, meant: str) -> None:
    assert f"`{meant}`" in help_of(written)


def test_initialisers_are_named() -> None:
    assert help_of("conv(8, 3, init = kaiming)") == "did you mean `kaiming_normal` or `kaiming_uniform`?"
    assert help_of("conv(8, 3, init = xavier(1))") == "did you mean `xavier_normal` or `xavier_uniform`?"
    assert help_of("conv(8, 3, init = he_normal)") == "did you mean `kaiming_normal`?"
    assert "xavier_normal" in help_of("conv(8, 3, init = glorot)")
    assert help_of("let start = zeros\n conv(8, 3, init = strat)") == "did you mean `start`?"


def test_other_slips_of_the_kind() -> None:
    assert "`dropout(0.5)`" in help_of("dropout(50)")
    assert "write `relu`" in help_of("relu(true)")
    assert "leave `padding` out" in help_of('conv(8, 3, padding = "same")')
    assert "`padding = 0`" in help_of('conv(8, 3, padding = "valid")')
