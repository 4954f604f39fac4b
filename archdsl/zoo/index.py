"""What ``archdsl list`` says of each bundled network, from an index that is kept beside the specs.

``specs/index.json`` spares the elaboration of all of them. It holds the digest of the specs it was made from; where
these have been edited since, it says nothing, and the command works everything out anew. ``python -m tools.spec_index``
writes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from hashlib import sha256

from archdsl.zoo.bundled import INDEX, bundled_file, bundled_paths
from archdsl.zoo.citations import citation


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

    @classmethod
    def of(cls, name: str, comment: str, parameters: int, macs: int) -> Summary:
        """Of a network with this comment and this size."""
        said = citation(comment)
        return cls(name, said.family, said.title, parameters, macs, said.year, said.paper)


def indexed() -> list[Summary] | None:
    """Those of all bundled networks, by name; None where the index is missing or the specs are others."""
    entry = bundled_file(INDEX)
    index = json.loads(entry.read_text(encoding="utf-8")) if entry else {}
    if index.get("digest") != digest():
        return None
    return [Summary(**fields) for fields in index["networks"]]


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
