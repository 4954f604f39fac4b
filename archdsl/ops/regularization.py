"""Noise that acts in training only: in eval mode each is the identity."""

from __future__ import annotations

from typing import Literal

from typing_extensions import override

from archdsl.ops.contract.argument_types import Probability
from archdsl.ops.contract.base import CostFreeOp, ModuleOp, PointwiseOp, Tensors, Types, require_layout
from archdsl.ops.contract.shapes import TensorType
from archdsl.ops.facts.reading import Reads, in_place
from archdsl.ops.memory.tape import Tape, Tensor
from archdsl.ops.memory.torch_memory import dropped_groups, dropped_out


class DropoutOp(PointwiseOp, ModuleOp):
    """Sets each element to 0 with probability ``p`` and scales the others by ``1 / (1 - p)``: any layout, same type.

    torch.nn.Dropout; Srivastava et al. 2014.
    """

    kind = "dropout"
    torch_module = "nn.Dropout"
    p: Probability = 0.5

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        return dropped_out(tape, tensors[0], self.p)


class Dropout2dOp(CostFreeOp, ModuleOp):
    """As ``dropout``, but whole channels of ``C x H x W``. Errors: E306 another layout.

    torch.nn.Dropout2d; Tompson et al. 2014, arXiv:1411.4280, section 3.2.
    """

    kind = "dropout2d"
    torch_module = "nn.Dropout2d"
    p: Probability = 0.5

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("dropout2d", inputs[0], ("CHW",))
        return inputs[0]

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return in_place(3)

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        (x,) = tensors
        if not tape.training or self.p == 0:
            return x
        return dropped_groups(tape, x, (*x.sizes[:2], 1, 1) if self.p < 1 else ())


class DropPathOp(PointwiseOp, ModuleOp):
    """Stochastic depth: sets whole examples to 0 with probability ``p`` and scales the others by ``1 / (1 - p)``.

    Placed at a residual branch's end it drops the branch. ``mode`` "row" draws for each example, "batch" once for the
    mini-batch, as the paper does. Any layout, same type. torchvision.ops.StochasticDepth; Huang et al. 2016,
    arXiv:1603.09382, section 3.
    """

    kind = "drop_path"
    aliases = ("stochastic_depth", "droppath")
    torch_module = "layers.DropPath"
    p: Probability
    mode: Literal["row", "batch"] = "row"

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        (x,) = tensors
        if not tape.training or self.p == 0:
            return x
        draws = x.sizes[0] if self.mode == "row" else 1
        return dropped_groups(tape, x, (draws,) + (1,) * (len(x.sizes) - 1))
