"""The commands. In a checkout they stand beside the package, in ``cli/``; an installed package has them here instead of
this file."""

from pathlib import Path

__path__ = [str(Path(__file__).resolve().parents[2] / "cli")]
