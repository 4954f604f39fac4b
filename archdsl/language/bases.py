"""What a network is built on: its base, the base of that, and what they leave to be set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, Self, TypeVar

from archdsl.language import syntax


class File(Protocol):
    """A parsed file as far as names need it; whoever reads files knows what their imports mean."""

    @property
    def parsed(self) -> syntax.Module: ...

    def find(self, name: str) -> tuple[Self, syntax.Definition] | None:
        """The definition that ``name`` means at the top of this file, and the file that holds it."""
        ...


_File = TypeVar("_File", bound=File)


def bases(file: _File, network: syntax.Network) -> Iterator[tuple[_File, syntax.Network]]:
    """The network, its base, the base of that and so on, each with its file; ends where no network is found."""
    found: tuple[_File, syntax.Definition] | None = file, network
    seen: set[syntax.Network] = set()
    while found is not None and isinstance(found[1], syntax.Network) and found[1] not in seen:
        file, network = found[0], found[1]
        seen.add(network)
        yield file, network
        base = base_name(network)
        found = file.find(base.name) if base is not None else None


def base_name(network: syntax.Network) -> syntax.Name | None:
    """The name of what a network extends, where it is one: without the arguments."""
    base = network.base.callee if isinstance(network.base, syntax.Call) else network.base
    return base if isinstance(base, syntax.Name) else None


def open_parameters(chain: Sequence[syntax.Network]) -> dict[str, syntax.Parameter]:
    """What may be set from outside of the first of ``bases``: its own, and those of its base that no argument fixes."""
    found: dict[str, syntax.Parameter] = {}
    for network in reversed(chain):
        arguments = network.base.arguments if isinstance(network.base, syntax.Call) else ()
        fixed = {argument.name.name for argument in arguments if argument.name is not None}
        fixed |= set(list(found)[: sum(argument.name is None for argument in arguments)])
        own = {parameter.name.name: parameter for parameter in network.parameters}
        found = {**{name: parameter for name, parameter in found.items() if name not in fixed}, **own}
    return found
