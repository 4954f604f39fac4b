"""Binds the names of a text: one walk in its order, without recursion, as programs may nest deep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from archdsl.base.source import Span
from archdsl.language import syntax
from archdsl.language.bases import File, base_name, bases, open_parameters
from archdsl.language.binding import (
    END,
    NEVER,
    Binding,
    BlockLabels,
    Declaration,
    Kind,
    NamedSteps,
    NameUse,
    VisibleNames,
    known_everywhere,
)
from archdsl.language.walking import descendants, field_names

_RUN_LATER = ("op", "block")
"""What makes a layer of its arguments, which are looked at when the flow reaches it."""

_OPENS_STEPS = (syntax.Flow, syntax.Chain, syntax.Braces, syntax.Labelled, syntax.Ternary)
"""Layers whose label stands before the names of the steps inside them."""

_Parameters: TypeAlias = dict[str, Declaration]


def bind(file: File, everywhere: Iterable[tuple[str, Kind]], finished: Sequence[str] = ()) -> Binding:
    """What the names in a file mean.

    ``everywhere`` is what every file knows, ``finished`` what asserts of networks ask of the finished graph.
    """
    binder = _Binder(file, known_everywhere(everywhere), finished)
    binder.walk(file.parsed.declarations, binder.top)
    return binder.binding()


def free_names(node: syntax.Node, file: File) -> Iterator[str]:
    """Each use of a name in ``node`` that nothing inside it declares, in the order of evaluation."""
    binder = _Binder(file, None, ())
    binder.walk([node], binder.top)
    return (use.name for use in binder.uses if use.role == "name" and use.declaration is None)


def own_names(file: File, network: syntax.Network) -> set[str]:
    """The names that in a network's asserts win over those of the finished graph."""
    lets = network.body.statements if network.body is not None else ()
    own = {statement.name.name for statement in lets if isinstance(statement, syntax.Let)}
    return own | open_parameters([each for _, each in bases(file, network)]).keys()


