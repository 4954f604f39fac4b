"""Reports: what each column shows, sums that add up, folding, marks, comparisons, frames and notebooks."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch.utils.flop_counter import FlopCounterMode

import archdsl
from archdsl.analysis.cost import training_macs
from archdsl.ops import ALL_OPS
from archdsl.ops.contract.base import CostFreeOp, OpError
from archdsl.views.columns import COLUMNS, DEFAULT_COLUMNS
from archdsl.views.field_figures import misaligned_texts
from archdsl.views.forms.text_form import text_table, totals_text
from archdsl.views.stats import Stats
from archdsl.views.stats_table import tree_lines, tree_table
from archdsl.views.totals import total_lines
from cli.main import execute
from tests.ops.op_cases import CASES

NET = """
block unit(width, stride = 1) { (conv(width, 3, stride) -> bn -> relu) + conv(width, 1, stride) }
network net(classes = 10) {
    input 3x32x32
    stem { conv(8, 3) -> relu }
    stage body { unit(16, 2) -> unit(16) x 3 }
    head { global_avgpool -> flatten -> fc: linear(classes) }
}
"""


def number(cell: str) -> int:
    return int(cell.replace(",", "") or 0)


def text_report(stats: Stats, columns: Sequence[str] = DEFAULT_COLUMNS, depth: int | None = None) -> str:
    return text_table(tree_table(stats, columns, depth)) + totals_text(total_lines(stats, columns))


# ---- cost ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(ALL_OPS))
def test_every_op_with_products_has_its_formula(kind: str) -> None:
    assert (ALL_OPS[kind].mac_formula == "0") == issubclass(ALL_OPS[kind], CostFreeOp)


@pytest.mark.parametrize("kind", [kind for kind in ALL_OPS if ALL_OPS[kind].mac_formula != "0"])
@settings(max_examples=40)
@given(data=st.data())
def test_formulas_say_what_is_counted(kind: str, data: st.DataObject) -> None:
    arguments, inputs = data.draw(CASES[kind].examples)
    try:
        op = ALL_OPS[kind](**arguments)
        output = op.infer(inputs)
    except (OpError, ValidationError):
        return
    assert eval(op.mac_formula, {}, op.mac_variables(inputs, output)) == op.macs(inputs, output)


UNGROUPED = ["resnet18", "densenet121", "googlenet", "vit_b_32", "swin_t"]


@pytest.mark.parametrize("name", UNGROUPED)
def test_training_steps_are_what_torch_counts(name: str) -> None:
    """Networks without grouped convolutions, whose backward pass FlopCounterMode counts as if they were dense."""
    graph, module = archdsl.load(name), archdsl.build(name, device="meta").train()
    with FlopCounterMode(display=False) as counter:
        result = module(torch.randn(1, *graph.inputs[0].type.sizes, device="meta").expand(2, -1, -1, -1))
        outputs = list(result.values()) if isinstance(result, dict) else [result]
        sum(output.sum() for output in outputs).backward()
    assert counter.get_total_flops() == 2 * 2 * training_macs(graph)


def test_the_first_layer_has_no_gradient_to_pass_on() -> None:
    text = "network n { input 4x8x8\n conv(4, 1, groups = 4) -> relu -> conv(4, 1) }"
    first, second = 4 * 64, 16 * 64
    assert training_macs(archdsl.load(text)) == 2 * first + 3 * second


@pytest.mark.parametrize("options", [(), ("--markdown",)])
def test_costs_are_explained(options: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["stats", "resnet18", "--explain-cost", *options]) == 0
    out = capsys.readouterr().out
    assert ALL_OPS["conv"].mac_formula in out
    assert "1,814,073,344 forward, 5,324,206,080 for a training step" in out


# ---- the tree ------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [0, 1, 2, 3, 9])
def test_lowest_lines_add_up(depth: int) -> None:
    stats = archdsl.stats(NET)
    lowest = [line for line in tree_lines(stats, depth) if line.is_lowest]
    assert sum(row.parameters for line in lowest for row in line.rows) == stats.parameters
    assert sum(row.macs for line in lowest for row in line.rows) == stats.macs
    assert sum(stats.kept(row) or 0 for line in lowest for row in line.rows) == stats.memory.activations


def test_repeats_are_folded_with_their_count() -> None:
    lines = {line.name: line for line in tree_lines(archdsl.stats(NET))}
    assert len(lines["1-3"].rows) == 3
    assert "unit x 3" in text_report(archdsl.stats(NET))


def test_each_row_of_a_fold_counts_as_itself() -> None:
    stats = archdsl.stats(NET)
    table = tree_table(stats, ("memory",), 3)
    by_name = {row[0].strip(): row for row in table.rows}
    body = next(row for _, row in stats.rows() if row.name == "body")
    bns = [child for unit in body.children[1:] for child in unit.children if child.kind == "bn"]
    assert table.titles == ["layer", "kept", "share"]
    assert len(bns) == 3
    assert by_name["body"]


def test_the_heaviest_lines_are_marked() -> None:
    rows = tree_table(archdsl.stats("resnet50"), ("params",), 1).rows
    assert [row[0].strip() for row in rows if row[-1].endswith("*")] == ["layer3", "layer4", "head"]


@pytest.mark.parametrize("convolutions", [3, 4, 9])
def test_equal_lines_are_not_all_marked(convolutions: int) -> None:
    text = "network n { input 4x8x8\n" + "conv(4, 3)\n" * convolutions + "}"
    assert "*" not in text_report(archdsl.stats(text))


def test_a_tie_for_the_last_mark_gives_none_of_it() -> None:
    wide = (
        "network n { input 4x8x8\n conv(16, 3) -> conv(4, 3) -> conv(8, 1) -> conv(4, 1) -> conv(8, 1) -> conv(4, 1) }"
    )
    rows = tree_table(archdsl.stats(wide), ("macs",), 1).rows
    assert [row[0].strip() for row in rows if row[-1].endswith("*")] == ["conv1", "conv2"]


def test_a_network_of_several_outputs_shows_them_all() -> None:
    text = """network multi {
        input 3x16x16
        conv(4, 3)
        aux side { conv(2, 1) }
        output both: id, mean: global_avgpool
    }"""
    stats = archdsl.stats(text)
    network, *_ = tree_table(stats, ("shape", "rf", "stride"), 1).rows
    assert network[1:] == ["4x16x16, 4x1x1", "3; all", "1; -"]
    assert stats.to_dicts()[0]["output"] == stats.to_dicts()[0]["receptive_field"] == []


@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_each_column_can_be_shown_alone(name: str) -> None:
    table = tree_table(archdsl.stats(NET), (name,), 2)
    assert table.titles[1] == COLUMNS[name].title
    assert any(row[1] for row in table.rows)


def test_totals_follow_the_columns() -> None:
    assert "kept for backward" not in text_report(archdsl.stats(NET))
    assert "kept for backward" in text_report(archdsl.stats(NET), ("memory",))


def test_an_op_of_ones_own_that_does_not_say_is_not_zero() -> None:
    from tests.extensions.test_user_ops import OPS, SPEC

    text = text_report(archdsl.stats(SPEC, ops=OPS), ("kind", "memory", "rf"), 2)
    assert re.search(r"grn +\?", text)
    assert re.search(r"^training +not known$", text, re.MULTILINE)
    assert re.search(r"^unknown memory +no method `memory` says what it takes: `grn` at grn1", text, re.MULTILINE)
    assert re.search(r"^unknown fields +no method `reads` says what it reads: `grn` at grn1", text, re.MULTILINE)


# ---- several inputs ------------------------------------------------------------------------------

TWO_INPUTS = """network two {
    input a: 3x32x32, b: 3x32x32
    x: conv(4, 3)
    @b -> y: conv(4, 7) -> conv(4, 7)
    (@x + id)
    last: conv(4, 3)
}"""


def seen(module: torch.nn.Module, index: int) -> int:
    """Rows of an input that the middle of the output depends on, by its gradient."""
    images = [torch.ones(1, 3, 32, 32, requires_grad=True) for _ in range(2)]
    module(*images)[0, 0, 16, 16].backward()
    gradient = images[index].grad
    assert gradient is not None
    return int(gradient[0].abs().sum((0, 2)).count_nonzero())


def test_the_field_of_each_input_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    module = archdsl.build(TWO_INPUTS)
    torch.nn.utils.vector_to_parameters(
        torch.ones(sum(each.numel() for each in module.parameters())), module.parameters()
    )
    first, second = seen(module, 0), seen(module, 1)
    stats = archdsl.stats(TWO_INPUTS)
    rows = tree_table(stats, ("rf",), 1).rows
    shown = {row[0].strip(): row[1] for row in rows}
    assert shown["last"] == f"a: {first}, b: {second}" == "a: 5, b: 15"
    assert (shown["x"], shown["y"], shown["add1"]) == ("a: 3", "b: 7", "a: 3, b: 13")
    figures = stats.to_dicts()[-1]
    assert (figures["receptive_field:a"], figures["receptive_field:b"]) == ([first] * 2, [second] * 2)


def test_data_has_the_field_of_each_input(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    Path("two.arch").write_text(TWO_INPUTS, encoding="utf-8")
    execute(["stats", "two.arch", "--json", "--columns", "rf"])
    last = json.loads(capsys.readouterr().out)[0]["rows"][-1]["receptive_field"]
    assert [(axis["input"], axis["size"]) for axis in last] == [("a", 5), ("a", 5), ("b", 15), ("b", 15)]
    execute(["stats", "two.arch", "--csv", "--columns", "rf,offset"])
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [rows[-1][name] for name in ("rf:a", "rf:b", "offset:a")] == ["5", "15", "0"]
    y = next(row for row in rows if row["name"] == "y")
    assert (y["rf:a"], y["rf:b"]) == ("", "7")


# ---- misaligned ----------------------------------------------------------------------------------


def test_a_merge_is_one_line_for_both_axes() -> None:
    text = "network s { input 3x32x32\n conv(8, 3, stride = 2) + conv(8, 2, stride = 2, padding = 0) }"
    assert [line.partition(" (")[0] for line in misaligned_texts(archdsl.stats(text))] == [
        "add1: conv1 at 0, conv2 at 0.5"
    ]


def test_the_axis_is_named_where_only_one_is_misaligned_texts() -> None:
    text = "network s { input 3x32x32\n conv(8, 3, 2) + conv(8, 3x2, 2, padding = 1x0) }"
    (line,) = misaligned_texts(archdsl.stats(text))
    assert line.startswith("add1, axis 1: conv1 at 0, conv2 at 0.5")


def test_where_a_field_is_centred_elsewhere_both_are_said() -> None:
    text = """network unetodd {
        input 3x32x32
        a: conv(4, 3)
        maxpool(2) -> conv_transpose(4, 2, stride = 2) -> (id ++ @a)
        maxpool(3, stride = 2) -> upsample(2) -> (id ++ @a)
    }"""
    stats = archdsl.stats(text)
    (line,) = misaligned_texts(stats)
    assert line.startswith("concat2: upsample1 at -0.5 (its field at -1), a at 0")
    rows = tree_table(stats, ("offset",), 1).rows
    assert {row[0].strip(): row[1] for row in rows}["upsample1"] == "-1"


# ---- data ----------------------------------------------------------------------------------------


def test_typed_objects() -> None:
    stats = archdsl.stats("resnet18", classes=10, batch=4, optimizer="adam")
    assert (stats.parameters, stats.depth) == (11_181_642, 18)
    assert stats.memory.optimizer_state >= 2 * 4 * stats.parameters
    assert stats.receptive_fields.of(stats.graph.outputs[0].node) is not None
    assert str(stats).startswith("layer")
    assert "<table>" in stats._repr_html_()


def test_a_stats_object_is_a_line() -> None:
    shown = repr(archdsl.stats("resnet50", batch=32))
    assert "25,557,032 parameters" in shown
    assert len(shown.splitlines()) == 1
    assert len(shown) < 120


def test_a_graph_serves_as_well() -> None:
    graph = archdsl.load(NET)
    assert archdsl.load(graph) is graph
    assert archdsl.stats(graph, batch=3) == Stats(graph, batch=3)
    assert list(archdsl.build(graph).state_dict()) == [entry.key for entry in graph.state_entries()]


@pytest.mark.parametrize("arguments", [{"classes": 10}, {"input": "3x64x64"}, {"network": "n"}])
def test_a_graph_is_finished(arguments: dict[str, Any]) -> None:
    with pytest.raises(archdsl.ArchError, match="is finished: network, input and parameters are for a spec"):
        archdsl.stats(archdsl.load(NET), **arguments)


@pytest.mark.parametrize("spec", [archdsl.load("resnet18"), 18, None])
def test_what_is_no_spec_is_refused(spec: Any) -> None:
    with pytest.raises(archdsl.ArchError, match="a spec is a path, a bundled name or a text"):
        archdsl.formulas(spec, ["classes"])


@pytest.mark.parametrize("batch", [1.5, "32", 0, -3, None, float("nan")])
def test_a_batch_is_a_whole_number(batch: Any) -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.stats(NET, batch=batch)
    assert [fault.code for fault in caught.value.diagnostics] == ["E801"]


@pytest.mark.parametrize(
    ("settings", "meant"), [({"optimizer": "Adam"}, "adam"), ({"device": "CUDA"}, "cuda"), ({"dtype": "gpu"}, None)]
)
def test_the_nearest_name_is_proposed(settings: dict[str, Any], meant: str | None) -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.stats(NET, **settings)
    first = caught.value.diagnostics[0].help[0]
    assert first == f"did you mean `{meant}`?" if meant else first.startswith("there are")


@pytest.mark.parametrize(("name", "meant"), [("parameters", "params"), ("MACs", "macs"), ("kept", "memory")])
def test_the_nearest_column_is_proposed(name: str, meant: str) -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        tree_table(archdsl.stats(NET), (name,))
    assert caught.value.diagnostics[0].help[0] == f"did you mean `{meant}`?"


def test_frames() -> None:
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    stats = archdsl.stats(NET)
    rows = sum(1 for _ in stats.rows())
    frame = stats.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert len(frame) == rows
    assert frame[frame.level == 0].parameters.item() == stats.parameters
    assert isinstance(stats.to_polars(), polars.DataFrame)


def test_json_has_what_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    execute(["stats", "resnet18", "--json"])
    (plain,) = json.loads(capsys.readouterr().out)
    execute(["stats", "resnet18", "--json", "--columns", "memory,rf", "--batch", "2"])
    (full,) = json.loads(capsys.readouterr().out)
    assert "memory" not in plain
    assert full["memory"]["batch"] == 2
    assert full["memory"]["activations"] == sum(row["memory"] for row in full["rows"])
    stem = full["rows"][1]
    assert stem["receptive_field"][0] == {
        "input": "input", "size": 11, "stride": 4.0, "offset": 0.0, "whole": False
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--columns", "latency"), "E804"),
        (("--columns", ","), "E804"),
        (("--batch", "0"), "E801"),
        (("--dtype", "int8"), "E801"),
        (("--optimizer", "foo"), "E801"),
        (("--device", "gpu"), "E801"),
        (("--batch-for", "24GiB", "--dtype", "int8"), "E801"),
        (("--batch-for", "24 parsecs"), "E801"),
        (("--batch-for", "1KiB"), "E802"),
    ],
)
def test_wrong_requests(arguments: tuple[str, ...], code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["stats", "resnet18", *arguments]) == 1
    assert f"error[{code}]" in capsys.readouterr().err


def test_the_largest_batch_fits_and_one_more_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    execute(["stats", "resnet18", "--batch-for", "2GiB", "--json"])
    (found,) = json.loads(capsys.readouterr().out)
    batch = found["batch"]
    fits = [archdsl.stats("resnet18", batch=n).memory.training for n in (batch, batch + 1)]
    assert fits[0] is not None
    assert fits[1] is not None
    assert fits[0] <= 2 * 2**30 < fits[1]


def test_nothing_of_it_imports_torch() -> None:
    used = "s = archdsl.stats('resnet18'); str(s); s.memory; s.receptive_fields; s.training_macs"
    code = f"import archdsl, sys; {used}; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"


def test_a_session_shows_totals_and_not_every_node() -> None:
    stats = archdsl.stats("resnet18")
    for part in (stats.memory, stats.receptive_fields, stats.receptive_fields.of(3)):
        assert len(repr(part)) < 300
