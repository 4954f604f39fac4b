"""A network's totals as figures: its inputs and outputs, what it costs, what memory it takes, and what is amiss."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from archdsl.views.analyses import Analyses
from archdsl.views.columns import shows_fields
from archdsl.views.field_figures import misaligned_texts
from archdsl.views.figures import BYTES, COUNT, SHAPES, TEXT, Figure


def network_figures(stats: Analyses, *, with_training: bool = False) -> list[Figure[Any]]:
    """What is said of every network; MACs and FLOPs both by name, and on demand the MACs of a training step."""
    nodes = stats.graph.nodes
    training = [Figure("training_macs", "MACs of training", COUNT, stats.training_macs)] if with_training else []
    return [
        Figure("inputs", "input", SHAPES, {node.path: node.type for node in stats.graph.inputs}),
        Figure("outputs", "output", SHAPES, {output.name: nodes[output.node].type for output in stats.graph.outputs}),
        Figure("parameters", "parameters", COUNT, stats.parameters),
        Figure("buffers", "buffers", COUNT, stats.buffers),
        Figure("macs", "MACs", COUNT, stats.macs),
        Figure("flops", "FLOPs (2 x MACs)", COUNT, stats.flops),
        *training,
        Figure("depth", "depth", COUNT, stats.depth),
    ]


def memory_figures(stats: Analyses) -> list[Figure[Any]]:
    """The network's memory in bytes, as totals show it; None where an op of the user's own does not say."""
    found = stats.memory
    peak = f"most at {stats.graph.nodes[found.peak_node].path}" if found.peak_node is not None else ""
    return [
        Figure("weights", "weights", BYTES, found.parameters + found.buffers),
        Figure("gradients", "gradients", BYTES, found.gradients),
        Figure("optimizer_state", "optimizer", BYTES, found.optimizer_state),
        Figure("activations", "kept for backward", BYTES, found.activations),
        Figure("concatenations", "  by concatenation", BYTES, found.concatenations),
        Figure("training", "training", BYTES, found.training),
        Figure("inference", "inference", BYTES, found.inference, peak),
    ]


def memory_data(stats: Analyses) -> dict[str, Any]:
    """All that is known of the memory and what it is for; ``unknown`` are the paths of ops that do not say."""
    found, nodes = stats.memory, stats.graph.nodes
    names = (
        "batch", "dtype", "device", "optimizer", "parameters", "buffers", "gradients", "optimizer_state", "activations",
        "concatenations", "training", "inference_peak", "inference",
    )  # fmt: skip
    peak = nodes[found.peak_node].path if found.peak_node is not None else None
    unknown = [nodes[i].path for i in found.unknown]
    return {**{name: getattr(found, name) for name in names}, "inference_peak_at": peak, "unknown": unknown}


def totals(stats: Analyses, columns: Sequence[str] = ()) -> list[Figure[Any]]:
    """The network's figures, with memory and fields where a column shows them."""
    found = network_figures(stats)
    if "memory" in columns:
        found += [_memory_settings(stats), *memory_figures(stats)]
        found += _unsaid(stats, stats.memory.unknown, "unknown memory", "`memory` says what it takes")
    if shows_fields(columns):
        found += _unsaid(stats, stats.receptive_fields.unknown, "unknown fields", "`reads` says what it reads")
        found += [Figure("misaligned", "misaligned", TEXT, text) for text in misaligned_texts(stats)]
    return found


def total_lines(stats: Analyses, columns: Sequence[str] = ()) -> list[tuple[str, str]]:
    """The totals as they stand below a table."""
    return [figure.line for figure in totals(stats, columns)]


def _memory_settings(stats: Analyses) -> Figure[str]:
    found = stats.memory
    settings = f"batch {found.batch:,}, {found.dtype}, {found.optimizer}, {found.device}"
    return Figure("settings", "memory for", TEXT, settings)


def _unsaid(stats: Analyses, unknown: Iterable[int], title: str, lacking: str) -> list[Figure[Any]]:
    """Which ops of the user's own do not say it: ``no method `reads` says what it reads: `grn` at grn1``."""
    first: dict[str, str] = {}
    for node in unknown:
        first.setdefault(stats.graph.nodes[node].op.kind, stats.graph.nodes[node].path)
    places = ", ".join([f"`{kind}` at {path}" for kind, path in first.items()])
    return [Figure("unknown", title, TEXT, f"no method {lacking}: {places}")] if first else []
