"""A spec to start from: an existing network extended, with all that could be changed written out as comments."""

from __future__ import annotations

import os
import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent, wrap

from archdsl.base.names import NAME_RULE, is_name
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError
from archdsl.elaborate.loading import LoadedModule
from archdsl.graph.model import Graph
from archdsl.language import syntax
from archdsl.language.bases import bases, open_parameters
from archdsl.language.binder import free_names
from archdsl.request import Request
from archdsl.zoo.citations import citation

_WIDTH = 100
_LABELLED = (syntax.Labelled, syntax.Group, syntax.Braces, syntax.Step, syntax.Body, syntax.Sequence)
"""What sections may stand inside, besides the network itself."""


_Local = dict[str, syntax.Let | syntax.Block]
"""The definitions in a network's body, by name."""


@dataclass(slots=True)
class _Parts:
    """What a variant may replace, by name, each with the file that it is written in; outer variants win."""

    parameters: dict[str, syntax.Parameter] = field(default_factory=dict)
    input: syntax.Input | None = None
    sections: dict[tuple[str, str], tuple[LoadedModule, syntax.Section, _Local]] = field(default_factory=dict)
    definitions: dict[str, tuple[LoadedModule, syntax.Definition]] = field(default_factory=dict)


def starting_spec(base: Request, target: Path) -> str:
    """The text of a spec for ``target`` that extends the network of ``base`` and changes nothing yet.

    The base's input, its sections, and the blocks and functions that it uses stand in it as comments that say the same
    again: lines of code follow their ``#`` at once, a remark after a space. Raises ArchError: what loading the base
    raises, E603 where the target's name does not do.
    """
    module, chosen = base.module, base.chosen
    name = _network_name(target, chosen.name.name)
    parts = _Parts()
    _gather(module, chosen, parts)
    if all(parameter.default is not None for parameter in parts.parameters.values()):
        _drop_unused_blocks(parts, base.graph())
    return _Writer(module, chosen, parts, target).text(name)


def _network_name(target: Path, base: str) -> str:
    name = target.stem.replace("-", "_").replace(" ", "_")
    if target.suffix != ".arch":
        raise _refused(target, "specs end in .arch", f"write {target.with_suffix('.arch')}")
    if not (name.isascii() and is_name(name)):
        raise _refused(target, f"`{name}` cannot be a network's name", NAME_RULE)
    if name == base:
        raise _refused(target, "a variant needs another name than its base", f"write my_{name}.arch, say")
    return name


def _refused(target: Path, why: str, help_: str) -> ArchError:
    return ArchError(Diagnostic("E603", f"cannot write {target}: {why}", help=help_))


# ---- what the base consists of -------------------------------------------------------------------


def _gather(module: LoadedModule, network: syntax.Network, parts: _Parts) -> None:
    """Everything of the network and its bases, outermost first."""
    chain = list(bases(module, network))
    parts.parameters = open_parameters([each for _, each in chain])
    bodies = [(file, each.body, each.base is not None) for file, each in chain if each.body is not None]
    for file, body, is_variant in bodies:
        parts.input = parts.input or next((s for s in body.statements if isinstance(s, syntax.Input)), None)
        if is_variant:
            for name, definition in _definitions(body).items():
                parts.definitions.setdefault(name, (file, definition))
    for file, override in list(parts.definitions.values()):
        _gather_definitions(file, _used_names(override, file), parts)
    for file, body, is_variant in bodies:
        _gather_body(file, body, parts, {} if is_variant else _definitions(body))


def _definitions(body: syntax.Body) -> _Local:
    return {s.name.name: s for s in body.statements if isinstance(s, syntax.Let | syntax.Block)}


def _gather_body(module: LoadedModule, body: syntax.Body, parts: _Parts, local: _Local) -> None:
    """The body's sections, but for those that a variant replaced, and what it uses outside those."""
    used = Counter(_used_names(body, module))
    found = [(s.kind, s.label.span.text if s.label is not None else "") for s in _sections(body)]
    for key, section in zip(found, _sections(body), strict=True):
        if key in parts.sections:
            used -= Counter(_used_names(section, module))
        elif found.count(key) == 1:  # else a variant cannot say which it means
            parts.sections[key] = (module, section, local)
    _gather_definitions(module, used, parts)


