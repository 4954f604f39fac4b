"""What holds for every test: torchvision can be imported, torch's threads, hypothesis' profile."""

from __future__ import annotations

import os
from types import ModuleType

import pytest
from hypothesis import settings

from tests import torchvision_import

torchvision_import.install()

# one thread for each of xdist's workers, and results that do not hang on the machine's cores
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")

settings.register_profile("archdsl", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if "CI" in os.environ else "archdsl")


@pytest.fixture(scope="session")
def torchvision_models() -> ModuleType:
    """``torchvision.models``; tests that ask for it are skipped where torchvision is missing."""
    models: ModuleType = pytest.importorskip("torchvision.models")
    return models
