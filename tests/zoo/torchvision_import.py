"""Makes ``import torchvision`` work beside a torch build that its compiled operators do not load into."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from typing_extensions import override

if TYPE_CHECKING:
    from torch.library import Library

_libraries: list[Library] = []  # torch drops the operators with the last reference to their library


class _TorchvisionShim(MetaPathFinder):
    """Acts when torchvision is first imported, so that tests which need no torch do not load it."""

    @override
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            spec = PathFinder.find_spec(fullname, path)
            if spec is not None and not _compiled_operators_load(spec):
                _declare_operators()
        return None


def install() -> None:
    """From now on the first ``import torchvision`` finds the operators it registers meta kernels for."""
    sys.meta_path.insert(0, _TorchvisionShim())


def _compiled_operators_load(spec: ModuleSpec) -> bool:
    import torch

    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    libraries = [library for folder in folders for library in folder.glob("_C*")]
    try:
        for library in libraries:
            torch.ops.load_library(library)
    except OSError:
        return False
    return bool(libraries)


def _declare_operators() -> None:
    from torch.library import Library

    library = Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _libraries.append(library)
