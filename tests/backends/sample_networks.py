"""Small networks, each with something that a backend could get wrong."""

from __future__ import annotations

from collections.abc import Callable

from archdsl.graph.model import Graph, Node
from archdsl.ops.contract.init import Initializer, KaimingNormal, Normal, Zeros
from tests.graph.network_builder import NetworkBuilder


def residual(init: Initializer | None = None) -> Graph:
    """Blocks with and without a projection, at three widths; activations that may overwrite their input."""
    b = NetworkBuilder("residual")
    x = _norm_relu(b, b.add("conv", b.input(3, 32, 32), name="conv1", out_channels=8, kernel_size=3, bias=False), "1")
    for stage, (width, blocks) in enumerate([(8, 2), (16, 4), (32, 1)], 1):
        b.open("stage", f"layer{stage}", f"layer{stage}")
        for block in range(blocks):
            stride = 2 if block == 0 and stage > 1 else 1
            b.open("block", str(block), "basic")
            y = b.add("conv", x, name="conv1", out_channels=width, kernel_size=3, stride=stride, bias=False, init=init)
            y = _norm_relu(b, y, "1")
            y = b.add("conv", y, name="conv2", out_channels=width, kernel_size=3, bias=False, init=init)
            y = b.add("bn", y, name="bn2", init=Zeros())
            if x.type != y.type:
                b.open("sequence", "downsample")
                x = b.add("conv", x, name="0", out_channels=width, kernel_size=1, stride=stride, bias=False)
                x = b.add("bn", x, name="1")
                b.close()
            x = b.add("relu", b.add("add", y, x, name="add1"), name="relu2")
            b.close()
        b.close()
    b.open("head", "")
    _classifier(b, x)
    return b.graph()


def dense() -> Graph:
    """Concatenations whose number differs between blocks of one kind."""
    b = NetworkBuilder("dense")
    x = b.input(3, 16, 16)
    b.open("group", "features")
    x = b.add("conv", x, name="conv0", out_channels=8, kernel_size=3)
    for block, depth in enumerate([3, 5], 1):
        b.open("stage", f"denseblock{block}", f"denseblock{block}")
        for layer in range(1, depth + 1):
            b.open("block", f"denselayer{layer}", "dense_layer")
            y = b.add("relu", b.add("bn", x, name="norm1"), name="relu1")
            y = b.add("conv", y, name="conv1", out_channels=4, kernel_size=3)
            b.close()
            x = b.add("concat", x, y, name=f"concat{layer}")
        b.close()
    b.close()
    _classifier(b, x)
    return b.graph()


def shared() -> Graph:
    """One convolution and one activation used twice, where only the first use may overwrite its input."""
    b = NetworkBuilder("shared")
    x = b.add("conv", b.input(4, 8, 8), name="conv1", out_channels=4, kernel_size=3)
    y = b.add("relu", b.add("bn", x, name="bn1"), name="act")
    b.open("group", "again")
    y = b.add("conv", y, name="conv1", module="conv1", out_channels=4, kernel_size=3)
    z = b.add("relu", y, name="act", module="act")
    b.close()
    b.add("mul", z, y, name="mul1")
    return b.graph()


def named_containers() -> Graph:
    """Labels with dots that interleave, labels that are numbers, a bare parameter in each place."""
    b = NetworkBuilder("containers")
    x = b.input(4, 8, 8)
    for i in range(3):
        x = b.add("conv", x, name=f"convs.{i}", out_channels=4, kernel_size=3)
        x = b.add("bn", x, name=f"norms.norm{i}")
        x = b.add("scale", x, name=f"factors.{i}", value=0.5)
    x = b.add("conv", x, name="1x1", out_channels=4, kernel_size=1)
    x = b.add("scale", x, name="layer_scale", value=1e-3)
    x = b.add("relu", x, name="extra.keys")
    b.open("group", "0")
    x = b.add("add", b.add("conv", x, name="2", out_channels=4, kernel_size=1), x, name="add1")
    b.close()
    return b.graph()


