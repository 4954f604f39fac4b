"""What is known of a network: each analysis when it is first asked for, and the tree of rows that add up to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from archdsl.analysis.cost import Cost, cost, training_macs
from archdsl.graph.model import Graph, Node
from archdsl.views.tree import TreeRow, tree_of

if TYPE_CHECKING:
    from archdsl.analysis.memory import Memory
    from archdsl.analysis.receptive_field import ReceptiveFields


@dataclass(frozen=True, repr=False)
class Analyses:
    """What a network costs. Each analysis is made when it is first asked for; none imports torch.

    Parameters, MACs and FLOPs are for one example. ``memory`` is for ``batch`` examples in ``dtype``, in training with
    ``optimizer``; ``device`` is where it would run. Raises ArchError E801 for what these cannot be.
    """

    graph: Graph
    batch: int = 1
    dtype: str = "float32"
    optimizer: str = "sgd"
    device: str = "cpu"

    def __post_init__(self) -> None:
        from archdsl.analysis.memory import check_settings

        check_settings(self.batch, self.dtype, self.optimizer, self.device)
        object.__setattr__(self, "batch", int(self.batch))

    @property
    def name(self) -> str:
        """The network's name."""
        return self.graph.name

    @cached_property
    def cost(self) -> Cost:
        """Parameters, buffers, MACs, FLOPs and depth, with each node's share."""
        return cost(self.graph)

    @property
    def parameters(self) -> int:
        """Trainable elements."""
        return self.cost.parameters

    @property
    def buffers(self) -> int:
        """Elements of the rest of the state_dict."""
        return self.cost.buffers

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one example's forward pass."""
        return self.cost.macs

    @property
    def flops(self) -> int:
        """Floating-point operations: two for each MAC."""
        return self.cost.flops

    @cached_property
    def training_macs(self) -> int:
        """Multiply-accumulates of one example's training step: forward and backward."""
        return training_macs(self.graph)

    @property
    def depth(self) -> int:
        """Layers with weights on the longest path."""
        return self.cost.depth

    @cached_property
    def memory(self) -> Memory:
        """Bytes of weights, of what training keeps, and of inference's worst moment. Raises ArchError for bad units."""
        from archdsl.analysis.memory import memory

        return memory(self.graph, batch=self.batch, dtype=self.dtype, optimizer=self.optimizer, device=self.device)

    @cached_property
    def receptive_fields(self) -> ReceptiveFields:
        """Which pixels each node sees, and where branches are centred apart."""
        from archdsl.analysis.receptive_field import receptive_fields

        return receptive_fields(self.graph)

    @cached_property
    def seen_inputs(self) -> tuple[Node, ...]:
        """The inputs that receptive fields are of: images and sequences, not features."""
        return tuple([node for node in self.graph.inputs if self.receptive_fields.nodes[node.id]])

    @cached_property
    def root(self) -> TreeRow:
        """The network's row; sections, blocks and layers are below it."""
        return tree_of(self.graph, self.cost)

    def rows(self, depth: int | None = None) -> Iterator[tuple[int, TreeRow]]:
        """All rows in the order of the spec, each with its level: 0 is the network."""
        return self.root.walk(depth)

    def ends(self, row: TreeRow) -> tuple[int, ...]:
        """The ids of the nodes that made what leaves a row: for the network, its outputs but auxiliary ones."""
        if row is self.root:
            return tuple([output.node for output in self.graph.outputs if not output.auxiliary])
        return (row.node,) if row.node >= 0 else ()

    def kept(self, row: TreeRow) -> int | None:
        """Bytes that training keeps of what the row's layers made; None where an op does not say."""
        return self._kept[id(row)]

    @cached_property
    def _kept(self) -> dict[int, int | None]:
        """``kept`` of each row, by the row's identity: the sums of the layers below it."""
        nodes, sums = self.memory.nodes, dict[int, int | None]()
        for _, row in reversed(list(self.root.walk())):
            parts = [sums[id(child)] for child in row.children]
            if not row.children and row.node >= 0:
                parts.append(nodes[row.node].kept)
            known = [part for part in parts if part is not None]
            sums[id(row)] = sum(known) if len(known) == len(parts) else None
        return sums
