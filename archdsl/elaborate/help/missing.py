"""Names and wires that lead nowhere: what stands elsewhere under this name, and how it is reached."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain, islice

from archdsl.base.wording import did_you_mean
from archdsl.elaborate.help.habits import text_help
from archdsl.elaborate.help.suggestions import ALIASES, nearest, suggestion
from archdsl.elaborate.loading import LoadedModule
from archdsl.language import syntax
from archdsl.language.binding import Binding
from archdsl.language.walking import descendants
from archdsl.ops import OPS
from archdsl.ops.contract.init import INITIALIZERS
from archdsl.zoo.bundled import bundled_file, bundled_paths

MAX_IMPORTS_OFFERED = 3

_DEFINITION = re.compile(r"^(?:block|network) (\w+)|^let (\w+)\(", re.MULTILINE)
_COUNTED = re.compile(r"([^\W\d]\w*?)[0-9]+")


def name_help(name: syntax.Name, module: LoadedModule, binding: Binding, known: Iterable[str]) -> str:
    """What to write for a name that nothing defines where it stands, in ``module``; ``known`` are those defined."""
    known = list(known)
    text = name.name
    if help_ := _argument_help(name, module, known):
        return help_
    if binding.has_label(text, name.span, before=True):
        return f"the step is `@{text}`"
    if _is_counted_step(text, known):
        return f"a step that is called so is `@{text}`"
    if text in ALIASES and ALIASES[text] in ("true", "false", "none"):
        return did_you_mean(ALIASES[text])
    near = nearest(text, known)
    if near and near in (ALIASES.get(text), ALIASES.get(text.lower()), text.lower()):
        return suggestion(text, known)
    return (
        _import_help(text, module, shared=True) or suggestion(text, known) or _import_help(text, module, shared=False)
    )


def _is_counted_step(name: str, known: list[str]) -> bool:
    """``conv1``: the name that an unlabelled step has, where nothing else is called so."""
    match = _COUNTED.fullmatch(name)
    return match is not None and (match[1] in {op.step_name for op in OPS.values()} or match[1] in known)


# ---- arguments -----------------------------------------------------------------------------------


def _argument_help(name: syntax.Name, module: LoadedModule, known: list[str]) -> str:
    """What to write where the name is an op's argument that takes texts or an initialiser: ``init = kaiming``."""
    if name.span.source is not module.source:
        return ""
    for node in chain.from_iterable(map(descendants, module.parsed.declarations)):
        callee = node.callee if isinstance(node, syntax.Call) else node.op if isinstance(node, syntax.Default) else None
        if isinstance(node, syntax.Call | syntax.Default) and isinstance(callee, syntax.Name):
            for place, argument in enumerate(node.arguments):
                value = argument.value.callee if isinstance(argument.value, syntax.Call) else argument.value
                if value is name:
                    field, annotation = _field(callee.name, argument.name.name if argument.name else place)
                    return text_help(field, name.name, annotation, known)
    return ""


def _field(callee: str, argument: str | int) -> tuple[str, object]:
    """The name and type of an op's or initialiser's argument, by its name or place."""
    taker = OPS.get(callee) or INITIALIZERS.get(callee)
    fields = taker.model_fields if taker is not None else {}
    if isinstance(argument, int):
        argument = next(islice(fields, argument, None), "")
    return argument, fields[argument].annotation if argument in fields else None


# ---- imports -------------------------------------------------------------------------------------


def _import_help(name: str, module: LoadedModule, *, shared: bool) -> str:
    """The imports that bring a name: what files imported already have first, then the bundled ones.

    ``shared`` looks among blocks for all and among networks by their own names, else through every bundled file.
    """
    paths = list(dict.fromkeys([*_imported_paths(name, module), *_bundled_paths(name, shared=shared)]))
    if not paths:
        return ""
    first, *others = [f'`from "{path}" import {name}`' for path in paths[:MAX_IMPORTS_OFFERED]]
    return f"import it: {first}" + "".join(f", or {each}" for each in others)


def _imported_paths(name: str, module: LoadedModule) -> Iterator[str]:
    """Where files that ``module`` imports, and those that these import, define the name, as it may be imported."""
    written = {
        id(module.imports[imported.name][0]): "".join(part for part in declaration.path.parts if isinstance(part, str))
        for declaration in module.parsed.declarations
        if isinstance(declaration, syntax.Import)
        for imported in declaration.names
        if imported.name in module.imports
    }
    pending, seen = [module], {id(module)}
    while pending:
        for imported, _ in pending.pop(0).imports.values():
            if id(imported) not in seen:
                seen.add(id(imported))
                pending.append(imported)
                path = (imported.location.bundled_path if imported.location else None) or written.get(id(imported))
                if name in imported.definitions and path is not None:
                    yield path


def _bundled_paths(name: str, *, shared: bool) -> Iterator[str]:
    """The bundled files that define a block, network or function of this name."""
    for path in _bundled_definitions().get(name, ()):
        if not shared or "/" in path or path == f"{name}.arch":
            yield path


@cache
def _bundled_definitions() -> dict[str, list[str]]:
    """The bundled files by what they define, by a search of their text: none is parsed for a message."""
    found: dict[str, list[str]] = {}
    for path in bundled_paths():
        file = bundled_file(path)
        for match in _DEFINITION.finditer(file.read_text(encoding="utf-8")) if file is not None else ():
            found.setdefault(match[1] or match[2], []).append(path)
    return found
