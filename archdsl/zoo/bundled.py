"""The specs that come with the package."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

from archdsl.base.resources import resource_folder

FOLDER_NAME = "archdsl/specs"
"""How diagnostics and graphs name the folder, wherever it is installed."""

INDEX = "index.json"
"""The file beside the specs that says what ``archdsl list`` shows of them."""


def bundled() -> dict[str, Traversable]:
    """The bundled specs by name (``resnet50``), sorted; shared blocks are not among them."""
    found = {entry.name.removesuffix(".arch"): entry for entry in _folder().iterdir() if entry.name.endswith(".arch")}
    return dict(sorted(found.items()))


def bundled_file(path: str) -> Traversable | None:
    """The bundled file at ``path`` (``blocks/residual.arch``), if there is one."""
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or path.startswith("/"):
        return None
    entry = _folder()
    for part in parts:
        entry = entry / part
    return entry if entry.is_file() else None


def bundled_paths() -> list[str]:
    """Every bundled file as an import names it: ``resnet50.arch``, ``blocks/residual.arch``."""
    return sorted(_paths(_folder(), ""))


def _paths(folder: Traversable, prefix: str) -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _paths(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".arch"):
            yield prefix + entry.name


def _folder() -> Traversable:
    return resource_folder("specs")
