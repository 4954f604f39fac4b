"""Which artifacts can be written, and what that needs; asked before long work, so nothing here imports torch."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError

FORMATS: dict[str, tuple[str, ...]] = {
    ".py": (),
    ".pt2": (),
    ".onnx": ("onnx", "onnxscript"),
    ".safetensors": ("safetensors",),
    ".json": (),
}
"""Suffixes, and the optional packages that write them."""


def check_format(path: str | os.PathLike[str]) -> str:
    """The format of a file name: its suffix. Raises ArchError E605, or E607 where a package is missing."""
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        message = f"`{suffix}` is no artifact format" if suffix else f"`{os.fspath(path)}` has no suffix"
        raise ArchError(Diagnostic("E605", message, help=f"the formats are {', '.join(FORMATS)}"))
    for package in FORMATS[suffix]:
        if find_spec(package) is None:
            raise missing_package(package, f"to write {suffix} files")
    return suffix


def missing_package(package: str, purpose: str) -> ArchError:
    """The error for an optional package that is needed ``purpose`` (``to write .onnx files``)."""
    return ArchError(
        Diagnostic("E607", f"{package} is needed {purpose} and is not installed", help=f"`pip install {package}`")
    )
