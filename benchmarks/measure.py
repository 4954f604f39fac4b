"""Whole processes with their time and peak memory, alternating calls, and tables."""

from __future__ import annotations

import gc
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


_MEASURED = """
import os, resource, subprocess, sys, time
start = time.perf_counter()
child = subprocess.Popen([sys.executable, *sys.argv[1:]], stdout=subprocess.DEVNULL)
status, usage = os.wait4(child.pid, 0)[1:]
print(time.perf_counter() - start, usage.ru_maxrss, status)
"""
"""Runs in a process of its own: a child begins with the memory of the one that forks it."""


def _one_process(arguments: Sequence[str]) -> Process:
    found = subprocess.run(
        [sys.executable, "-c", _MEASURED, *arguments], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.split()
    if found[2] != "0":
        raise SystemExit(f"failed: {' '.join(arguments)}")
    units_a_mebibyte = 1024 * 1024 if sys.platform == "darwin" else 1024
    return Process(float(found[0]), int(found[1]) / units_a_mebibyte)


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
    """Seconds of one call, on memory that earlier ones have given back; freeing its result does not count."""
    gc.collect()
    start = time.perf_counter()
    result = call()
    seconds = time.perf_counter() - start
    del result
    return seconds


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a Markdown table."""
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")
