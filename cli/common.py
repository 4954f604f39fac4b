"""What the commands share: the SPEC argument, options, and the graph they ask for."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archdsl.base.limits import DEFAULT_LIMITS, Limits
from archdsl.base.source import Source

from .output import complain, on_terminal

if TYPE_CHECKING:
    from archdsl.graph.model import Graph

STDIN = "-"

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
NetworkOption = Annotated[str | None, typer.Option("--network", metavar="NAME", help="Which network of the file.")]
LimitOption = Annotated[
    list[str] | None, typer.Option("--limit", metavar="NAME=VALUE", help="Raise a limit, as its error says.")
]
OpsOption = Annotated[
    list[str] | None,
    typer.Option("--ops", metavar="FILE.py", help="Ops of your own: a Python file, or a module that can be imported."),
]


@dataclass(frozen=True, slots=True)
class SpecReference:
    """A SPEC argument taken apart; ``shown`` is how it was written, ``spec`` what ``archdsl.load`` takes."""

    shown: str
    spec: str | Source
    network: str | None = None


def parse_spec(argument: str) -> SpecReference:
    """Takes ``PATH:NETWORK`` apart, unless a file has that very name; reads ``-`` from standard input."""
    path, network = argument, None
    if not Path(argument).exists():
        head, _, tail = argument.rpartition(":")
        if head and tail.isidentifier():
            path, network = head, tail
    return SpecReference(argument, _standard_input() if path == STDIN else path, network)


def _standard_input() -> Source:
    from archdsl.diagnostics.model import Diagnostic
    from archdsl.diagnostics.problems import ArchError

    if sys.stdin is None:
        raise ArchError(Diagnostic("E002", "standard input is closed", help="name a file, or pipe a spec into `-`"))
    if on_terminal(sys.stdin):
        complain("reading a spec from standard input; end it with Ctrl-D\n")
    data = sys.stdin.buffer.read()
    try:
        return Source("<stdin>", data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        message = f"standard input is not UTF-8: byte {error.start} is 0x{data[error.start]:02x}"
        raise ArchError(Diagnostic("E002", message)) from None


@dataclass(frozen=True, slots=True)
class Request:
    """Everything that says which network to load."""

    reference: SpecReference
    network: str | None
    input: str | None
    settings: Mapping[str, str]
    limits: Limits
    ops: tuple[str, ...] = ()

    def load(self) -> Graph:
        """The graph. Raises ArchError."""
        from archdsl import load

        return load(
            self.reference.spec,
            network=self.network,
            input=self.input,
            limits=self.limits,
            set_texts=self.settings,
            ops=self.ops,
        )


def request(
    argument: str,
    network: str | None = None,
    input: str | None = None,
    settings: Iterable[str] | None = None,
    limits: Iterable[str] | None = None,
    ops: Iterable[str] | None = None,
) -> Request:
    """The request that a command line makes. Raises BadParameter where an option is malformed."""
    reference = parse_spec(argument)
    if network and reference.network and network != reference.network:
        message = f"{argument} names the network {reference.network}, --network names {network}"
        raise typer.BadParameter(message, param_hint="--network")
    pairs = _pairs("--set", settings or ())
    raised = parse_limits(limits or ())
    return Request(reference, network or reference.network, input, pairs, raised, tuple(ops or ()))


def parse_limits(texts: Iterable[str]) -> Limits:
    """The limits that ``--limit`` options ask for. Raises BadParameter."""
    known = [field.name for field in fields(Limits)]
    values: dict[str, int] = {}
    for name, text in _pairs("--limit", texts).items():
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


def _pairs(option: str, texts: Iterable[str]) -> dict[str, str]:
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
