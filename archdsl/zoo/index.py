"""What ``archdsl list`` says of each bundled network, from an index that is kept beside the specs.

``specs/index.json`` spares the elaboration of all of them. It holds the digest of the specs it was made from; where
these have been edited since, everything is worked out anew. ``python -m tools.spec_index`` writes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from hashlib import sha256

from archdsl.zoo.bundled import INDEX, bundled, bundled_file, bundled_paths


@dataclass(frozen=True, slots=True)
class Summary:
    """A bundled network: its name, what its comment says of it, and its size as declared."""

    name: str
    family: str
    title: str
    parameters: int
    macs: int
    year: int | None
    paper: str | None


def summaries() -> list[Summary]:
    """Those of all bundled networks, by name."""
    entry = bundled_file(INDEX)
    index = json.loads(entry.read_text(encoding="utf-8")) if entry else {}
    if index.get("digest") == digest():
        return [Summary(**fields) for fields in index["networks"]]
    return computed()


def computed() -> list[Summary]:
    """The same, from the specs."""
    return list(map(_summary, bundled()))


def index_text(found: Iterable[Summary]) -> str:
    """The index as JSON, a network a line."""
    rows = ",\n".join(f"  {json.dumps(asdict(summary), ensure_ascii=False)}" for summary in found)
    return f'{{\n"digest": "{digest()}",\n"networks": [\n{rows}\n]\n}}\n'


def digest() -> str:
    """Of all bundled files, whatever ends their lines."""
    found = sha256()
    for path in bundled_paths():
        entry = bundled_file(path)
        assert entry is not None
        found.update(path.encode())
        found.update(b"\0".join(entry.read_bytes().splitlines()))
    return found.hexdigest()


def _summary(name: str) -> Summary:
    from archdsl.analysis.cost import cost
    from archdsl.compiler import load
    from archdsl.zoo.citations import citation

    graph = load(name)
    total, said = cost(graph), citation(graph.doc)
    return Summary(name, said.family, said.title, total.parameters, total.macs, said.year, said.paper)
