"""Checkpoints into models: strict, all faults in one diagnostic, and never a pickle that runs code."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

import torch
from torch import Tensor, nn

from archdsl.boundary.formats import missing_package
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError

_WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "module")
"""Keys under which training scripts put the state_dict beside optimiser state and the like."""

_DOTTED_NAME = re.compile(r"\.(norm|relu|conv)\.([12])\.")
"""In keys of torchvision's published DenseNet checkpoints, from when names could hold dots: ``norm.1``."""

_STARTS = (b"PK", b"\x80")
"""First bytes of torch's checkpoints: a ZIP archive or, of long ago, a pickle."""

_LISTED = 20
"""How many lines each fault takes at most."""


def load_weights(module: nn.Module, path: str | os.PathLike[str]) -> None:
    """Load a ``.safetensors`` file or a torch checkpoint into ``module``; all of it or nothing.

    The state_dict may be wrapped (``{"state_dict": ...}``) and come from DataParallel (``module.``).
    ``num_batches_tracked`` may be missing, as in checkpoints older than torch 0.4.1. Raises ArchError:
    E001, E002 or E601 where the file cannot be read or would run code, E602 where keys or shapes differ,
    E607 where safetensors is not installed.
    """
    if not isinstance(path, str | os.PathLike):
        hint = 'as in `weights="resnet50.pth"`'
        raise ArchError(Diagnostic("E001", f"a checkpoint is given by its path, not {path!r}", help=hint))
    state = _adapted(_read(Path(path)), module)
    _require_fit(module.state_dict(), state, Path(path).name)
    module.load_state_dict(state, strict=False)


def _read(path: Path) -> dict[str, Tensor]:
    if not path.exists():
        raise ArchError(Diagnostic("E001", f"weights file not found: {path}"))
    if path.is_dir():
        raise ArchError(Diagnostic("E002", f"cannot read {path}: it is a directory", help="name a file in it"))
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_checkpoint(path)
    return _unwrapped(content, path)


def _read_safetensors(path: Path) -> object:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise missing_package("safetensors", "to read .safetensors files") from error
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise _unreadable(path, f"it is no safetensors file ({error})") from error


def _read_checkpoint(path: Path) -> object:
    """Read with ``weights_only=True``: tensors and plain containers, or nothing."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except PermissionError as error:
        raise ArchError(Diagnostic("E002", f"cannot read {path}: {error.strerror}")) from error
    except Exception as error:  # torch.load ends broken files in errors of a dozen classes
        raise _refused(path, error) from error


def _refused(path: Path, error: Exception) -> ArchError:
    with path.open("rb") as file:
        start = file.read(2)
    if not start.startswith(_STARTS):
        return _unreadable(path, "it is no torch checkpoint" if start else "it is empty")
    if "weights_only" in str(error) or "Weights only load failed" in str(error):
        found = re.search(r"(?:GLOBAL|global:?) ([\w.]+)", str(error))
        why = f"it would run code ({found[1]})" if found else "it holds more than tensors and could run code"
        return _unreadable(path, why, "save the weights alone: torch.save(model.state_dict(), path)")
    what = str(error).splitlines()[0] if str(error) else type(error).__name__
    return _unreadable(path, f"it is no torch checkpoint ({what})")


def _unreadable(path: Path, why: str, help: str = "") -> ArchError:
    return ArchError(Diagnostic("E601", f"refused weights file {path}: {why}", help=help))


def _unwrapped(content: object, path: Path) -> dict[str, Tensor]:
    """The mapping of names to tensors in a checkpoint, however it is wrapped."""
    for _ in range(3):
        if not isinstance(content, Mapping):
            break
        if content and all(isinstance(value, Tensor) for value in content.values()):
            return _without_prefix({str(key): value for key, value in content.items()})
        content = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)), None)
    raise _unreadable(path, "it holds no state_dict (a mapping of names to tensors)")


def _without_prefix(state: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in ("module.", "_orig_mod."):
        if all(key.startswith(prefix) for key in state):
            state = {key[len(prefix) :]: value for key, value in state.items()}
    return state


def _adapted(state: dict[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """The same state under today's names, with the counters that old checkpoints lack."""
    own = module.state_dict()
    renamed: dict[str, Tensor] = {}
    for key, value in state.items():
        today = _DOTTED_NAME.sub(r".\1\2.", key)
        renamed[today if key not in own and today in own else key] = value
    counters = {key: value for key, value in own.items() if key.endswith("num_batches_tracked")}
    return {**counters, **renamed}


def _require_fit(own: Mapping[str, Tensor], state: Mapping[str, Tensor], name: str) -> None:
    missing = [key for key in own if key not in state]
    extra = [key for key in state if key not in own]
    misshapen = [key for key in state if key in own and state[key].shape != own[key].shape]
    if not missing and not extra and not misshapen:
        return
    offered = {key: _renamed(key, own, state, extra) for key in missing} if len(missing) <= _LISTED else {}
    notes = [
        *_first_of("missing", [line + offered.get(line, "") for line in _grouped(missing)]),
        *_first_of("not in the model", _grouped(extra)),
        *_first_of("other shape", [f"{key}: {_sizes(state[key])}, model has {_sizes(own[key])}" for key in misshapen]),
    ]
    counts = ((missing, "missing"), (extra, "not in the model"), (misshapen, "of another shape"))
    message = ", ".join(f"{len(keys)} {what}" for keys, what in counts if keys)
    help_ = "build the model that the checkpoint was saved from: check the network and its parameters"
    raise ArchError(Diagnostic("E602", f"{name} does not fit the model: {message}", notes=tuple(notes), help=help_))


def _first_of(title: str, lines: list[str]) -> Iterable[str]:
    yield from (f"{title}: {line}" for line in lines[:_LISTED])
    if len(lines) > _LISTED:
        yield f"{title}: and {len(lines) - _LISTED} more"


def _grouped(keys: list[str]) -> list[str]:
    """The keys; of more than can be listed, those of one module as ``layer4.* (120 keys)``, of the deepest that fit."""
    if len(keys) <= _LISTED:
        return keys
    deepest = max(key.count(".") for key in keys)
    groups: dict[str, list[str]] = {}
    for depth in range(deepest, 0, -1):
        groups = {}
        for key in keys:
            groups.setdefault(".".join(key.split(".")[: min(depth, key.count("."))]) or key, []).append(key)
        if len(groups) <= _LISTED:
            break
    return [f"{name}.* ({len(held)} keys)" if len(held) > 1 else held[0] for name, held in groups.items()] or keys


def _renamed(key: str, own: Mapping[str, Tensor], state: Mapping[str, Tensor], extra: list[str]) -> str:
    """The key of the file that the missing one may have there: one alike, of a tensor of the same shape."""
    alike = [other for other in extra[:1000] if state[other].shape == own[key].shape]
    near = get_close_matches(key, alike, 1, 0.8)
    return f" (the file has {near[0]})" if near else ""


def _sizes(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a single number"
