"""Names that nothing defines: where they are, also in what nothing uses and no branch takes, and what is said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from archdsl.base.limits import Limits
from archdsl.diagnostics.model import Diagnostic
from archdsl.elaborate.faults import Fault, Reporter
from archdsl.elaborate.help.missing import name_help
from archdsl.elaborate.known import NO_OPS, bound
from archdsl.elaborate.loading import LoadedModule
from archdsl.language import syntax
from archdsl.language.binding import Binding
from archdsl.ops.contract.base import Op


def unknown_names(module: LoadedModule, limits: Limits, ops: Mapping[str, type[Op]] = NO_OPS) -> list[Diagnostic]:
    """A diagnostic E201 for each name that nothing defines where it is used."""
    reporter = Reporter(limits)
    binding = bound(module, ops)
    return [
        _fault(reporter, use.node, module, binding, use.visible.names()).diagnostic
        for use in binding.uses
        if use.role == "name" and isinstance(use.node, syntax.Name) and use.declaration is None and use.name not in ops
    ]


def unknown_name(
    reporter: Reporter, name: syntax.Name, module: LoadedModule, ops: Mapping[str, type[Op]] = NO_OPS
) -> Fault:
    """The fault for a name in ``module`` that nothing defines by then; it may be of a text that is not the module's."""
    binding = bound(module, ops)
    use = binding.use(name)
    known = binding.top.names() if use is None else use.visible.names(name.span.start)
    return _fault(reporter, name, module, binding, known)


def _fault(
    reporter: Reporter, name: syntax.Name, module: LoadedModule, binding: Binding, known: Iterable[str]
) -> Fault:
    hint = name_help(name, module, binding, known)
    return reporter.fault("E201", f"nothing is named `{name.name}` here", name.span, help=hint)
