"""Graph to ``torch.fx.GraphModule``, built node by node; nothing is traced."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import cache
from keyword import iskeyword
from typing import Any, NamedTuple

import torch
from torch import fx, nn

from archdsl.analysis.in_place import overwriting_nodes
from archdsl.backends.deferred_code import WeaklyOwnedGraph, empty_module, set_graph
from archdsl.backends.devices import usable_device
from archdsl.backends.modules import ModuleFactory, initialise, resolve, start
from archdsl.backends.torch_calls import (
    Argument,
    FoldCall,
    FunctionCall,
    Input,
    ModuleCall,
    OwnParameter,
    TorchCall,
    deciding,
    torch_call,
)
from archdsl.collection import collection_paused
from archdsl.diagnostics import ArchError, Diagnostic, Label
from archdsl.graph import Graph, Node, Scope
from archdsl.layers import SelectOutputs, TrainingOnly
from archdsl.ops import InputOp
from archdsl.ops.base import ParameterSpec
from archdsl.source import Span

_SELECT_OUTPUTS = "_select_outputs"
"""Where the SelectOutputs module of a network with auxiliary outputs stands."""

_TRAINING_ONLY = "_training_only"
"""What the TrainingOnly modules before auxiliary branches are called, followed by the node they read."""


_set_args: Callable[[fx.Node, tuple[Any, ...]], None] = fx.Node.args.fset  # type: ignore[attr-defined]
"""``node.args = ...`` without a look at the graph's index of nodes, which does not hang on arguments.

