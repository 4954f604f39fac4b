"""The files of data that come with the package."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


def resource_folder(name: str) -> Traversable:
    """``docs``, ``grammar`` or ``specs``: inside an installed package, beside the package in a checkout."""
    installed = files("archdsl") / name
    return installed if installed.is_dir() else Path(__file__).resolve().parents[2] / name
