"""What is asked for, as one object: which network of which spec, with what input, settings, limits and ops.

``load``, ``build``, ``stats``, ``check``, ``formulas``, ``solve`` and every command make one, or take one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from archdsl.analysis.cost import cost
from archdsl.base.limits import DEFAULT_LIMITS, Limits
from archdsl.base.source import Source
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError
from archdsl.elaborate import elaborate
from archdsl.elaborate.finding import Spec, choose_network, read_spec
from archdsl.elaborate.known import FinishedNumbers
from archdsl.elaborate.loading import LoadedModule
from archdsl.elaborate.settings import InputSize, settings_of, sizes_of
from archdsl.extensions.user_ops import OpSource, UserOps, sources_of
from archdsl.graph.model import Graph
from archdsl.language import syntax


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Request:
    """A network that is asked for; takes the arguments of ``archdsl.load`` and checks them when it is made.

    Its file is read when first needed and then kept, also for what ``replace`` makes of it. ``spec`` may be a graph
    that is finished: it has no other input and no other settings.
    """

    spec: Spec | Graph
    network: str | None
    input: tuple[int, ...] | None
    limits: Limits
    set_texts: Mapping[str, str]
    ops: tuple[OpSource, ...]
    parameters: Mapping[str, object]

    def __init__(
        self,
        spec: Spec | Graph,
        /,
        *,
        network: str | None = None,
        input: InputSize | None = None,
        limits: Limits = DEFAULT_LIMITS,
        set_texts: Mapping[str, str] | None = None,
        ops: Iterable[OpSource] = (),
        **parameters: object,
    ) -> None:
        """Raises ArchError E001, E309, E404, E409 or E701 for what cannot be asked for.

        What only the file can tell, such as whether it has the network, is told when it is read.
        """
        _check_spec(spec)
        if isinstance(spec, Graph) and (network is not None or input is not None or set_texts or parameters):
            raise _finished(spec)
        vars(self).update(
            spec=spec,
            network=_checked_name(network),
            input=None if input is None else sizes_of(input),
            limits=_checked_limits(limits),
            set_texts=_checked_texts(set_texts),
            ops=sources_of(ops),
            parameters=parameters,
        )

    def __repr__(self) -> str:
        named = {"network": self.network, "input": self.input, "set_texts": self.set_texts, "ops": self.ops}
        given = {name: value for name, value in named.items() if value} | dict(self.parameters)
        return f"Request({', '.join([repr(self.spec), *(f'{name}={value!r}' for name, value in given.items())])})"

    def replace(
        self,
        *,
        network: str | None = None,
        input: InputSize | None = None,
        limits: Limits = DEFAULT_LIMITS,
        set_texts: Mapping[str, str] | None = None,
        ops: Iterable[OpSource] = (),
        **parameters: object,
    ) -> Request:
        """The same with what is given here instead; raises ArchError as a new one does."""
        given = Request(
            self.spec, network=network, input=input, limits=limits, set_texts=set_texts, ops=ops, **parameters
        )
        changed: dict[str, object] = {
            "network": given.network,
            "input": given.input,
            "limits": limits if limits is not DEFAULT_LIMITS else None,
            "ops": given.ops or None,
        }
        kept = {name: value for name, value in self.parameters.items() if name not in given.set_texts}
        texts = {**self.set_texts, **given.set_texts}
        other = self._with(**{name: value for name, value in changed.items() if value is not None})
        return other._with(set_texts=texts, parameters=kept).varied(parameters)

    def varied(self, parameters: Mapping[str, object], input: InputSize | None = None) -> Request:
        """The same with other values of parameters and, if it is given, another input."""
        texts = {name: text for name, text in self.set_texts.items() if name not in parameters}
        sizes = self.input if input is None else sizes_of(input)
        return self._with(set_texts=texts, parameters={**self.parameters, **parameters}, input=sizes)

    def within(self, limits: Limits) -> Request:
        """The same with other limits."""
        return self._with(limits=limits)

    def declared(self, network: syntax.Network) -> Request:
        """A network of the file as it is declared: nothing is set."""
        return self._with(network=network.name.name, chosen=network, input=None, set_texts={}, parameters={})

    def _with(self, **changed: object) -> Request:
        """A copy that shares what is read and does not hang on what changed."""
        other = object.__new__(Request)
        vars(other).update(vars(self))
        for name, stale in (("network", "chosen"), ("ops", "user_ops")):
            if name in changed:
                vars(other).pop(stale, None)
        vars(other).update(changed)
        return other

    @property
    def is_changed(self) -> bool:
        """Whether the network is not meant as it is declared."""
        return self.input is not None or bool(self.set_texts or self.parameters)

    # ---- from the text to the graph ----------------------------------------------------------------

    @cached_property
    def module(self) -> LoadedModule:
        """The parsed file with its imports. Raises ArchError with all faults of all files."""
        if isinstance(self.spec, Graph):
            raise no_spec(self.spec)
        return read_spec(self.spec, self.limits)

    @cached_property
    def chosen(self) -> syntax.Network:
        """The network that is meant. Raises ArchError E404 and E405."""
        return choose_network(self.module, self.network)

    @cached_property
    def user_ops(self) -> UserOps:
        """Ops of one's own by name. Raises ArchError E701."""
        return UserOps(self.ops)

    def graph(self) -> Graph:
        """The network's graph, with shapes inferred and every rule checked. Raises ArchError with all that is wrong."""
        if isinstance(self.spec, Graph):
            return self.spec
        graph, problems = self.elaborated()
        if graph is None:
            raise ArchError(problems)
        graph.verify()
        return graph

    def elaborated(self) -> tuple[Graph | None, tuple[Diagnostic, ...]]:
        """The graph as ``elaborate`` gives it, and everything found; raises ArchError only where that cannot begin."""
        module, network, ops = self.module, self.chosen, self.user_ops
        settings = settings_of(network, self.set_texts, self.parameters, self.limits)
        return elaborate(module, network, settings, self.limits, self.input, ops, measure=_finished_numbers)


