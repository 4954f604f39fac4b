"""An op whose shape rule fails."""

from archdsl.extensions import FunctionCall, TensorType, TorchCall, Types, UserOp, X


class HalvedOp(UserOp):
    """Meant to halve the channels."""

    kind = "halved"
    parts: int = 2

    def infer(self, inputs: Types) -> TensorType:
        channels, *sizes = inputs[0].sizes
        return TensorType((channels // (self.parts - 2), *sizes), inputs[0].layout)

    def macs(self, inputs: Types, output: TensorType) -> int:
        return 0

    def torch_call(self, inputs: Types) -> TorchCall:
        return FunctionCall("torch.narrow", (X, 1, 0, inputs[0].sizes[0] // self.parts))


OPS = [HalvedOp]
