"""An op whose arguments are lists."""

from archdsl.extensions import FunctionCall, TensorType, TorchCall, Types, UserOp, X


class Listed(UserOp):
    kind = "listed"
    sizes: tuple[int, ...]
    pair: tuple[int, int] = (1, 1)
    either: int | tuple[int, ...] = 1

    def infer(self, inputs: Types) -> TensorType:
        return inputs[0]

    def macs(self, inputs: Types, output: TensorType) -> int:
        return 0

    def torch_call(self, inputs: Types) -> TorchCall:
        return FunctionCall("torch.relu", (X,))


OPS = [Listed]
