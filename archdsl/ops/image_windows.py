"""Images cut into windows, put together again, and made smaller by merging patches."""

from __future__ import annotations

from math import prod

from typing_extensions import override

from archdsl.ops.contract.argument_types import Flag, Pair
from archdsl.ops.contract.base import CostFreeOp, ModuleOp, OpError, Tensors, Types, require_layout
from archdsl.ops.contract.shapes import TensorType, format_sizes
from archdsl.ops.contract.torch_call import ModuleCall, TorchCall
from archdsl.ops.facts.reading import SOME, PerAxis, Reads, Window, rearranged
from archdsl.ops.memory.tape import Tape, Tensor
from archdsl.ops.memory.torch_memory import concatenated, flattened, narrowed, padded, permuted, unflattened


class PatchMergingOp(CostFreeOp, ModuleOp):
    """Each 2x2 places become one: ``H x W x C`` to ``H / 2 x W / 2 x 4 C``, rounded up.

    The channels of the left two places come first, of each two those of the upper. An odd height or width is padded
    by zeros. Errors: E306 another layout. Liu et al. 2021, arXiv:2103.14030, section 3.1.
    """

    kind = "patch_merging"
    torch_module = "layers.PatchMerging"

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("patch_merging", inputs[0], ("HWC",))
        height, width, channels = inputs[0].sizes
        return TensorType((-(-height // 2), -(-width // 2), 4 * channels), "HWC")

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return PerAxis((Window(2, 2), Window(2, 2), SOME))

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        (x,) = tensors
        height, width, _ = self.infer(inputs).sizes
        x = padded(tape, x, (0, 0, 0, x.sizes[2] % 2, 0, x.sizes[1] % 2))
        part = narrowed(narrowed(x, 1, height, 2), 2, width, 2)
        return concatenated(tape, (part,) * 4, 3)


class WindowsOp(CostFreeOp):
    """An image cut into windows, the places of each in a row: ``C x H x W`` to ``G x h w x C``, of G windows of h x w.

    With ``grid`` the places of a window are not side by side but spread evenly over the image. Each row is an image of
    its own to ``relative_attention``, and ``unwindows`` puts them back. Errors: E306 another layout, E308 windows that
    do not divide the image. Tu et al. 2022, arXiv:2204.01697, section 3.2.
    """

    kind = "windows"
    window: Pair
    grid: Flag = False

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("windows", inputs[0], ("CHW",))
        channels, height, width = inputs[0].sizes
        windows = _count("windows", self.window, (height, width), argument="window")
        return TensorType((windows, prod(self.window), channels), "HWC")

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        channels, height, width = inputs[0].sizes
        rows, columns = self.window
        down, across = height // rows, width // columns
        if self.grid:
            return rearranged((channels, rows, down, columns, across), (2, 4, 1, 3, 0))
        return rearranged((channels, down, rows, across, columns), (1, 3, 2, 4, 0))

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return ModuleCall("layers.Windows", (self.window,), {"grid": self.grid})

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        (rows, columns), (_, _, height, width) = self.window, tensors[0].sizes
        across, down = (columns, width // columns), (rows, height // rows)
        x = unflattened(tape, tensors[0], 3, across if self.grid else across[::-1])
        x = unflattened(tape, x, 2, down if self.grid else down[::-1])
        x = permuted(x, *(0, 3, 5, 2, 4, 1) if self.grid else (0, 2, 4, 3, 5, 1))
        return flattened(tape, flattened(tape, x, 3, 4), 1, 2)


class UnwindowsOp(CostFreeOp):
    """The image of ``size`` H x W that ``windows`` has cut: ``G x h w x C`` to ``C x H x W``.

    Errors: E306 another layout, E308 windows that do not divide the image, or are not as many or as large as they were.
    Tu et al. 2022, arXiv:2204.01697, section 3.2.
    """

    kind = "unwindows"
    window: Pair
    size: Pair
    grid: Flag = False

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("unwindows", inputs[0], ("HWC",), "it takes what `windows` makes")
        windows, places, channels = inputs[0].sizes
        wanted = (_count("unwindows", self.window, self.size, argument="size"), prod(self.window))
        if (windows, places) != wanted:
            found = f"`unwindows` takes {wanted[0]} windows of {wanted[1]} places for an image of "
            message = f"{found}{format_sizes(self.size)}, but gets {windows} of {places}"
            raise OpError("E308", message, help="give the `window` and the size that `windows` had", argument="size")
        return TensorType((channels, *self.size), "CHW")

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        (rows, columns), channels = self.window, output.sizes[0]
        down, across = self.size[0] // rows, self.size[1] // columns
        order = (4, 2, 0, 3, 1) if self.grid else (4, 0, 2, 1, 3)
        return rearranged((down, across, rows, columns, channels), order)

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return ModuleCall("layers.Unwindows", (self.window, self.size), {"grid": self.grid})

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        down, across = (size // part for size, part in zip(self.size, self.window, strict=True))
        x = unflattened(tape, unflattened(tape, tensors[0], 2, self.window), 1, (down, across))
        x = permuted(x, *(0, 5, 3, 1, 4, 2) if self.grid else (0, 5, 1, 3, 2, 4))
        return flattened(tape, flattened(tape, x, 4, 5), 2, 3)


def _count(kind: str, window: tuple[int, int], image: tuple[int, int], argument: str) -> int:
    """How many windows an image has. Raises OpError E308 where they do not divide it."""
    if image[0] % window[0] or image[1] % window[1]:
        message = f"windows of {format_sizes(window)} of `{kind}` do not divide an image of {format_sizes(image)}"
        raise OpError("E308", message, argument=argument)
    return (image[0] // window[0]) * (image[1] // window[1])
