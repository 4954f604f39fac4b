"""Options that commands share, declared once; a group of them is one object to the commands."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from archdsl.base.limits import DEFAULT_LIMITS, Limits

from .spec_argument import parse_spec

if TYPE_CHECKING:
    from archdsl.request import Request

SpecArgument = Annotated[
    str, typer.Argument(metavar="SPEC", help="A path, a bundled name, PATH:NETWORK, or - for standard input.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Set a parameter of the network, written as in a spec."),
]
InputOption = Annotated[
    str | None, typer.Option("--input", metavar="CxHxW", help="Build at another input size: 3x32x32.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dataclass(frozen=True, slots=True)
class FileOptions:
    """What every command asks that reads a spec."""

    network: Annotated[str | None, typer.Option("--network", metavar="NAME", help="Which network of the file.")] = None
    ops: Annotated[
        list[str] | None,
        typer.Option(
            "--ops", metavar="FILE.py", help="Ops of your own: a Python file, or a module that can be imported."
        ),
    ] = None
    limit: Annotated[
        list[str] | None, typer.Option("--limit", metavar="NAME=VALUE", help="Raise a limit, as its error says.")
    ] = None

    def request(self, argument: str, input: str | None = None, settings: Iterable[str] | None = None) -> Request:
        """What a SPEC argument asks for with these. Raises BadParameter for an option that is malformed."""
        from archdsl.request import Request

        spec, network = parse_spec(argument)
        if self.network and network and self.network != network:
            message = f"{argument} names the network {network}, --network names {self.network}"
            raise typer.BadParameter(message, param_hint="--network")
        return Request(
            spec,
            network=self.network or network,
            input=input,
            set_texts=pairs("--set", settings or ()),
            limits=_limits(self.limit or ()),
            ops=self.ops or (),
        )


LAST = ("ops", "limit")
"""Options that a command's help shows at its end."""


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command as typer sees it: in place of each dataclass among its parameters, the options that it declares."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}

    @functools.wraps(command)
    def run(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        command(**given)

    shown = [each for parameter in inspect.signature(command).parameters.values() for each in _shown(parameter, hints)]
    shown.sort(key=lambda parameter: parameter.name in LAST)
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    run.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    return run


def _shown(parameter: inspect.Parameter, hints: dict[str, Any]) -> Iterator[inspect.Parameter]:
    hint, kind = hints[parameter.name], inspect.Parameter.KEYWORD_ONLY
    if not is_dataclass(hint):
        yield parameter.replace(annotation=hint, kind=kind)
        return
    inside = get_type_hints(hint, include_extras=True)
    for field in fields(hint):
        yield inspect.Parameter(field.name, kind, default=field.default, annotation=inside[field.name])


def _limits(texts: Iterable[str]) -> Limits:
    """The limits that ``--limit`` options ask for. Raises BadParameter."""
    known = [field.name for field in fields(Limits)]
    values: dict[str, int] = {}
    for name, text in pairs("--limit", texts).items():
        if name not in known:
            raise typer.BadParameter(f"there is no limit {name!r}; there are {', '.join(known)}", param_hint="--limit")
        values[name] = _positive("--limit", name, text)
    return replace(DEFAULT_LIMITS, **values)


def _positive(option: str, name: str, text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise typer.BadParameter(f"{name} must be a whole number of at least 1, not {text!r}", param_hint=option)
    return value


def pairs(option: str, texts: Iterable[str]) -> dict[str, str]:
    """Texts such as ``classes=10`` taken apart. Raises BadParameter."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name.isidentifier() or not value.strip():
            raise typer.BadParameter(f"expected NAME=VALUE, got {text!r}", param_hint=option)
        if name in found:
            raise typer.BadParameter(f"{name} is set twice", param_hint=option)
        found[name] = value
    return found
