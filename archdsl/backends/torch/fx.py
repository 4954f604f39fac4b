"""Graph to ``torch.fx.GraphModule``, built node by node; nothing is traced."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import fx, nn

from archdsl.backends.call_targets import resolve
from archdsl.backends.torch.deferred_graph import empty_module, give_graph
from archdsl.backends.torch.devices import usable_device
from archdsl.backends.torch.module_tree import SELECT_OUTPUTS, FurnishedModules, furnish, gate
from archdsl.backends.torch_private import WeaklyOwnedGraph, set_arguments
from archdsl.base.collection import collection_paused
from archdsl.base.source import Span
from archdsl.graph.model import Graph, Node, Scope
from archdsl.ops.contract.torch_call import (
    Argument,
    FoldCall,
    FunctionCall,
    Input,
    ModuleCall,
    OwnParameter,
    TorchCall,
)


def to_graph_module(
    graph: Graph, *, init: bool = True, device: str | torch.device = "cpu", dtype: torch.dtype | None = None
) -> fx.GraphModule:
    """The network as a module in train mode: ``forward`` takes its inputs, batch first, by name or in order.

    A single output is returned bare, several as a dict by name; auxiliary ones beside the main one in
    training only. Submodules stand at their paths, so ``state_dict`` keys and order are the spec's. Any
    batch and every input size that the architecture allows may be given.

    With ``init`` the weights start as the spec says, drawn from torch's global generator
    (``torch.manual_seed``); without it, large weights are left as the memory was, to be loaded into.
    The fx graph and its code are made when something first asks for them, as the first call does, or at once with
    ``ARCHDSL_EAGER=1`` in the environment.
    ``node.meta`` carries path, section, span, tensor_type and nn_module_stack. Raises ArchError: E604 for a device that
    is not there, E606 for a name that torch or Python keep for themselves.
    """
    with collection_paused(ages=True):
        module = empty_module(graph.name)
        tree = furnish(graph, module, init=init, device=usable_device(device), dtype=dtype)
        give_graph(module, partial(_fx_graph, graph, tree))
        return module


def _fx_graph(graph: Graph, tree: FurnishedModules) -> fx.Graph:
    with collection_paused():
        return _Writing(graph, tree).run()


class _Writing:
    """Writes the fx graph of modules and parameters that stand in a module tree."""

    def __init__(self, graph: Graph, tree: FurnishedModules) -> None:
        self._graph = graph
        self._tree = tree
        self._fx = WeaklyOwnedGraph()
        self._values: list[fx.Node] = []
        self._stacks: dict[str, dict[str, tuple[str, type]]] = {"": {}}
        self._section_titles: dict[Scope, str | None] = {}
        self._auxiliary = graph.auxiliary_nodes()
        self._gates: dict[int, fx.Node] = {}
        self._spans: dict[int, str] = {}

    def run(self) -> fx.Graph:
        for node, call in zip(self._graph.nodes, self._tree.calls, strict=True):
            value = self._call(node, call) if call else self._placeholder(node)
            self._describe(value, node)
            self._values.append(value)
        self._output()
        return self._fx

    def _placeholder(self, node: Node) -> fx.Node:
        return self._fx.create_node("placeholder", node.path, name=node.path)

    def _call(self, node: Node, call: TorchCall) -> fx.Node:
        if self._auxiliary:
            inputs = tuple([self._input(i, node) for i in node.inputs])
        else:
            inputs = tuple([self._values[i] for i in node.inputs])
        if isinstance(call, ModuleCall):
            return self._node("call_module", node.module, inputs, {}, node.path)
        if isinstance(call, FoldCall):
            return self._fold(call, inputs, node.path)
        return self._function(call, inputs, self._own_parameter(node), node.path)

    def _input(self, source: int, reader: Node) -> fx.Node:
        """The tensor of ``source`` as ``reader`` sees it: behind a gate where an auxiliary branch begins."""
        if reader.id not in self._auxiliary or source in self._auxiliary:
            return self._values[source]
        if source not in self._gates:
            self._gates[source] = self._fx.create_node("call_module", gate(source), (self._values[source],))
        return self._gates[source]

    def _fold(self, call: FoldCall, inputs: tuple[fx.Node, ...], path: str) -> fx.Node:
        """Left to right, two at a time; the last step bears the node's name."""
        function, result = resolve(call.target), inputs[0]
        for position, operand in enumerate(inputs[1:], 2):
            name = path if position == len(inputs) else f"{path}_{position - 1}"
            result = self._node("call_function", function, (result, operand), {}, name)
        return result

    def _function(self, call: FunctionCall, inputs: tuple[fx.Node, ...], own: fx.Node | None, path: str) -> fx.Node:
        """The call and the calls in its arguments, as nodes."""
        args = tuple([self._argument(argument, inputs, own, path) for argument in call.args])
        kwargs = {name: self._argument(argument, inputs, own, path) for name, argument in call.kwargs.items()}
        library, _, name = call.target.partition(".")
        if library == "Tensor":
            return self._node("call_method", name, args, kwargs, path)
        return self._node("call_function", resolve(call.target), args, kwargs, path)

    def _node(self, op: str, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any], name: str) -> fx.Node:
        node = self._fx.create_node(op, target, name=name.replace(".", "_"))  # as torch would, by regular expressions
        set_arguments(node, args)
        if kwargs:
            node.kwargs = kwargs
        return node

    def _argument(self, argument: Argument, inputs: tuple[fx.Node, ...], own: fx.Node | None, path: str) -> Any:
        match argument:
            case Input(index):
                return inputs[index]
            case OwnParameter():
                return own
            case FunctionCall():
                return self._function(argument, inputs, own, f"{path}_{argument.target.partition('.')[2]}")
            case list() | tuple():
                return type(argument)([self._argument(part, inputs, own, path) for part in argument])
        return argument

    def _own_parameter(self, node: Node) -> fx.Node | None:
        """The read of an op's one parameter, which stands at the op's own path; None if it has none."""
        if node.module not in self._tree.standing:
            return None
        return self._fx.create_node("get_attr", node.module, name=f"{node.path}_parameter")

    def _output(self) -> None:
        outputs = self._graph.outputs
        values = {output.name: self._values[output.node] for output in outputs}
        if any(output.auxiliary for output in outputs):
            self._fx.output(self._fx.create_node("call_module", SELECT_OUTPUTS, tuple(values.values())))
        else:
            self._fx.output(values if len(values) > 1 else self._values[outputs[0].node])

    def _describe(self, value: fx.Node, node: Node) -> None:
        meta = value.meta
        meta["path"] = node.path
        meta["section"] = self._section_title(node.scope)
        meta["span"] = self._place(node.span)
        meta["tensor_type"] = node.type
        if value.op == "call_module":
            stack = self._stack(node.module.rpartition(".")[0])
            meta["nn_module_stack"] = {**stack, node.module: (node.module, self._tree.standing[node.module])}
        else:
            meta["nn_module_stack"] = {**self._stack(node.path.rpartition(".")[0])}

    def _place(self, span: Span | None) -> str | None:
        """As a text; steps of a repeated block have one span, which the graph keeps alive."""
        if span is None:
            return None
        found = self._spans.get(id(span))
        if found is None:
            found = self._spans[id(span)] = span.place
        return found

    def _section_title(self, scope: Scope) -> str | None:
        """What the innermost section around is called."""
        if scope not in self._section_titles:
            section = scope.section
            self._section_titles[scope] = section.title if section else None
        return self._section_titles[scope]

    def _stack(self, path: str) -> dict[str, tuple[str, type]]:
        """The modules around, outermost first, as torch's tracer records them."""
        if path not in self._stacks:
            self._stacks[path] = {**self._stack(path.rpartition(".")[0]), path: (path, nn.Module)}
        return self._stacks[path]
