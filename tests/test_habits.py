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
    ("bn(64)", "bn"), ("bn(64, 0.1)", "bn"), ("ln2d(64)", "ln2d"), ("instance_norm(64)", "instance_norm"),
    ("channels_last -> ln(64)", "ln"), ("channels_last -> ln(64x256x256)", "ln"), ("gn(4, 64)", "gn(4)"),
    ("bn(64, eps = 1e-3)", "bn(eps = ...)"),
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


def test_other_slips_of_the_kind() -> None:
    assert "`dropout(0.5)`" in help_of("dropout(50)")
    assert "write `relu`" in help_of("relu(true)")
    assert "leave `padding` out" in help_of('conv(8, 3, padding = "same")')
    assert "`padding = 0`" in help_of('conv(8, 3, padding = "valid")')
