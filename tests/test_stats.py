"""Reports: what each column shows, sums that add up, folding, marks, comparisons, frames and notebooks."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch.utils.flop_counter import FlopCounterMode

import archdsl
from archdsl.analysis.columns import COLUMNS
from archdsl.analysis.cost import training_macs
from archdsl.analysis.cost_formulas import FORMULAS, formula, variables
from archdsl.analysis.report import report_table, text_report, tree
from archdsl.cli.main import execute
from archdsl.ops import ALL_OPS
from archdsl.ops.base import CostFreeOp, OpError
from tests.op_cases import CASES

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


# ---- cost ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(ALL_OPS))
def test_every_op_with_products_has_its_formula(kind: str) -> None:
    assert (kind in FORMULAS) != issubclass(ALL_OPS[kind], CostFreeOp)


@pytest.mark.parametrize("kind", sorted(FORMULAS))
@settings(max_examples=40)
@given(data=st.data())
def test_formulas_say_what_is_counted(kind: str, data: st.DataObject) -> None:
    arguments, inputs = data.draw(CASES[kind].examples)
    try:
        op = ALL_OPS[kind](**arguments)
        output = op.infer(inputs)
    except (OpError, ValidationError):
        return
    assert eval(formula(kind), {}, variables(op, inputs, output)) == op.macs(inputs, output)


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
    assert FORMULAS["conv"] in out
    assert "1,814,073,344 forward, 5,324,206,080 for a training step" in out


# ---- the tree ------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [0, 1, 2, 3, 9])
def test_lowest_lines_add_up(depth: int) -> None:
    stats = archdsl.stats(NET)
    lowest = [line for line in tree(stats, depth) if line.is_lowest]
    assert sum(row.parameters for line in lowest for row in line.rows) == stats.parameters
    assert sum(row.macs for line in lowest for row in line.rows) == stats.macs
    assert sum(stats.kept(row) or 0 for line in lowest for row in line.rows) == stats.memory.activations


def test_repeats_are_folded_with_their_count() -> None:
    lines = {line.name: line for line in tree(archdsl.stats(NET))}
    assert len(lines["1-3"].rows) == 3
    assert "unit x 3" in text_report(archdsl.stats(NET))


def test_each_row_of_a_fold_counts_as_itself() -> None:
    stats = archdsl.stats(NET)
    headings, rows = report_table(stats, ("memory",), 3)
    by_name = {row[0].strip(): row for row in rows}
    body = next(row for _, row in stats.rows() if row.name == "body")
    bns = [child for unit in body.children[1:] for child in unit.children if child.kind == "bn"]
    assert [heading.title for heading in headings] == ["layer", "kept", "share"]
    assert len(bns) == 3
    assert by_name["body"]


def test_the_heaviest_lines_are_marked() -> None:
    _, rows = report_table(archdsl.stats("resnet50"), ("params",), 1)
    assert [row[0].strip() for row in rows if row[-1].endswith("*")] == ["layer3", "layer4", "head"]


@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_each_column_can_be_shown_alone(name: str) -> None:
    headings, rows = report_table(archdsl.stats(NET), (name,), 2)
    assert headings[1].title == COLUMNS[name].title
    assert any(row[1] for row in rows)


def test_totals_follow_the_columns() -> None:
    assert "kept for backward" not in text_report(archdsl.stats(NET))
    assert "kept for backward" in text_report(archdsl.stats(NET), ("memory",))


def test_an_op_of_ones_own_that_does_not_say_is_not_zero() -> None:
    from tests.test_user_ops import OPS, SPEC

    text = text_report(archdsl.stats(SPEC, ops=OPS), ("kind", "memory", "rf"), 2)
    assert re.search(r"grn +\?", text)
    assert "not known, as an op does not say" in text


# ---- several -------------------------------------------------------------------------------------


def test_differences_stand_beside(capsys: pytest.CaptureFixture[str]) -> None:
    execute(["stats", "resnet50", "resnet18"])
    lines = capsys.readouterr().out.splitlines()
    (parameters,) = [line for line in lines if line.startswith("parameters")]
    assert parameters.split() == ["parameters", "25,557,032", "11,689,512", "-54.3%"]


# ---- data ----------------------------------------------------------------------------------------


def test_typed_objects() -> None:
    stats = archdsl.stats("resnet18", classes=10, batch=4, optimizer="adam")
    assert (stats.parameters, stats.depth) == (11_181_642, 18)
    assert stats.memory.optimizer_state >= 2 * 4 * stats.parameters
    assert stats.receptive_fields.of(stats.graph.outputs[0].node) is not None
    assert str(stats).startswith("layer")
    assert "<table>" in stats._repr_html_()


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
    assert stem["receptive_field"][0] == {"size": 11, "stride": 4.0, "offset": 0.0, "whole": False}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--columns", "latency"), "E804"),
        (("--columns", ","), "E804"),
        (("--batch", "0", "--columns", "memory"), "E801"),
        (("--dtype", "int3", "--columns", "memory"), "E801"),
        (("--batch-for", "24 parsecs"), "E801"),
        (("--batch-for", "1KiB"), "E802"),
    ],
)
def test_wrong_requests(arguments: tuple[str, ...], code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["stats", "resnet18", *arguments]) == 1
    assert f"error[{code}]" in capsys.readouterr().err


def test_the_largest_batch_fits_and_one_more_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    execute(["stats", "resnet18", "--batch-for", "2GiB", "--json"])
    batch = json.loads(capsys.readouterr().out)["resnet18"]
    fits = [archdsl.stats("resnet18", batch=n).memory.training for n in (batch, batch + 1)]
    assert fits[0] is not None
    assert fits[1] is not None
    assert fits[0] <= 2 * 2**30 < fits[1]


def test_nothing_of_it_imports_torch() -> None:
    used = "s = archdsl.stats('resnet18'); str(s); s.memory; s.receptive_fields; s.training_macs"
    code = f"import archdsl, sys; {used}; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