def _gather_definitions(module: LoadedModule, names: Iterable[str], parts: _Parts) -> None:
    """The file-level definitions of these names, and those that they use."""
    for name in dict.fromkeys(names):
        found = module.find(name)
        if found is not None and not isinstance(found[1], syntax.Network) and name not in parts.definitions:
            parts.definitions[name] = found
            _gather_definitions(found[0], _used_names(found[1], found[0]), parts)


def _used_names(node: syntax.Node, module: LoadedModule) -> list[str]:
    """What a part needs of its file, the last use first: so what comes late stands closest to the steps it makes."""
    return [*free_names(node, module)][::-1]


def _sections(node: object) -> Iterator[syntax.Section]:
    """The sections that are written once: none in loops or conditions."""
    if isinstance(node, syntax.Section):
        yield node
    elif isinstance(node, syntax.Body):
        for statement in node.statements:
            yield from _sections(statement)
    elif isinstance(node, _LABELLED):
        for name in ("layer", "value", "body", "content"):
            yield from _sections(getattr(node, name, None))


def _drop_unused_blocks(parts: _Parts, graph: Graph) -> None:
    """Leaves out blocks that the network could use but, with the arguments that it gives, does not."""
    used = {s.definition.place for node in graph.nodes for s in node.scope.ancestors() if s.definition}
    for name, (_, definition) in list(parts.definitions.items()):
        if isinstance(definition, syntax.Block) and definition.name.span.place not in used:
            del parts.definitions[name]


# ---- how it is written ---------------------------------------------------------------------------


