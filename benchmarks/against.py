"""This checkout against an earlier commit, in one run: ``python -m benchmarks.against REVISION [rounds]``.

For changes that must cost nothing: whole processes of the command, and parts of the pipeline within a process, each as
the ratio of the fastest runs. The two take turns, so that a drift of the machine hits both.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import table
from benchmarks.scaling import residual, written_out

ROOT = Path(__file__).parent.parent

COMMANDS = (
    ("list",),
    ("check", "specs/resnet50.arch"),
    ("stats", "resnet50"),
    ("stats", "densenet201", "--columns", "params,macs,memory,rf"),
    ("stats", "{deep}"),
)

PARTS = {
    "load resnet152": ("import archdsl; archdsl.load('resnet18')", "archdsl.load('resnet152')", 10),
    "load swin_t": ("import archdsl; archdsl.load('resnet18')", "archdsl.load('swin_t')", 10),
    "load 25,000 lines": ("import archdsl; text = open('{lines}').read()", "archdsl.load(text)", 1),
    "build resnet50": ("import archdsl; graph = archdsl.load('resnet50')", "archdsl.build(graph)", 5),
    "build densenet121, with its code": (
        "import archdsl; graph = archdsl.load('densenet121')",
        "archdsl.build(graph).code",
        5,
    ),
}
"""What is made ready, what is timed, how often in one process."""

TIMED = """
import gc, sys, time
{ready}
def run():
    gc.collect()
    start = time.perf_counter()
    {timed}
    return time.perf_counter() - start
print(min(run() for _ in range({times})))
"""


def check_out(revision: str, folder: Path) -> Path:
    """The commit's files, in a folder of their own."""
    archive, tree = folder / "before.tar", folder / "before"
    subprocess.run(["git", "archive", "--output", archive, revision], cwd=ROOT, check=True)
    shutil.unpack_archive(archive, tree)
    return tree


def main(revision: str, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        before = check_out(revision, Path(folder))
        deep, lines = Path(folder) / "deep.arch", Path(folder) / "lines.arch"
        deep.write_text(residual(10_000), encoding="utf-8")
        lines.write_text(written_out(100_000), encoding="utf-8")
        rows = []
        for command in COMMANDS:
            arguments = ["-m", "archdsl", *(word.format(deep=deep) for word in command)]
            rows.append(_row(f"`archdsl {' '.join(command)}`", arguments, before, rounds))
        for name, (ready, timed, times) in PARTS.items():
            script = TIMED.format(ready=ready.format(lines=lines), timed=timed, times=times)
            rows.append(_row(name, ["-c", script], before, rounds))
    table(["what", "now", "before", "now / before"], rows)


def _row(title: str, arguments: list[str], before: Path, rounds: int) -> list[str]:
    seconds: dict[Path, list[float]] = {ROOT: [], before: []}
    for turn in range(rounds + 1):
        for tree in (ROOT, before) if turn % 2 else (before, ROOT):
            spent = _spent(arguments, tree)
            if turn:  # the first run writes bytecode and caches
                seconds[tree].append(spent)
    now, then = min(seconds[ROOT]), min(seconds[before])
    return [title, f"{1e3 * now:.0f} ms", f"{1e3 * then:.0f} ms", f"{now / then:.2f}"]


def _spent(arguments: list[str], tree: Path) -> float:
    """Seconds of the process; those that it prints itself where it is a script."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], cwd=tree, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return float(done.stdout) if arguments[0] == "-c" else time.perf_counter() - start


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python -m benchmarks.against REVISION [rounds]")
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else 7)
