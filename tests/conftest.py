"""What holds for every test: torchvision can be imported, torch's threads, hypothesis' profile."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

from tests.zoo import torchvision_import

torchvision_import.install()

# one thread for each of xdist's workers, and results that do not hang on the machine's cores
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")

settings.register_profile("archdsl", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if "CI" in os.environ else "archdsl")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of its own, which is the current one; Python modules from it are forgotten afterwards."""
    path = list(sys.path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.path[:] = path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture(scope="session")
def torchvision_models() -> ModuleType:
    """``torchvision.models``; tests that ask for it are skipped where torchvision is missing."""
    models: ModuleType = pytest.importorskip("torchvision.models")
    return models