``create_node`` takes arguments, too, but searches them for symbolic sizes. Either takes as long as all else.
"""


@cache
def _taken_names() -> frozenset[str]:
    """Attributes of a GraphModule, which no submodule can be named after."""
    return frozenset(dir(fx.GraphModule(nn.Module(), fx.Graph())))


def to_graph_module(
    graph: Graph, *, init: bool = True, device: str | torch.device = "cpu", dtype: torch.dtype | None = None
) -> fx.GraphModule:
    """The network as a module in train mode: ``forward`` takes its inputs, batch first, by name or in order.

    A single output is returned bare, several as a dict by name; auxiliary ones beside the main one in
    training only. Submodules stand at their paths, so ``state_dict`` keys and order are the spec's. Any
    batch and every input size that the architecture allows may be given.

    With ``init`` the weights start as the spec says, drawn from torch's global generator
    (``torch.manual_seed``); without it, large weights are left as the memory was, to be loaded into.
    ``node.meta`` carries path, section, span, tensor_type and nn_module_stack. Raises ArchError: E604 for a device that
    is not there, E606 for a name that torch or Python keep for themselves.
    """
    with collection_paused(ages=True):
        return _Lowering(graph, init, usable_device(device), dtype).run()


class _Recipe(NamedTuple):
    """What nodes of one op and one signature have in common."""

    call: TorchCall
    parameters: Mapping[str, ParameterSpec]
    make: Callable[[], nn.Module] | None


class _Lowering:
    """One conversion: the module tree and the fx graph grow together, node by node."""

    def __init__(self, graph: Graph, init: bool, device: torch.device, dtype: torch.dtype | None) -> None:
        self._graph = graph
        self._init = init
        self._device = device
        self._dtype = dtype
        self._root = empty_module(graph.name)
        self._root.__dict__["_graphmodule_cls_name"] = graph.name  # what unpickling names it
        self._factory = ModuleFactory(device, dtype)
        self._recipes: dict[Hashable, _Recipe] = {}
        self._fx = WeaklyOwnedGraph()
        self._values: list[fx.Node] = []
        self._containers: dict[str, nn.Module] = {"": self._root}
        self._stacks: dict[str, dict[str, tuple[str, type]]] = {"": {}}
        self._standing: dict[str, type] = {}
        self._section_titles: dict[Scope, str | None] = {}
        self._overwriting = overwriting_nodes(graph)
        self._auxiliary = graph.auxiliary_nodes()
        self._gates: dict[int, fx.Node] = {}
        self._spans: dict[int, str] = {}

    def run(self) -> fx.GraphModule:
        for node in self._graph.nodes:
            self._container(node, node.module.rpartition(".")[0])
            value = self._placeholder(node) if isinstance(node.op, InputOp) else self._lower(node)
            self._describe(value, node)
            self._values.append(value)
        self._output()
        set_graph(self._root, self._fx)
        return self._root

    def _placeholder(self, node: Node) -> fx.Node:
        return self._fx.create_node("placeholder", node.path, name=node.path)

    def _lower(self, node: Node) -> fx.Node:
        call = self._call(node)
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
            name = f"{_TRAINING_ONLY}_{source}"
            self._root.add_module(name, TrainingOnly(*self._graph.nodes[source].type.sizes))
            self._gates[source] = self._fx.create_node("call_module", name, (self._values[source],))
        return self._gates[source]

    def _call(self, node: Node) -> TorchCall:
        """The node's call; where that is a module, it stands at its path afterwards."""
        recipe = self._recipe(node)
        if recipe.make and node.module not in self._standing:
            module = recipe.make()
            self._stand(node, module)
            if self._init and recipe.parameters:
                initialise(module, recipe.parameters)
        return recipe.call

    def _recipe(self, node: Node) -> _Recipe:
        """How the node is made, thought out once for all that are alike (ops and types are interned)."""
        op, types = node.op, self._graph.input_types(node)
        in_place = node.id in self._overwriting
        key = (id(op), in_place, deciding(op, types))
        recipe = self._recipes.get(key)
        if recipe is None:
            call = torch_call(op, types, in_place=in_place)
            parameters = op.parameters(types)
            make = None
            if isinstance(call, ModuleCall):
                make = self._factory.maker(call, {**parameters, **op.buffers(types)})
            recipe = self._recipes[key] = _Recipe(call, parameters, make)
        return recipe

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
        _set_args(node, args)
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
        specs = node.op.parameters(self._graph.input_types(node))
        if not specs:
            return None
        if node.module not in self._standing:
            (spec,) = specs.values()
            parameter = nn.Parameter(torch.empty(spec.shape, device=self._device, dtype=self._dtype))
            if spec.init is not None:
                start(parameter, spec.init)
            self._stand(node, parameter)
        return self._fx.create_node("get_attr", node.module, name=f"{node.path}_parameter")

    def _stand(self, node: Node, value: nn.Module | nn.Parameter) -> None:
        """Put a module or parameter at the node's place."""
        container, name = self._container_of(node, node.module)
        if isinstance(value, nn.Module):
            container._modules[name] = value
        else:
            container._parameters[name] = value
        self._standing[node.module] = type(value)

    def _container_of(self, node: Node, path: str) -> tuple[nn.Module, str]:
        """The module around ``path``, made where it is missing, and the last part of the name."""
        outer, _, name = path.rpartition(".")
        if iskeyword(name) or name in _taken_names():
            raise _refused_name(node, name)
        return self._container(node, outer), name

    def _container(self, node: Node, path: str) -> nn.Module:
        """The module that stands for a scope, put into its own container at the first node inside."""
        if path not in self._containers:
            container, own_name = self._container_of(node, path)
            container._modules[own_name] = self._containers[path] = nn.Module()
        return self._containers[path]

    def _output(self) -> None:
        outputs = sorted(self._graph.outputs, key=lambda output: output.auxiliary)
        values = tuple(self._values[output.node] for output in outputs)
        names = tuple(output.name for output in outputs)
        auxiliary = sum(output.auxiliary for output in outputs)
        if auxiliary:
            self._root.add_module(_SELECT_OUTPUTS, SelectOutputs(names, auxiliary))
            self._fx.output(self._fx.create_node("call_module", _SELECT_OUTPUTS, values))
        else:
            self._fx.output(values[0] if len(values) == 1 else dict(zip(names, values, strict=True)))

    def _describe(self, value: fx.Node, node: Node) -> None:
        meta = value.meta
        meta["path"] = node.path
        meta["section"] = self._section_title(node.scope)
        meta["span"] = self._place(node.span)
        meta["tensor_type"] = node.type
        if value.op == "call_module":
            stack = self._stack(node.module.rpartition(".")[0])
            meta["nn_module_stack"] = {**stack, node.module: (node.module, self._standing[node.module])}
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


def _refused_name(node: Node, name: str) -> ArchError:
    why = "a keyword of Python" if iskeyword(name) else "an attribute of torch's modules"
    return ArchError(
        Diagnostic(
            "E606",
            f"`{node.module}` cannot stand in a torch module: `{name}` is {why}",
            Label(node.span) if node.span else None,
            help=("give it another label",),
        )
    )
