"""What a network is built on: its base, the base of that, and what they leave to be set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archdsl.elaborate.loading import Definition, LoadedModule
from archdsl.language import syntax


def bases(module: LoadedModule, network: syntax.Network) -> Iterator[tuple[LoadedModule, syntax.Network]]:
    """The network, its base, the base of that and so on, each with its file; ends where no network is found."""
    found: tuple[LoadedModule, Definition] | None = module, network
    seen: list[syntax.Network] = []
    while found is not None and isinstance(found[1], syntax.Network) and found[1] not in seen:
        module, network = found[0], found[1]
        seen.append(network)
        yield module, network
        base = network.base.callee if isinstance(network.base, syntax.Call) else network.base
        found = module.find(base.name) if isinstance(base, syntax.Name) else None


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
