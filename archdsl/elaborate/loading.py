"""Files and what they define; imports between them."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from pathlib import Path

from archdsl.base.limits import Limits, how_to_raise
from archdsl.base.source import Source, Span
from archdsl.base.wording import did_you_mean, quoted
from archdsl.diagnostics.codes import ErrorCode
from archdsl.diagnostics.model import Diagnostic, Label
from archdsl.diagnostics.problems import ArchError, Problems
from archdsl.elaborate.help.suggestions import nearest, suggestion
from archdsl.language import syntax
from archdsl.language.parser import parse
from archdsl.zoo.bundled import FOLDER_NAME, bundled_file, bundled_paths


@dataclass(frozen=True, slots=True)
class Location:
    """A file: the name that diagnostics show, and how to reach its bytes and its neighbours."""

    name: str
    file: Path | Traversable
    bundled_path: str | None = None
    """Its path below the bundled specs, where it is one of them."""

    @property
    def key(self) -> str:
        return f"bundled:{self.bundled_path}" if self.bundled_path is not None else os.path.realpath(str(self.file))


@dataclass(slots=True, eq=False)
class LoadedModule:
    """A parsed file with its imports resolved."""

    source: Source
    location: Location | None
    parsed: syntax.Module
    definitions: dict[str, syntax.Definition] = field(default_factory=dict)
    imports: dict[str, tuple[LoadedModule, str]] = field(default_factory=dict)
    defaults: tuple[syntax.Default, ...] = ()

    def find(self, name: str) -> tuple[LoadedModule, syntax.Definition] | None:
        """The definition that ``name`` means in this file, and the file that holds it."""
        if name in self.definitions:
            return self, self.definitions[name]
        if name in self.imports:
            module, original = self.imports[name]
            return module.find(original)
        return None

    def names(self) -> list[str]:
        return [*self.definitions, *self.imports]

    def networks(self) -> dict[str, syntax.Network]:
        return {name: d for name, d in self.definitions.items() if isinstance(d, syntax.Network)}


def read_source(location: Location, limits: Limits, importer: Span | None = None) -> Source:
    """The text of a file. Raises ArchError: E001, E002 or E501, placed at the import if there is one."""

    def refuse(code: ErrorCode, message: str, help: str = "") -> ArchError:
        return ArchError(Diagnostic(code, message, importer, help=help))

    name = location.name
    try:
        with location.file.open("rb") as file:
            data = file.read(limits.source_bytes + 1)
    except FileNotFoundError:
        raise refuse("E001", f"there is no file `{name}`") from None
    except IsADirectoryError:
        raise refuse("E002", f"`{name}` is a directory, not a file") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise refuse("E002", f"cannot read `{name}`: {reason}") from None
    if len(data) > limits.source_bytes:
        raise refuse(
            "E501",
            f"`{name}` is larger than {limits.source_bytes} bytes",
            how_to_raise("source_bytes", limits.source_bytes),
        )
    try:
        return Source(name, data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise refuse("E002", f"`{name}` is not UTF-8: byte {error.start} is 0x{data[error.start]:02x}") from None


class ModuleLoader:
    """Loads a file and all that it imports, each once; finds every fault in them before it raises."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.problems = Problems()
        self._loaded: dict[str, LoadedModule] = {}
        self._loading: list[tuple[str, str]] = []

    def load(self, location: Location, importer: Span | None = None) -> LoadedModule | None:
        """The module at ``location``; None where it could not be loaded (see ``problems``)."""
        if location.key in self._loaded:
            return self._loaded[location.key]
        if any(key == location.key for key, _ in self._loading):
            self._report_cycle(location, importer)
            return None
        self._loading.append((location.key, location.name))
        try:
            module = self._parse(lambda: read_source(location, self.limits, importer), location)
        finally:
            self._loading.pop()
        if module is not None:
            self._loaded[location.key] = module
        return module

    def load_text(self, source: Source) -> LoadedModule | None:
        """A module from a text that has no file; its imports are looked up in the working directory."""
        return self._parse(lambda: source, None)

    def _parse(self, read: Callable[[], Source], location: Location | None) -> LoadedModule | None:
        try:
            source = read()
        except ArchError as error:
            self.problems.extend(error.diagnostics)
            return None
        parsed = parse(source, self.limits)
        self.problems.extend(parsed.diagnostics)
        return None if parsed.diagnostics else self._resolve(LoadedModule(source, location, parsed.module))

    def _resolve(self, module: LoadedModule) -> LoadedModule:
        places: dict[str, Span] = {}
        defaults = []
        for declaration in module.parsed.declarations:
            if isinstance(declaration, syntax.Import):
                self._import(module, declaration, places)
            elif isinstance(declaration, syntax.Default):
                defaults.append(declaration)
            elif self._is_new(declaration.name, places):
                module.definitions[declaration.name.name] = declaration
        module.defaults = tuple(defaults)
        return module

    def _is_new(self, name: syntax.Name, places: dict[str, Span]) -> bool:
        first = places.setdefault(name.name, name.span)
        if first is not name.span:
            self._report(
                "E202",
                f"`{name.name}` is defined twice in this file",
                name.span,
                labels=(Label(first, "first defined here"),),
                help="rename one of them",
            )
        return first is name.span

    def _import(self, module: LoadedModule, declaration: syntax.Import, places: dict[str, Span]) -> None:
        imported = self._imported_module(module, declaration)
        for name in declaration.names:
            if not self._is_new(name, places) or imported is None:
                continue
            if imported.find(name.name) is None:
                known = imported.names()
                offered = suggestion(name.name, known) or f"it defines {quoted(known) or 'nothing'}"
                message = f"`{imported.source.name}` does not define `{name.name}`"
                self._report("E403", message, name.span, help=offered)
            else:
                module.imports[name.name] = (imported, name.name)

    def _imported_module(self, module: LoadedModule, declaration: syntax.Import) -> LoadedModule | None:
        path = "".join(part for part in declaration.path.parts if isinstance(part, str))
        if any(not isinstance(part, str) for part in declaration.path.parts):
            self._report("E401", "an import's path is plain text, without `{...}`", declaration.path.span)
            return None
        if not path.endswith(".arch"):
            self._report("E401", f'`{path}` is no `.arch` file: "{path}.arch"?', declaration.path.span)
            return None
        location = find_import(module, path)
        if location is None:
            self._report_missing(module, path, declaration.path.span)
            return None
        return self.load(location, declaration.path.span)

    def _report_missing(self, module: LoadedModule, path: str, span: Span) -> None:
        near = nearest(path, bundled_paths())
        beside = "the importing file" if module.location else "the working directory"
        message = f"`{path}` is found neither beside {beside} nor among the bundled specs"
        self._report("E401", message, span, help=did_you_mean(near))

    def _report_cycle(self, location: Location, importer: Span | None) -> None:
        start = next(i for i, (key, _) in enumerate(self._loading) if key == location.key)
        ring = " -> ".join([*(name for _, name in self._loading[start:]), location.name])
        self._report("E402", f"these files import each other: {ring}", importer, help="move what both need to a third")

    def _report(
        self, code: ErrorCode, message: str, span: Span | None, *, labels: tuple[Label, ...] = (), help: str = ""
    ) -> None:
        self.problems.add(Diagnostic(code, message, span, labels, help=help))


def find_import(module: LoadedModule, path: str) -> Location | None:
    """Where an import leads: beside the importing file first, then among the bundled specs."""
    here = module.location
    if here is not None and here.bundled_path is not None:
        beside = posixpath.normpath(posixpath.join(posixpath.dirname(here.bundled_path), path))
        return bundled_location(beside) or bundled_location(path)
    folder = Path(str(here.file)).parent if here else Path()
    candidate = folder / path
    if candidate.is_file():
        shown = os.path.normpath(Path(here.name).parent / path if here else path)
        return Location(shown, candidate)
    return bundled_location(posixpath.normpath(path))


def bundled_location(path: str) -> Location | None:
    """The bundled file at ``path`` below the specs."""
    file = bundled_file(path)
    return Location(f"{FOLDER_NAME}/{path}", file, path) if file is not None else None
