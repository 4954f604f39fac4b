"""Names that nothing uses: layers that a body defines and never applies, where a step was meant, and imports."""

from __future__ import annotations

from functools import lru_cache
from itertools import chain

from archdsl.diagnostics.model import Diagnostic
from archdsl.elaborate.faults import Reporter
from archdsl.elaborate.interpreter.environment import Environment
from archdsl.elaborate.interpreter.values import LayerValue
from archdsl.elaborate.loading import LoadedModule
from archdsl.language import syntax
from archdsl.language.walking import descendants

_LONGEST_SHOWN = 40


class UnusedLayers:
    """Reports E207 for a ``let`` of a layer whose name stands nowhere else in its body."""

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter
        self._unmentioned: dict[syntax.Body, tuple[syntax.Let, ...]] = {}

    def check(self, body: syntax.Body, environment: Environment) -> None:
        """Reports what ``body`` has defined in ``environment``, once all of its statements have run."""
        found = self._unmentioned.get(body)
        if found is None:
            found = self._unmentioned[body] = _unmentioned(body)
        for let in found:
            if isinstance(environment.variables.get(let.name.name), LayerValue):
                self._report(let)

    def _report(self, let: syntax.Let) -> None:
        name = let.name.name
        self.reporter.report(
            self.reporter.fault(
                "E207",
                f"nothing uses the layer `{name}`, and a `let` alone makes no step",
                let.name.span,
                help=f"to make the step write `{name}: {_labelled(let.value)}`",
            )
        )


def _labelled(layer: syntax.Expression) -> str:
    """The layer as it stands behind a label, which covers no more than what is right behind it."""
    text = layer.span.text
    shown = text if len(text) <= _LONGEST_SHOWN and "\n" not in text else "..."
    return f"({shown})" if isinstance(layer, syntax.Flow | syntax.Chain | syntax.Ternary | syntax.Labelled) else shown


def _unmentioned(body: syntax.Body) -> tuple[syntax.Let, ...]:
    """The values that the body defines and then mentions nowhere, not even as the name of an argument."""
    lets = [s for s in body.statements if isinstance(s, syntax.Let) and s.parameters is None]
    if not lets:
        return ()
    own = {let.name for let in lets}
    mentioned = {node.name for node in descendants(body) if isinstance(node, syntax.Name) and node not in own}
    return tuple(let for let in lets if let.name.name not in mentioned)


@lru_cache(maxsize=1)
def unused_imports(module: LoadedModule) -> tuple[Diagnostic, ...]:
    """A warning W401 for each import that is mentioned nowhere else in a file of networks.

    A file without networks may import for those that import from it in turn.
    """
    declarations = module.parsed.declarations
    imports = [declaration for declaration in declarations if isinstance(declaration, syntax.Import)]
    if not imports or not module.networks():
        return ()
    others = chain.from_iterable(descendants(each) for each in declarations if not isinstance(each, syntax.Import))
    mentioned = {node.name for node in others if isinstance(node, syntax.Name)}
    unused = [(name, each) for each in imports for name in each.names if name.name not in mentioned]
    return tuple([_unused(name, declaration) for name, declaration in unused])


def _unused(name: syntax.Name, declaration: syntax.Import) -> Diagnostic:
    message = f"nothing in this file uses the import `{name.name}`"
    hint = f"remove it: a file that needs it can import it from {declaration.path.span.text} itself"
    return Diagnostic("W401", message, name.span, help=hint)