def branches() -> Graph:
    """A block that reads two tensors and gives two; wires into blocks; more operands than one line takes."""
    b = NetworkBuilder("branches")
    x = b.input(6, 8, 8)
    b.open("block", "first", "split")
    left = b.add("chunk", x, name="chunk1", chunks=2, index=0)
    right = b.add(
        "conv", b.add("chunk", x, name="chunk2", chunks=2, index=-1), name="conv1", out_channels=3, kernel_size=3
    )
    b.close()
    b.open("block", "second", "join")
    y = b.add("concat", left, b.add("relu", right, name="relu1"), right, name="concat1")
    z = b.add("rsub_scalar", b.add("sigmoid", y, name="sigmoid1"), name="rsub1", value=1.0)
    y = b.add("mul", y, z, name="mul1")
    b.close()
    parts = [b.add("conv", y, name=f"part{i}", out_channels=2, kernel_size=1) for i in range(12)]
    total = b.add("add", *parts, name="add1")
    b.add("mul", total, parts[1], total, name="mul1")
    return b.graph()


def several_outputs() -> Graph:
    """Two inputs, two outputs, one auxiliary output."""
    b = NetworkBuilder("several")
    left, right = b.input(3, 8, 8, name="left"), b.input(3, 8, 8, name="right")
    x = b.add("add", b.add("conv", left, name="conv1", out_channels=3, kernel_size=3), right, name="add1")
    side = b.add("dropout", b.add("flatten", x, name="flatten1"), name="dropout1", p=0.3)
    y = b.add("relu", x, name="relu1")
    z = b.add("drop_path", b.add("tanh", x, name="tanh1"), name="drop_path1", p=0.5)
    return b.graph(y, z, auxiliary={"side": side})


def auxiliary() -> Graph:
    """One output and an auxiliary one, from a section of its own."""
    b = NetworkBuilder("auxiliary")
    x = b.add("conv", b.input(3, 8, 8), name="conv1", out_channels=4, kernel_size=3, init=Normal(std=0.01))
    b.open("aux", "side", "side")
    side = b.add("linear", b.add("flatten", b.add("global_avgpool", x, name="0"), name="1"), name="2", out_features=2)
    b.close()
    return b.graph(
        b.add("linear", b.add("flatten", x, name="flatten1"), name="fc", out_features=5), auxiliary={"side": side}
    )


def tokens() -> Graph:
    """Layouts other than images, normalisations that have layers of ours."""
    b = NetworkBuilder("tokens")
    x = b.add(
        "ln2d", b.add("conv", b.input(3, 8, 8), name="conv1", out_channels=6, kernel_size=2, stride=2), name="norm"
    )
    x = b.add("channels_last", x, name="channels_last1")
    x = b.add("gelu", b.add("linear", b.add("ln", x, name="ln1"), name="fc1", out_features=12), name="gelu1")
    x = b.add("scale", b.add("linear", x, name="fc2", out_features=6), name="gamma", value=1e-6)
    x = b.add("channels_first", x, name="channels_first1")
    x = b.add("blurpool", x, name="blur")
    x = b.add("crop", b.add("pad", x, name="pad1", sizes=(1, 1, 1, 1)), name="crop1", size=2)
    _classifier(b, b.add("prelu", x, name="prelu1", num_parameters=6))
    return b.graph()


def numbered() -> Graph:
    """A stage whose steps are named by position and are no plain sequence."""
    b = NetworkBuilder("numbered")
    x = b.input(4, 8, 8)
    b.open("stage", "body", "body")
    for i in range(0, 4, 2):
        y = b.add("relu", b.add("conv", x, name=str(i), out_channels=4, kernel_size=3), name=str(i + 1))
        x = b.add("add", y, x, name=f"add{i}")
    b.close()
    return b.graph()


def nothing() -> Graph:
    """The output is the input."""
    b = NetworkBuilder("nothing")
    b.input(5)
    return b.graph()


def _norm_relu(b: NetworkBuilder, x: Node, number: str) -> Node:
    return b.add("relu", b.add("bn", x, name=f"bn{number}"), name=f"relu{number}")


def _classifier(b: NetworkBuilder, x: Node) -> None:
    x = b.add("flatten", b.add("global_avgpool", x, name="pool"), name="flatten")
    b.add("linear", x, name="fc", out_features=10, init=KaimingNormal(), bias_init=Zeros())


SAMPLES: dict[str, Callable[[], Graph]] = {
    sample.__name__: sample
    for sample in (
        residual, dense, shared, named_containers, branches, several_outputs, auxiliary, tokens, numbered, nothing
    )
}  # fmt: skip
