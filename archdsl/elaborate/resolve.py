"""Unknown names anywhere in a file, also in blocks that nothing uses and branches that are not taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from archdsl.base.limits import Limits
from archdsl.diagnostics.model import Diagnostic
from archdsl.elaborate.help.faults import Reporter
from archdsl.elaborate.interpreter.session import FINISHED, NO_OPS, UNIVERSE, unknown_name
from archdsl.elaborate.loading import LoadedModule
from archdsl.language import syntax
from archdsl.language.bases import bases
from archdsl.language.walking import field_names
from archdsl.ops.contract.base import Op

Scope = frozenset[str]


def unknown_names(module: LoadedModule, limits: Limits, ops: Mapping[str, type[Op]] = NO_OPS) -> list[Diagnostic]:
    """A diagnostic E201 for each name that nothing defines where it is used."""
    reporter = Reporter(limits)
    known = frozenset([*module.names(), *UNIVERSE, *ops])
    found = []
    for name, scope in _uses(module.parsed.declarations, known, module):
        if name.name not in scope and name.name not in ops:
            found.append(unknown_name(reporter, name, module, scope).diagnostic)
    return found


def free_names(node: syntax.Node, module: LoadedModule) -> Iterator[str]:
    """Each use of a name in ``node`` that nothing inside it defines."""
    for name, scope in _uses([node], frozenset(), module):
        if name.name not in scope:
            yield name.name


def _uses(nodes: Iterable[object], scope: Scope, module: LoadedModule) -> Iterator[tuple[syntax.Name, Scope]]:
    """Every use of a name with the names that are known there; iterative, as programs may nest deep."""
    pending: list[tuple[object, Scope]] = [(node, scope) for node in nodes]
    while pending:
        node, scope = pending.pop()
        if isinstance(node, syntax.Name):
            yield node, scope
        elif isinstance(node, syntax.Node):
            pending.extend(_parts(node, scope, module))
        elif isinstance(node, tuple):
            pending.extend((part, scope) for part in node)


def _parts(node: syntax.Node, scope: Scope, module: LoadedModule) -> Iterator[tuple[object, Scope]]:
    """What stands inside a node, each part with the names known to it."""
    match node:
        case syntax.Import():
            return
        case syntax.Body():
            names = {s.name.name for s in node.statements if isinstance(s, syntax.Let | syntax.Block)}
            yield node.statements, scope | names
        case syntax.Let() | syntax.Block():
            value = node.value if isinstance(node, syntax.Let) else node.body
            yield from _with_parameters(node.parameters or (), value, scope)
        case syntax.Network():
            yield node.base, scope | _parameter_names(node.parameters)
            inherited = _inherited_names(module, node) | frozenset(FINISHED)
            yield from _with_parameters(node.parameters, node.body, scope | inherited)
        case syntax.For():
            yield node.iterable, scope
            yield node.body, scope | {name.name for name in node.names}
        case syntax.Comprehension():
            yield node.iterable, scope
            yield node.item, scope | {name.name for name in node.names}
        case syntax.Argument() | syntax.Attribute() | syntax.Named():
            yield node.value, scope
        case syntax.Default():
            yield node.arguments, scope
        case _:
            yield from ((getattr(node, name), scope) for name in field_names(node))


def _with_parameters(
    parameters: tuple[syntax.Parameter, ...], content: object, scope: Scope
) -> Iterator[tuple[object, Scope]]:
    inner = scope | _parameter_names(parameters)
    yield tuple(parameter.default for parameter in parameters), inner
    yield content, inner


def _parameter_names(parameters: tuple[syntax.Parameter, ...]) -> Scope:
    return frozenset(parameter.name.name for parameter in parameters)


def _inherited_names(module: LoadedModule, network: syntax.Network) -> Scope:
    """The parameters of all bases, which a variant's body sees."""
    inherited = [base for _, base in bases(module, network)][1:]
    return frozenset(parameter.name.name for base in inherited for parameter in base.parameters)
