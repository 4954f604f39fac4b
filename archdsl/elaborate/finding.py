"""From what a user calls a spec to the parsed file, and to one of its networks."""

from __future__ import annotations

import os
from pathlib import Path

from archdsl.base.limits import Limits
from archdsl.base.source import Source
from archdsl.base.wording import did_you_mean, quoted
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError
from archdsl.elaborate.help.suggestions import nearest, suggestion
from archdsl.elaborate.loading import LoadedModule, Location, ModuleLoader, bundled_location
from archdsl.language import syntax
from archdsl.zoo.bundled import bundled

Spec = str | os.PathLike[str] | Source
"""A path, the name of a bundled spec, or a text."""


def read_spec(spec: Spec, limits: Limits) -> LoadedModule:
    """The parsed file with its imports. Raises ArchError with all faults of all files."""
    loader = ModuleLoader(limits)
    if isinstance(spec, str) and called(spec) is None:
        spec = Source("<string>", spec)
    module = loader.load_text(spec) if isinstance(spec, Source) else loader.load(locate(spec))
    loader.problems.raise_errors()
    assert module is not None
    return module


def called(spec: object) -> str | None:
    """The path or the name that a spec goes by; None where it is a text, or no spec."""
    if isinstance(spec, str) and ("\n" in spec or "{" in spec):
        return None
    return os.fsdecode(spec) if isinstance(spec, str | os.PathLike) else None


def locate(spec: str | os.PathLike[str]) -> Location:
    """Where a path or a bundled name leads. Raises ArchError E001 with the nearest names."""
    name = os.fsdecode(spec)
    path = Path(name)
    if path.suffix == ".arch" or _exists(path):
        return Location(name, path)
    if name in bundled():
        location = bundled_location(f"{name}.arch")
        assert location is not None
        return location
    beside = f"{name}.arch"
    near = beside if _is_file(beside) else nearest(name, [*bundled(), *(str(file) for file in Path().glob("*.arch"))])
    help_ = did_you_mean(near) or "`archdsl list` shows the bundled specs"
    raise ArchError(Diagnostic("E001", f"`{name}` is neither a file nor a bundled spec", help=help_))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name too long
        return False


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # a name too long, a null byte
        return False


def choose_network(module: LoadedModule, name: str | None) -> syntax.Network:
    """The network to build: by name, the only one, or the one named as its file. Raises ArchError."""
    networks = module.networks()
    if name is not None and name in networks:
        return networks[name]
    listed = quoted(networks)
    span = module.parsed.declarations[0].span if module.parsed.declarations else None
    if name is not None:
        hint = suggestion(name, networks) or (f"it has {listed}" if listed else "")
        message = f"`{module.source.name}` has no network `{name}`"
        raise ArchError(Diagnostic("E404", message, span, help=hint))
    if not networks:
        hint = "a network is declared as `network name { input 3x224x224 ... }`"
        raise ArchError(Diagnostic("E404", f"`{module.source.name}` declares no network", span, help=hint))
    stem = Path(module.source.name).stem
    if len(networks) > 1 and stem not in networks:
        hint = f"choose one with `--network`, or write `{module.source.name}:NAME`: {listed}"
        raise ArchError(Diagnostic("E405", f"`{module.source.name}` has several networks", span, help=hint))
    return networks[stem] if stem in networks else next(iter(networks.values()))