class _Binder:
    def __init__(self, file: File, everywhere: Mapping[str, Declaration] | None, finished: Sequence[str]) -> None:
        self.file = file
        self.uses: list[NameUse] = []
        self.declarations: list[Declaration] = []
        self.parts: list[VisibleNames] = []
        self.labels: list[BlockLabels] = []
        self.wires: list[tuple[syntax.Wire, str, VisibleNames, NamedSteps]] = []
        self.finished = {name: Declaration("finished number", name) for name in finished}
        self._parameters: dict[syntax.Node, _Parameters] = {}
        self.top = self.in_networks = VisibleNames()
        if everywhere is not None:
            own = self._file_level()
            self.top = VisibleNames(VisibleNames(None, everywhere), own)
            elsewhere = {name: Declaration("finished number", name, seen_from=NEVER) for name in finished}
            self.in_networks = VisibleNames(VisibleNames(VisibleNames(None, elsewhere), everywhere), own)
        self._pending: list[tuple[Any, VisibleNames, NamedSteps]] = []

    def binding(self) -> Binding:
        for wire, path, visible, steps in self.wires:
            place = wire.path.span
            self.uses.append(NameUse(path, place, steps.find(path, place.start), visible, "wire", wire))
        self.uses.sort(key=lambda use: use.place.start)
        return Binding(self.top, self.uses, self.declarations, self.parts, self.labels)

    def walk(self, nodes: Iterable[syntax.Node], visible: VisibleNames) -> None:
        """Binds everything in the nodes."""
        self._push(tuple(nodes), visible, NamedSteps())
        while self._pending:
            node, visible, steps = self._pending.pop()
            bind_node = _BY_TYPE.get(type(node))
            if bind_node is not None:
                bind_node(self, node, visible, steps)
            elif isinstance(node, tuple):
                self._push(node, visible, steps)
            elif isinstance(node, syntax.Node):
                self._push([getattr(node, name) for name in field_names(node)], visible, steps)

    def _push(self, nodes: Sequence[object], visible: VisibleNames, steps: NamedSteps) -> None:
        self._pending.extend([(node, visible, steps) for node in reversed(nodes)])

    # ---- declarations ----------------------------------------------------------------------------

    def _declared(
        self, kind: Kind, name: syntax.Name | syntax.String, text: str, node: syntax.Node, seen_from: int = 0
    ) -> Declaration:
        declaration = Declaration(kind, text, name.span, node, seen_from)
        self.declarations.append(declaration)
        return declaration

    def _file_level(self) -> dict[str, Declaration]:
        """Definitions, then imports, as a file lists what it knows."""
        found: dict[str, Declaration] = {}
        for node in self.file.parsed.declarations:
            if isinstance(node, syntax.Let | syntax.Block | syntax.Network):
                found.setdefault(node.name.name, self._declared(_kind(node), node.name, node.name.name, node))
        for node in self.file.parsed.declarations:
            for name in node.names if isinstance(node, syntax.Import) else ():
                meant = self.file.find(name.name)
                declaration = self._declared("import", name, name.name, meant[1] if meant else node)
                found.setdefault(name.name, declaration)
        return found

    def _local(self, statements: Iterable[syntax.Statement], *, in_order: bool) -> dict[str, Declaration]:
        """The definitions among a body's statements."""
        found: dict[str, Declaration] = {}
        for node in statements:
            if isinstance(node, syntax.Let | syntax.Block):
                seen_from = node.span.end if in_order else 0
                declaration = self._declared(_kind(node), node.name, node.name.name, node, seen_from)
                found.setdefault(node.name.name, declaration)
        return found

    def _parameters_of(self, node: syntax.Let | syntax.Block | syntax.Network) -> _Parameters:
        """The parameters of a definition in this file or another; one declaration each, whoever asks first."""
        found = self._parameters.get(node)
        if found is None:
            own = node.span.source is self.file.parsed.source
            found = self._parameters[node] = {}
            for each in node.parameters or ():
                declaration = Declaration("parameter", each.name.name, each.name.span, each, each.span.end)
                found.setdefault(each.name.name, declaration)
                if own:
                    self.declarations.append(declaration)
        return found

    def _loop(self, kind: Kind, names: Sequence[syntax.Name], node: syntax.Node) -> dict[str, Declaration]:
        return {name.name: self._declared(kind, name, name.name, node) for name in names}

    def _part(self, outer: VisibleNames, declared: Mapping[str, Declaration], span: Span, **more: Any) -> VisibleNames:
        """A part of the text with names of its own."""
        visible = VisibleNames(outer, declared, span, is_value=outer.is_value and "as_of" not in more, **more)
        self.parts.append(visible)
        return visible

    # ---- uses ------------------------------------------------------------------------------------

    def _use(
        self, node: syntax.Name, visible: VisibleNames, role: Literal["name", "default"] = "name"
    ) -> Declaration | None:
        declaration = visible.find(node.name, node.span.start)
        self.uses.append(NameUse(node.name, node.span, declaration, visible, role, node))
        return declaration

    def _name(self, node: syntax.Name, visible: VisibleNames, steps: NamedSteps) -> None:
        self._use(node, visible)

    def _keywords(self, arguments: Iterable[syntax.Argument], known: _Parameters, visible: VisibleNames) -> None:
        for argument in arguments:
            if (name := argument.name) is not None:
                self.uses.append(NameUse(name.name, name.span, known.get(name.name), visible, "keyword", name))

    def _called(self, callee: Declaration | None) -> _Parameters:
        """The parameters that keywords of a call name, where the text says what is called."""
        node = callee.node if callee is not None else None
        return self._parameters_of(node) if isinstance(node, syntax.Let | syntax.Block) else {}

    def _call(self, node: syntax.Call, visible: VisibleNames, steps: NamedSteps) -> None:
        callee = self._use(node.callee, visible) if isinstance(node.callee, syntax.Name) else None
        self._keywords(node.arguments, self._called(callee), visible)
        inner = visible
        if callee is not None and (callee.kind in _RUN_LATER or isinstance(callee.node, syntax.Block)):
            inner = self._run_later(node, visible)
        self._push(node.arguments, inner, steps)
        if callee is None and not isinstance(node.callee, syntax.Name):
            self._push([node.callee], visible, steps)

    def _argument(
        self, node: syntax.Argument | syntax.Attribute | syntax.Named, visible: VisibleNames, steps: NamedSteps
    ) -> None:
        self._push([node.value], visible, steps)

    def _default(self, node: syntax.Default, visible: VisibleNames, steps: NamedSteps) -> None:
        self._keywords(node.arguments, self._called(self._use(node.op, visible, "default")), visible)
        self._push(node.arguments, self._part(visible, {}, node.span, as_of=END), steps)

    def _run_later(self, node: syntax.Node, visible: VisibleNames) -> VisibleNames:
        """In the value of a ``let`` a layer stays closed until the flow reaches it: then all of the body is done."""
        return self._part(visible, {}, node.span, as_of=END) if visible.is_value else visible

    # ---- definitions -----------------------------------------------------------------------------

    def _let(self, node: syntax.Let, visible: VisibleNames, steps: NamedSteps) -> None:
        if node.parameters is None:
            self._push([node.value], VisibleNames(visible, {}, is_value=True), steps)
        else:
            self._function(node, node.value, visible, NamedSteps(steps, labels=steps.labels))

    def _block(self, node: syntax.Block, visible: VisibleNames, steps: NamedSteps) -> None:
        self.labels.append(BlockLabels(node.span))
        self._function(node, node.body, visible, NamedSteps(labels=self.labels[-1]))

    def _function(
        self, node: syntax.Let | syntax.Block, content: syntax.Node, visible: VisibleNames, steps: NamedSteps
    ) -> None:
        inner = self._part(visible, self._parameters_of(node), node.span, as_of=END)
        self._push([*(each.default for each in node.parameters or ()), content], inner, steps)

    def _body(self, node: syntax.Body, visible: VisibleNames, steps: NamedSteps) -> None:
        inner = self._part(visible, self._local(node.statements, in_order=True), node.span, until=node.span.end)
        self._push(node.statements, inner, steps)

    def _for(self, node: syntax.For, visible: VisibleNames, steps: NamedSteps) -> None:
        inner = self._part(visible, self._loop("loop variable", node.names, node), node.body.span)
        self._pending.append((node.body, inner, steps))
        self._push([node.iterable], visible, steps)

    def _comprehension(self, node: syntax.Comprehension, visible: VisibleNames, steps: NamedSteps) -> None:
        inner = self._part(visible, self._loop("comprehension variable", node.names, node), node.item.span)
        self._pending.append((node.item, inner, steps))
        self._push([node.iterable], visible, steps)

    def _input(self, node: syntax.Input, visible: VisibleNames, steps: NamedSteps) -> None:
        """An input is known before the body runs."""
        body = visible.span.start if visible.span is not None else 0
        for shape in node.shapes:
            if isinstance(shape, syntax.Named):
                name = shape.name.name
                declaration = self._declared("input", shape.name, name, shape)
                steps.named.setdefault(name, []).insert(0, (declaration, NamedSteps()))
        self._push(node.shapes, self._part(visible, {}, node.span, as_of=body), steps)

    # ---- networks --------------------------------------------------------------------------------

    def _network(self, node: syntax.Network, visible: VisibleNames, steps: NamedSteps) -> None:
        self.labels.append(BlockLabels(node.span))
        steps = NamedSteps(labels=self.labels[-1])
        around = self.in_networks if visible is self.top else visible
        own = self._parameters_of(node)
        chain = [each for _, each in bases(self.file, node)][1:]
        if node.body is not None:
            self._network_body(node, node.body, chain, around, steps)
        defaults = [each.default for each in node.parameters]
        inherited = _inherited(chain, node.body.span.start if node.body else node.span.end)
        self._push(defaults, self._part(VisibleNames(around, inherited), own, node.span), steps)
        self._base(node, chain, visible, steps)

    def _base(
        self, node: syntax.Network, chain: list[syntax.Network], visible: VisibleNames, steps: NamedSteps
    ) -> None:
        header = VisibleNames(visible, self._parameters_of(node))
        name = base_name(node)
        if name is None:
            self._push([node.base], header, steps)
            return
        self._use(name, visible)
        if isinstance(node.base, syntax.Call):
            known = {name: each for base in reversed(chain) for name, each in self._parameters_of(base).items()}
            self._keywords(node.base.arguments, known, header)
            self._push(node.base.arguments, header, steps)

    def _network_body(
        self,
        node: syntax.Network,
        body: syntax.Body,
        chain: list[syntax.Network],
        around: VisibleNames,
        steps: NamedSteps,
    ) -> None:
        own, inherited = self._parameters_of(node), _inherited(chain, body.span.start)
        local = self._local(body.statements, in_order=node.base is None)

        def inside(hidden: str) -> VisibleNames:
            """What a statement sees: a variant's definitions stand behind its parameters, and see what they replace."""
            if node.base is None:
                return VisibleNames(VisibleNames(around, own), local, body.span)
            return VisibleNames(VisibleNames(VisibleNames(around, local, hidden=hidden), inherited), own, body.span)

        visible = inside("")
        self.parts.append(visible)
        first = own_names(self.file, node) if self.finished else ()
        finished = {name: each for name, each in self.finished.items() if name not in first}
        parts: list[tuple[Any, VisibleNames, NamedSteps]] = []
        for statement in body.statements:
            here = visible
            if isinstance(statement, syntax.Let | syntax.Block) and node.base is not None:
                here = inside(statement.name.name)
            elif isinstance(statement, syntax.Assert):
                here = self._part(visible, finished, statement.span, **self._when(statement, finished))
            parts.append((statement, here, steps))
        self._pending.extend(reversed(parts))

    def _when(self, statement: syntax.Assert, finished: Mapping[str, Declaration]) -> dict[str, int]:
        """An assert on what is built is checked when all is."""
        waits = any(
            isinstance(each, syntax.Wire) or (isinstance(each, syntax.Name) and each.name in finished)
            for each in descendants(statement)
        )
        return {"as_of": END} if waits else {}

    # ---- steps -----------------------------------------------------------------------------------

    def _wire(self, node: syntax.Wire, visible: VisibleNames, steps: NamedSteps) -> None:
        path = _static(node.path)
        if path is not None:
            self.wires.append((node, path, visible, steps))
        self._push([node.path], visible, steps)

    def _labelled(self, node: syntax.Labelled, visible: VisibleNames, steps: NamedSteps) -> None:
        visible = self._run_later(node, visible)
        layer: syntax.Node = node.layer
        while isinstance(layer, syntax.Group):
            layer = layer.value
        inside = self._step("label", node.label, node, steps)
        if isinstance(layer, syntax.Sequence):
            self._push([node.label, layer.content], visible, inside)
        else:
            self._push([node.label, layer], visible, inside if isinstance(layer, _OPENS_STEPS) else steps)

    def _section(self, node: syntax.Section, visible: VisibleNames, steps: NamedSteps) -> None:
        inside = steps if node.label is None else self._step("section", node.label, node, steps)
        self._push([node.label, node.body], visible, inside)

    def _step(self, kind: Kind, label: syntax.String, node: syntax.Node, steps: NamedSteps) -> NamedSteps:
        """The scope of a step that is named here; its name counts once it is done."""
        inside = NamedSteps(steps, labels=steps.labels)
        name = _static(label)
        if name is not None:
            declaration = self._declared(kind, label, name, node, node.span.end)
            steps.named.setdefault(name, []).append((declaration, inside))
            if kind == "label" and steps.labels is not None:
                steps.labels.places.setdefault(name, []).append(node.span.start)
        return inside

    def _sequence(self, node: syntax.Sequence, visible: VisibleNames, steps: NamedSteps) -> None:
        self._push([node.content], self._run_later(node, visible), NamedSteps(steps, labels=steps.labels))

    def _layer(self, node: syntax.Flow | syntax.Braces, visible: VisibleNames, steps: NamedSteps) -> None:
        content = node.steps if isinstance(node, syntax.Flow) else (node.body,)
        self._push(content, self._run_later(node, visible), steps)


