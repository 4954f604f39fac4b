"""Whole processes with their time and peak memory, alternating calls, and tables."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Process:
    """Seconds and peak MiB of a whole process."""

    seconds: float
    mebibytes: float


def process(arguments: Sequence[str], runs: int) -> Process:
    """The fastest of ``runs`` runs of ``python arguments``, and the largest peak of any."""
    found = [_one_process(arguments) for _ in range(runs)]
    return Process(min(p.seconds for p in found), max(p.mebibytes for p in found))


def _one_process(arguments: Sequence[str]) -> Process:
    start = time.perf_counter()
    child = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    if status != 0:
        raise SystemExit(f"failed: {' '.join(arguments)}")
    return Process(seconds, _peak_mebibytes(usage))


def _peak_mebibytes(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024)


def alternate(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> tuple[float, float, float]:
    """Median seconds of each, and the median ratio ours / theirs of neighbouring calls.

    Which goes first changes from round to round, so that a drift of the machine hits both.
    """
    pairs = []
    for turn in range(rounds):
        if turn % 2:
            second = timed(theirs)
            pairs.append((timed(ours), second))
        else:
            first = timed(ours)
            pairs.append((first, timed(theirs)))
    return (
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        statistics.median(a / b for a, b in pairs),
    )


def timed(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a Markdown table."""
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")
