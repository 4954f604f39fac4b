"""Which devices torch can use here."""

from __future__ import annotations

import torch

from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError


def usable_device(name: str | torch.device) -> torch.device:
    """The device of this name. Raises ArchError E604 where torch does not know it or cannot use it."""
    help_ = 'build on the CPU: `--device cpu`, `device="cpu"`'
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        raise ArchError(Diagnostic("E604", f"torch knows no device `{name}`", help=help_)) from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ArchError(Diagnostic("E604", "there is no CUDA device that torch can use", help=help_))
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise ArchError(Diagnostic("E604", f"there is no `{device}`: torch sees {count} CUDA device(s)", help=help_))
    try:
        torch.empty(0, device=device)
    except (RuntimeError, NotImplementedError):
        raise ArchError(Diagnostic("E604", f"torch cannot use `{device}` here", help=help_)) from None
    return device
