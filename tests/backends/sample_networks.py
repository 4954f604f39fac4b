"""Small networks, each with something that a backend could get wrong."""

from __future__ import annotations

from collections.abc import Callable

from archdsl.graph.builder import GraphBuilder
from archdsl.graph.model import Graph, Node
from archdsl.ops.contract.init import Initializer, KaimingNormal, Normal, Zeros


def residual(init: Initializer | None = None) -> Graph:
    """Blocks with and without a projection, at three widths; activations that may overwrite their input."""
    b = GraphBuilder("residual")
    x = _norm_relu(
        b, b.apply("conv", b.input(3, 32, 32), label="conv1", out_channels=8, kernel_size=3, bias=False), "1"
    )
    for stage, (width, blocks) in enumerate([(8, 2), (16, 4), (32, 1)], 1):
        with b.scope("stage", f"layer{stage}"):
            for block in range(blocks):
                stride = 2 if block == 0 and stage > 1 else 1
                with b.scope("block", str(block), block="basic"):
                    y = b.apply(
                        "conv",
                        x,
                        label="conv1",
                        out_channels=width,
                        kernel_size=3,
                        stride=stride,
                        bias=False,
                        init=init,
                    )
                    y = _norm_relu(b, y, "1")
                    y = b.apply("conv", y, label="conv2", out_channels=width, kernel_size=3, bias=False, init=init)
                    y = b.apply("bn", y, label="bn2", init=Zeros())
                    if x.type != y.type:
                        with b.scope("sequence", "downsample"):
                            x = b.apply(
                                "conv", x, label="0", out_channels=width, kernel_size=1, stride=stride, bias=False
                            )
                            x = b.apply("bn", x, label="1")
                    x = b.apply("relu", b.apply("add", y, x, label="add1"), label="relu2")
    with b.scope("head"):
        _classifier(b, x)
    return b.finish()


def dense() -> Graph:
    """Concatenations whose number differs between blocks of one kind."""
    b = GraphBuilder("dense")
    x = b.input(3, 16, 16)
    with b.scope("group", "features"):
        x = b.apply("conv", x, label="conv0", out_channels=8, kernel_size=3)
        for block, depth in enumerate([3, 5], 1):
            with b.scope("stage", f"denseblock{block}"):
                for layer in range(1, depth + 1):
                    with b.scope("block", f"denselayer{layer}", block="dense_layer"):
                        y = b.apply("relu", b.apply("bn", x, label="norm1"), label="relu1")
                        y = b.apply("conv", y, label="conv1", out_channels=4, kernel_size=3)
                    x = b.apply("concat", x, y, label=f"concat{layer}")
    _classifier(b, x)
    return b.finish()


def shared() -> Graph:
    """One convolution and one activation used twice, where only the first use may overwrite its input."""
    b = GraphBuilder("shared")
    x = b.apply("conv", b.input(4, 8, 8), label="conv1", out_channels=4, kernel_size=3)
    act = b.apply("relu", b.apply("bn", x, label="bn1"), label="act")
    with b.scope("group", "again"):
        y = b.apply_shared(x, act, label="conv1")
        z = b.apply_shared(act, y, label="act")
    b.apply("mul", z, y, label="mul1")
    return b.finish()


def named_containers() -> Graph:
    """Labels with dots that interleave, labels that are numbers, a bare parameter in each place."""
    b = GraphBuilder("containers")
    x = b.input(4, 8, 8)
    for i in range(3):
        x = b.apply("conv", x, label=f"convs.{i}", out_channels=4, kernel_size=3)
        x = b.apply("bn", x, label=f"norms.norm{i}")
        x = b.apply("scale", x, label=f"factors.{i}", value=0.5)
    x = b.apply("conv", x, label="1x1", out_channels=4, kernel_size=1)
    x = b.apply("scale", x, label="layer_scale", value=1e-3)
    x = b.apply("relu", x, label="extra.keys")
    with b.scope("group", "0"):
        x = b.apply("add", b.apply("conv", x, label="2", out_channels=4, kernel_size=1), x, label="add1")
    return b.finish()


