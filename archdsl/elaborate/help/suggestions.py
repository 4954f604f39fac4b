"""What to suggest for a name that nobody knows."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from archdsl.base.wording import did_you_mean
from archdsl.ops import ALL_OPS

_OTHER_ALIASES: dict[str, str] = {
    "add": "sum", "skip": "id", "shortcut": "id", "True": "true", "False": "false", "None": "none", "null": "none",
    "out": "out_channels", "channels": "out_channels", "filters": "out_channels", "kernel": "kernel_size",
    "ksize": "kernel_size", "size": "kernel_size", "strides": "stride", "pad": "padding", "group": "groups",
    "use_bias": "bias",
    "ceil_mode": "ceil", "features": "out_features", "units": "out_features", "rate": "p", "prob": "p",
    "he_normal": "kaiming_normal", "he_uniform": "kaiming_uniform", "glorot_normal": "xavier_normal",
    "glorot_uniform": "xavier_uniform", "truncated_normal": "trunc_normal",
    "num_classes": "classes", "n_classes": "classes", "epsilon": "eps", "weight_init": "init", "inputs": "in",
    "input": "in",
}  # fmt: skip
"""What people type for what is no op: functions, words of the language, arguments, initialisers, parameters."""

ALIASES: dict[str, str] = {alias: kind for kind, op in ALL_OPS.items() for alias in op.aliases} | _OTHER_ALIASES
"""What people type, and what it is called here; edit distance alone would not find these."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """``did you mean `conv`?``, or nothing where no known name is near."""
    return did_you_mean(nearest(name, known))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that ``name`` most likely stands for."""
    names = list(known)
    alias = ALIASES.get(name) or ALIASES.get(name.lower())
    if alias in names:
        return alias
    if name.lower() in names:
        return name.lower()
    return next(iter(get_close_matches(name, names, n=1, cutoff=0.7)), None) or _transposed(name, names)


def _transposed(name: str, names: list[str]) -> str | None:
    """A name of the same letters: ``cnov`` for ``conv``, which the ratio of difflib misses in short names."""
    return next((known for known in names if sorted(known) == sorted(name)), None)