class _Writer:
    """Lines of the new spec."""

    def __init__(self, module: LoadedModule, network: syntax.Network, parts: _Parts, target: Path) -> None:
        self.module = module
        self.base = network.name.name
        self.title = citation(network.doc).title
        self.parts = parts
        self.folder = target.resolve().parent
        self.target = target
        self.defaults: dict[str, str] = {}

    def text(self, name: str) -> str:
        """The whole file."""
        title = f" ({self.title})" if self.title and self.title != self.base else ""
        lines = [
            *_comment(f"{name}: a variant of {self.base}{title}. As it stands it changes nothing."),
            *_comment(f"Take the `#` away where you want something else. `archdsl stats {self._reference()}"
                      f" {self.target.name}` shows both side by side."),
            f'from "{self._path(self.module)}" import {self.base}',
            *self._imports(),
            "",
            f"network {name} extends {self.base} {{",
            *self._indented(self._inside()),
            "}",
        ]  # fmt: skip
        return "\n".join(lines) + "\n"

    def _reference(self) -> str:
        """What the command line calls the base in the folder of the new file."""
        if self.module.location and self.module.location.bundled_path:
            return self.base
        path = self._path(self.module)
        return f"{path}:{self.base}" if len(self.module.networks()) > 1 else path

    def _inside(self) -> list[str]:
        lines: list[str] = []
        if self.parts.parameters:
            listed = ", ".join(p.span.text for p in self.parts.parameters.values())
            first = next(iter(self.parts.parameters))
            how = f"`--set {first}=...`, or fixed above, as in `extends {self.base}({first} = ...)`"
            lines += _comment(f"Parameters, to be set from outside by {how}: {listed}")
        if self.parts.input is not None:
            lines += ["", *self._code(self.parts.input)]
        if self.parts.sections:
            lines += ["", "# Its parts; one that is written here takes the place of the base's."]
            for module, section, lets in self.parts.sections.values():
                lines += [*self._other_defaults(module, section), *self._section(section, lets)]
        if self.parts.definitions:
            lines += ["", "# What it is made of; one that is written here is used wherever the base uses that name."]
            for module, definition in self.parts.definitions.values():
                lines += [*self._other_defaults(module, definition), *self._code(definition)]
        lines += ["", "# Any op can be replaced likewise, arguments preset, and what must hold be stated."]
        examples = ["let relu = silu", "default bn(eps = 1e-3)", "output features: id", "assert params < 100M"]
        return [*lines, *(f"#{example}" for example in examples)]

    def _code(self, node: syntax.Node) -> list[str]:
        """The node's text, its first line flush left."""
        start = node.span.source.text.rfind("\n", 0, node.span.start) + 1
        indent = " " * (node.span.start - start)
        return [f"#{line}".rstrip() for line in dedent(indent + node.span.text).splitlines()]

    def _section(self, section: syntax.Section, lets: _Local) -> list[str]:
        """The section with the base's local definitions that it uses."""
        used = _needed(section, lets, self.module)
        if not used:
            return self._code(section)
        head, _, rest = section.span.text.partition("{")
        inner = [line for let in used for line in self._code(let)]
        body = rest.rpartition("}")[0].strip("\n ")
        start = section.span.source.text.rfind("\n", 0, section.span.start) + 1
        indent = section.span.start - start + 4
        body_lines = dedent(" " * indent + body if "\n" in body else body).splitlines()
        return [
            f"#{head}{{",
            *(line.replace("#", "#    ", 1) for line in inner),
            *(f"#    {line}".rstrip() for line in body_lines),
            "#}",
        ]

    def _imports(self) -> list[str]:
        """Imports and defaults that the commented parts need once they are none."""
        wanted: dict[str, dict[str, None]] = {}
        for module, node in self._nodes():
            for op, text in self._defaults(module, node).items():
                self.defaults.setdefault(op, text)
            for name in _used_names(node, module):
                found = module.find(name)
                if found is not None and name != self.base:
                    wanted.setdefault(self._path(found[0]), {})[name] = None
        lines = [f'from "{path}" import {", ".join(names)}' for path, names in wanted.items()]
        return [f"#{line}" for line in [*lines, *self.defaults.values()]]

    def _nodes(self) -> Iterator[tuple[LoadedModule, syntax.Node]]:
        """What may be copied from other files, each with its file."""
        yield from self.parts.definitions.values()
        for module, section, lets in self.parts.sections.values():
            yield module, section
            yield from ((module, let) for let in _needed(section, lets, module))

    def _defaults(self, module: LoadedModule, node: syntax.Node) -> dict[str, str]:
        """The ``default`` statements of a file that reach the steps in ``node``, by op."""
        used = set(_used_names(node, module))
        return {default.op.name: default.span.text for default in module.defaults if default.op.name in used}

    def _other_defaults(self, module: LoadedModule, node: syntax.Node) -> list[str]:
        """Remarks where the defaults at the top of the new file are not those of the node's own."""
        own, used = self._defaults(module, node), set(_used_names(node, module))
        differing = [op for op, text in self.defaults.items() if op in used and own.get(op) != text]
        return [f"# In its own file {own.get(op, f'no `default {op}`')} holds for this one." for op in differing]

    def _path(self, module: LoadedModule) -> str:
        """How the new file names another in an import."""
        location = module.location
        if location is None:
            raise _refused(self.target, "a spec without a file cannot be imported", "save the base as a file first")
        if location.bundled_path is not None:
            if (self.folder / location.bundled_path).exists():
                why = f"the file {location.bundled_path} beside it would be taken for the bundled one"
                raise _refused(self.target, why, "write it into another folder")
            return location.bundled_path
        return posixpath.join(*Path(_relative(str(location.file), self.folder)).parts)

    def _indented(self, lines: Iterable[str]) -> list[str]:
        return [f"    {line}" if line else "" for line in lines]


def _needed(section: syntax.Section, lets: _Local, module: LoadedModule) -> list[syntax.Let | syntax.Block]:
    """The local definitions that a section uses, directly or through each other, in their order."""
    needed: set[str] = set()
    pending = [name for name in _used_names(section, module) if name in lets]
    while pending:
        name = pending.pop()
        if name not in needed:
            needed.add(name)
            pending += [other for other in _used_names(lets[name], module) if other in lets]
    return [let for name, let in lets.items() if name in needed]


def _relative(file: str, folder: Path) -> str:
    return os.path.relpath(os.path.realpath(file), folder)


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)]