def branches() -> Graph:
    """A block that reads two tensors and gives two; wires into blocks; more operands than one line takes."""
    b = GraphBuilder("branches")
    x = b.input(6, 8, 8)
    with b.scope("block", "first", block="split"):
        left = b.apply("chunk", x, label="chunk1", chunks=2, index=0)
        right = b.apply(
            "conv",
            b.apply("chunk", x, label="chunk2", chunks=2, index=-1),
            label="conv1",
            out_channels=3,
            kernel_size=3,
        )
    with b.scope("block", "second", block="join"):
        y = b.apply("concat", left, b.apply("relu", right, label="relu1"), right, label="concat1")
        z = b.apply("rsub_scalar", b.apply("sigmoid", y, label="sigmoid1"), label="rsub1", value=1.0)
        y = b.apply("mul", y, z, label="mul1")
    parts = [b.apply("conv", y, label=f"part{i}", out_channels=2, kernel_size=1) for i in range(12)]
    total = b.apply("add", *parts, label="add1")
    b.apply("mul", total, parts[1], total, label="mul1")
    return b.finish()


def several_outputs() -> Graph:
    """Two inputs, two outputs, one auxiliary output."""
    b = GraphBuilder("several")
    left, right = b.input(3, 8, 8, name="left"), b.input(3, 8, 8, name="right")
    x = b.apply("add", b.apply("conv", left, label="conv1", out_channels=3, kernel_size=3), right, label="add1")
    side = b.apply("dropout", b.apply("flatten", x, label="flatten1"), label="dropout1", p=0.3)
    y = b.apply("relu", x, label="relu1")
    z = b.apply("drop_path", b.apply("tanh", x, label="tanh1"), label="drop_path1", p=0.5)
    return b.finish({"output0": y, "output1": z}, auxiliary={"side": side})


def auxiliary() -> Graph:
    """One output and an auxiliary one, from a section of its own."""
    b = GraphBuilder("auxiliary")
    x = b.apply("conv", b.input(3, 8, 8), label="conv1", out_channels=4, kernel_size=3, init=Normal(std=0.01))
    with b.scope("aux", "side"):
        side = b.apply(
            "linear", b.apply("flatten", b.apply("global_avgpool", x, label="0"), label="1"), label="2", out_features=2
        )
    return b.finish(
        b.apply("linear", b.apply("flatten", x, label="flatten1"), label="fc", out_features=5), auxiliary={"side": side}
    )


def tokens() -> Graph:
    """Layouts other than images, normalisations that have layers of ours."""
    b = GraphBuilder("tokens")
    x = b.apply(
        "ln2d", b.apply("conv", b.input(3, 8, 8), label="conv1", out_channels=6, kernel_size=2, stride=2), label="norm"
    )
    x = b.apply("channels_last", x, label="channels_last1")
    x = b.apply("gelu", b.apply("linear", b.apply("ln", x, label="ln1"), label="fc1", out_features=12), label="gelu1")
    x = b.apply("scale", b.apply("linear", x, label="fc2", out_features=6), label="gamma", value=1e-6)
    x = b.apply("channels_first", x, label="channels_first1")
    x = b.apply("blurpool", x, label="blur")
    x = b.apply("crop", b.apply("pad", x, label="pad1", sizes=(1, 1, 1, 1)), label="crop1", size=2)
    _classifier(b, b.apply("prelu", x, label="prelu1", num_parameters=6))
    return b.finish()


def numbered() -> Graph:
    """A stage whose steps are named by position and are no plain sequence."""
    b = GraphBuilder("numbered")
    x = b.input(4, 8, 8)
    with b.scope("stage", "body"):
        for i in range(0, 4, 2):
            y = b.apply("relu", b.apply("conv", x, label=str(i), out_channels=4, kernel_size=3), label=str(i + 1))
            x = b.apply("add", y, x, label=f"add{i}")
    return b.finish()


def nothing() -> Graph:
    """The output is the input."""
    b = GraphBuilder("nothing")
    b.input(5)
    return b.finish()


def _norm_relu(b: GraphBuilder, x: Node, number: str) -> Node:
    return b.apply("relu", b.apply("bn", x, label=f"bn{number}"), label=f"relu{number}")


def _classifier(b: GraphBuilder, x: Node) -> None:
    x = b.apply("flatten", b.apply("global_avgpool", x, label="pool"), label="flatten")
    b.apply("linear", x, label="fc", out_features=10, init=KaimingNormal(), bias_init=Zeros())


SAMPLES: dict[str, Callable[[], Graph]] = {
    sample.__name__: sample
    for sample in (
        residual, dense, shared, named_containers, branches, several_outputs, auxiliary, tokens, numbered, nothing
    )
}  # fmt: skip