def asked(spec: Spec | Graph | Request, /, **arguments: Any) -> Request:
    """The request that the arguments of ``load`` make; they change one that is there already."""
    return spec.replace(**arguments) if isinstance(spec, Request) else Request(spec, **arguments)


def _finished_numbers(graph: Graph) -> FinishedNumbers:
    total = cost(graph)
    return FinishedNumbers(total.parameters, total.macs, total.flops, total.depth)


# ---- what cannot be asked for --------------------------------------------------------------------


def no_spec(spec: object) -> ArchError:
    """For what is no spec where one is needed."""
    message = f"a spec is a path, a bundled name or a text, not a {type(spec).__name__}"
    hint = "a graph has its numbers, and a spec its formulas: give the spec" if isinstance(spec, Graph) else ""
    return ArchError(Diagnostic("E001", message, help=hint))


def _check_spec(spec: object) -> None:
    if not isinstance(spec, str | os.PathLike | Source | Graph):
        raise no_spec(spec)
    if isinstance(spec, Source) and not (isinstance(spec.name, str) and isinstance(spec.text, str)):
        raise ArchError(Diagnostic("E001", f"the name and the text of {spec!r} are not both texts"))


def _finished(graph: Graph) -> ArchError:
    message = f"the graph of `{graph.name}` is finished: network, input and parameters are for a spec"
    return ArchError(Diagnostic("E001", message, help="load the spec with them"))


def _checked_name(network: object) -> str | None:
    if network is None or isinstance(network, str):
        return network
    hint = 'as in `network="resnet50"`'
    raise ArchError(Diagnostic("E404", f"a network is given by its name, not {network!r}", help=hint))


def _checked_limits(limits: object) -> Limits:
    if not isinstance(limits, Limits):
        hint = "as in `limits=Limits(nodes=1000)`"
        raise ArchError(Diagnostic("E001", f"`limits` is a `Limits`, not {limits!r}", help=hint))
    for field in fields(limits):
        value = getattr(limits, field.name)
        if not isinstance(value, int):
            raise ArchError(Diagnostic("E001", f"the limit `{field.name}` is a whole number, not {value!r}"))
    return limits


def _checked_texts(texts: object) -> dict[str, str]:
    if texts is None:
        return {}
    if not isinstance(texts, Mapping):
        hint = 'as in `set_texts={"act": "leaky_relu(0.2)"}`'
        raise ArchError(Diagnostic("E409", f"`set_texts` has a text for each name, and is not {texts!r}", help=hint))
    for name, text in texts.items():
        if not isinstance(name, str):
            raise ArchError(Diagnostic("E409", f"a parameter is set by its name, not by {name!r}"))
        if not isinstance(text, str):
            hint = f"write it as a spec would, in a text, or pass the value itself: `{name}={text!r}`"
            raise ArchError(Diagnostic("E409", f"`set_texts` sets `{name}` to {text!r}, which is no text", help=hint))
    return dict(texts)