def _kind(node: syntax.Definition) -> Kind:
    if isinstance(node, syntax.Let):
        return "let" if node.parameters is None else "function"
    return "block" if isinstance(node, syntax.Block) else "network"


def _static(text: syntax.String) -> str | None:
    """The text, where nothing is filled in."""
    return text.parts[0] if len(text.parts) == 1 and isinstance(text.parts[0], str) else None


def _inherited(chain: Iterable[syntax.Network], seen_from: int) -> dict[str, Declaration]:
    """The parameters of all bases, which a variant's body sees; those of the nearest win."""
    found: dict[str, Declaration] = {}
    for network in chain:
        for each in network.parameters:
            declaration = Declaration("inherited parameter", each.name.name, each.name.span, each, seen_from)
            found.setdefault(each.name.name, declaration)
    return found


_BY_TYPE: dict[type, Callable[[_Binder, Any, VisibleNames, NamedSteps], None]] = {
    syntax.Import: lambda *_: None,
    syntax.Name: _Binder._name,
    syntax.Call: _Binder._call,
    syntax.Argument: _Binder._argument,
    syntax.Attribute: _Binder._argument,
    syntax.Named: _Binder._argument,
    syntax.Default: _Binder._default,
    syntax.Let: _Binder._let,
    syntax.Block: _Binder._block,
    syntax.Network: _Binder._network,
    syntax.Body: _Binder._body,
    syntax.For: _Binder._for,
    syntax.Comprehension: _Binder._comprehension,
    syntax.Input: _Binder._input,
    syntax.Wire: _Binder._wire,
    syntax.Labelled: _Binder._labelled,
    syntax.Section: _Binder._section,
    syntax.Sequence: _Binder._sequence,
    syntax.Flow: _Binder._layer,
    syntax.Braces: _Binder._layer,
}
