"""Networks that cannot be built as declared, as parameters have no value."""

from __future__ import annotations

from archdsl.base.wording import quoted
from archdsl.diagnostics.model import Diagnostic
from archdsl.elaborate.loading import LoadedModule
from archdsl.language import syntax
from archdsl.language.bases import bases, open_parameters


def waiting_for(module: LoadedModule, network: syntax.Network) -> list[str]:
    """The parameters that have no value: its own, and those that it leaves open in its bases."""
    settable = open_parameters([each for _, each in bases(module, network)])
    return [name for name, parameter in settable.items() if parameter.default is None]


def not_built(network: syntax.Network, waiting: list[str]) -> Diagnostic:
    """The note N401 for a network that is left out, as it waits for these parameters."""
    declared = {parameter.name.name for parameter in network.parameters}
    own = [name for name in waiting if name in declared]
    inherited = [name for name in waiting if name not in declared]
    message = f"`{network.name.name}` waits" + (f" for {quoted(own)}" if own else "")
    if inherited and network.base is not None:
        header = " ".join(network.base.span.text.split())
        message += (
            f"{' and' if own else ''} for {quoted(inherited)}, which `{header}` leaves open: only `--set` gives it"
        )
    left = "it is not built: of it the names are checked, and what it gives to its base"
    return Diagnostic("N401", message, network.name.span, notes=(left,))
