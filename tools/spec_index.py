"""``python -m tools.spec_index`` writes ``specs/index.json``, which ``archdsl list`` reads."""

from __future__ import annotations

from pathlib import Path

from archdsl.zoo.bundled import INDEX
from archdsl.zoo.index import index_text
from cli.list import computed_summaries

FILE = Path(__file__).parent.parent / "specs" / INDEX

if __name__ == "__main__":
    FILE.write_text(index_text(computed_summaries()), encoding="utf-8")
