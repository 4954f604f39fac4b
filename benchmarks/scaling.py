"""Source text to Graph, with shapes and costs, at growing size."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import archdsl
from archdsl.analysis.cost import cost
from benchmarks.measure import process, table, timed

RESIDUAL = """
block unit(n) {{ (conv(n, 3) -> bn -> relu) + id }}
network deep {{
    input 16x32x32
    stage body {{ unit(16) x {units} }}
}}
"""
LAYERS_A_UNIT = 4


def residual(layers: int) -> str:
    """A residual net of ``layers`` layers, by a repeat."""
    return RESIDUAL.format(units=layers // LAYERS_A_UNIT)


def written_out(layers: int) -> str:
    """As many layers, each residual unit a line of its own."""
    lines = "\n".join(["    (conv(16, 3) -> bn -> relu) + id"] * (layers // LAYERS_A_UNIT))
    return f"network deep {{\n    input 16x32x32\n{lines}\n}}\n"


def compile_and_count(text: str) -> None:
    """All the way to the totals."""
    cost(archdsl.load(text))


def shortest(call: Callable[[], None]) -> float:
    """Seconds of the fastest of three calls."""
    return min(timed(call) for _ in range(3))


def main() -> None:
    rows = []
    for title, make in (("repeated block", residual), ("one line a unit", written_out)):
        texts = {layers: make(layers) for layers in (10_000, 100_000)}
        seconds = {layers: shortest(partial(compile_and_count, text)) for layers, text in texts.items()}
        for layers, spent in seconds.items():
            ratio = f"{spent / seconds[10_000]:.1f}"
            rows.append([title, f"{layers:,}", f"{spent:.2f} s", f"{1e6 * spent / layers:.1f} µs", ratio])
    table(["source", "layers", "text to Graph and costs", "a node", "to 10,000"], rows)
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "deep.arch"
        spec.write_text(residual(10_000), encoding="utf-8")
        whole = process(["-m", "archdsl", "stats", str(spec)], 5)
    print(f"\n`archdsl stats` of 10,000 layers, whole process: {whole.seconds:.2f} s, {whole.mebibytes:.0f} MiB")
