"""The modules and parameters of a network, each at its path."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import cache, partial
from keyword import iskeyword
from typing import NamedTuple

import torch
from torch import fx, nn

from archdsl.backends.call_targets import call_of
from archdsl.backends.layers import SelectOutputs, TrainingOnly
from archdsl.backends.torch.initialisation import initialise, start
from archdsl.backends.torch.module_factory import ModuleFactory
from archdsl.backends.torch_private import own_modules, own_parameters
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError
from archdsl.graph.model import Graph, Node, refused
from archdsl.graph.overwriting import overwriting_nodes
from archdsl.ops.contract.base import OpError, ParameterSpec
from archdsl.ops.contract.torch_call import ModuleCall, TorchCall
from archdsl.ops.reshape import InputOp

SELECT_OUTPUTS = "_select_outputs"
"""Where the SelectOutputs module of a network with auxiliary outputs stands."""


def gate(source: int) -> str:
    """Where the TrainingOnly module between node ``source`` and the auxiliary branches that read it stands."""
    return f"_training_only_{source}"


@cache
def _taken_names() -> frozenset[str]:
    """Attributes of a GraphModule, which no submodule can be named after."""
    return frozenset(dir(fx.GraphModule(nn.Module(), fx.Graph())))


class _Blueprint(NamedTuple):
    """What nodes of one op and one signature have in common."""

    call: TorchCall
    parameters: Mapping[str, ParameterSpec]
    make: Callable[[], nn.Module] | None


class FurnishedModules(NamedTuple):
    """Each node's call (None for an input), and the type of what stands at each path."""

    calls: list[TorchCall | None]
    standing: dict[str, type]


def furnish(
    graph: Graph, root: nn.Module, *, init: bool, device: torch.device, dtype: torch.dtype | None
) -> FurnishedModules:
    """Puts the graph's modules and parameters into ``root``, node by node.

    Raises ArchError: E606 for a name that torch or Python keep for themselves, E702 for an op of the user's own that
    fails.
    """
    return _Furnishing(graph, root, init, device, dtype).run()


class _Furnishing:
    def __init__(
        self, graph: Graph, root: nn.Module, init: bool, device: torch.device, dtype: torch.dtype | None
    ) -> None:
        self._graph = graph
        self._root = root
        self._init = init
        self._device = device
        self._dtype = dtype
        self._factory = ModuleFactory(device, dtype)
        self._blueprints: dict[Hashable, _Blueprint] = {}
        self._containers: dict[str, nn.Module] = {"": root}
        self._standing: dict[str, type] = {}
        self._overwriting = overwriting_nodes(graph)

    def run(self) -> FurnishedModules:
        calls = [self._node(node) for node in self._graph.nodes]
        self._auxiliaries()
        return FurnishedModules(calls, self._standing)

    def _node(self, node: Node) -> TorchCall | None:
        self._container(node, node.module.rpartition(".")[0])
        return None if isinstance(node.op, InputOp) else self._furnish(node)

    def _furnish(self, node: Node) -> TorchCall:
        """The node's call; what it needs stands at the node's place afterwards."""
        blueprint = self._blueprint(node)
        if node.module in self._standing:
            return blueprint.call
        if blueprint.make:
            module = self._made(blueprint.make, node)
            self._stand(node, module)
            if self._init and blueprint.parameters:
                initialise(module, blueprint.parameters)
        elif blueprint.parameters:
            (spec,) = blueprint.parameters.values()
            self._stand(node, self._parameter(spec))
        return blueprint.call

    def _made(self, make: Callable[[], nn.Module], node: Node) -> nn.Module:
        try:
            return make()
        except OpError as error:
            raise refused(error, node) from error

    def _blueprint(self, node: Node) -> _Blueprint:
        """How the node is made, thought out once for all that are alike (ops and types are interned)."""
        op, types = node.op, self._graph.input_types(node)
        in_place = node.id in self._overwriting
        key = (id(op), in_place, op.call_key(types))
        blueprint = self._blueprints.get(key)
        if blueprint is None:
            call = call_of(node, types, in_place=in_place)
            parameters = op.parameters(types)
            make: Callable[[], nn.Module] | None = None
            if isinstance(call, ModuleCall) and op.is_user_op:
                make = partial(self._factory.of_the_user, op, call, types)
            elif isinstance(call, ModuleCall):
                make = self._factory.maker(op, call, {**parameters, **op.buffers(types)})
            blueprint = self._blueprints[key] = _Blueprint(call, parameters, make)
        return blueprint

    def _parameter(self, spec: ParameterSpec) -> nn.Parameter:
        """An op's one parameter, which stands at the op's own path."""
        parameter = nn.Parameter(torch.empty(spec.shape, device=self._device, dtype=self._dtype))
        if spec.init is not None:
            start(parameter, spec.init)
        return parameter

    def _stand(self, node: Node, value: nn.Module | nn.Parameter) -> None:
        """Put a module or parameter at the node's place."""
        container, name = self._container_of(node, node.module)
        if isinstance(value, nn.Module):
            own_modules(container)[name] = value
        else:
            own_parameters(container)[name] = value
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
            own_modules(container)[own_name] = self._containers[path] = nn.Module()
        return self._containers[path]

    def _auxiliaries(self) -> None:
        """What keeps auxiliary branches and outputs to training."""
        graph, auxiliary = self._graph, self._graph.auxiliary_nodes()
        for node in graph.nodes:
            if node.id in auxiliary:
                for source in node.inputs:
                    if source not in auxiliary and gate(source) not in own_modules(self._root):
                        self._root.add_module(gate(source), TrainingOnly(*graph.nodes[source].type.sizes))
        if auxiliary_outputs := sum(output.auxiliary for output in graph.outputs):
            names = tuple(output.name for output in graph.outputs)
            self._root.add_module(SELECT_OUTPUTS, SelectOutputs(names, auxiliary_outputs))


def _refused_name(node: Node, name: str) -> ArchError:
    why = "a keyword of Python" if iskeyword(name) else "an attribute of torch's modules"
    return ArchError(
        Diagnostic(
            "E606",
            f"`{node.module}` cannot stand in a torch module: `{name}` is {why}",
            node.span,
            help="give it another label",
        )
    )
