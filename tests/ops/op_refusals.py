"""The least with which each op stands, the layouts it reads, and what it says when it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from archdsl.ops import ALL_OPS
from archdsl.ops.contract.base import Op, OpError
from archdsl.ops.contract.shapes import Layout, TensorType

SMALLEST_ARGUMENTS: dict[str, dict[str, Any]] = {
    "conv": {"out_channels": 4, "kernel_size": 1},
    "dwconv": {"kernel_size": 1},
    "conv1d": {"out_channels": 4, "kernel_size": 1},
    "conv_transpose": {"out_channels": 4, "kernel_size": 1},
    "linear": {"out_features": 4},
    "gn": {"num_groups": 2},
    "normalize": {"mean": (0.5,) * 4, "std": (0.5,) * 4},
    "maxpool": {"kernel_size": 1},
    "avgpool": {"kernel_size": 1},
    "lp_pool": {"norm_type": 2, "kernel_size": 1},
    "adaptive_avgpool": {"output_size": 2},
    "adaptive_maxpool": {"output_size": 2},
    "drop_path": {"p": 0.1},
    "reshape": {"sizes": (64,)},
    "permute": {"axes": (0, 2, 1)},
    "image": {"size": 2},
    "select": {"index": 0},
    "upsample": {"scale_factor": 2.0},
    "pixel_shuffle": {"factor": 2},
    "space_to_depth": {"factor": 2},
    "pad": {"sizes": 1},
    "crop": {"size": 2},
    "pad_channels": {"out_channels": 8},
    "chunk": {"chunks": 2, "index": 0},
    "channel_slice": {"start": 0},
    "channel_shuffle": {"groups": 2},
    "attention": {"heads": 2},
    "dot_product_attention": {"heads": 2},
    "window_attention": {"heads": 2, "window": 2},
    "windows": {"window": 2},
    "unwindows": {"window": 2, "size": 4},
    "relative_attention": {"heads": 2, "window": 2},
    "input": {"sizes": (4, 4, 4), "layout": "CHW"},
    "mul_scalar": {"value": 2.0},
    "add_scalar": {"value": 2.0},
    "rsub_scalar": {"value": 2.0},
}
"""Arguments with which each op that needs some takes 4 channels of 4x4, or what ``windows`` makes of them."""

READERS: dict[tuple[Layout, ...], tuple[str, ...]] = {
    ("CHW",): (
        "conv", "dwconv", "conv_transpose", "ln2d", "instance_norm", "normalize", "maxpool", "avgpool", "lp_pool",
        "global_avgpool", "global_maxpool", "adaptive_avgpool", "adaptive_maxpool", "blurpool", "dropout2d",
        "upsample", "pixel_shuffle", "space_to_depth", "pad", "crop", "pad_channels", "channel_shuffle", "windows",
    ),
    ("CL",): ("conv1d",),
    ("LC",): ("select", "attention", "class_token", "image"),
    ("HWC",): ("patch_merging", "window_attention", "unwindows", "relative_attention"),
    ("CHW", "CL", "C"): ("bn", "gn"),
    ("C", "LC", "HWC"): ("linear", "ln"),
    ("CHW", "CL"): ("channels_last",),
    ("HWC", "LC"): ("channels_first",),
    ("CHW", "HWC"): ("tokens",),
    ("C", "CL", "LC", "CHW", "HWC"): ("scale", "softmax", "chunk", "channel_slice"),
}  # fmt: skip
"""Which ops read which layouts; those that do not stand here read any."""

SIZES: dict[Layout, tuple[int, ...]] = {
    "C": (4,), "CL": (4, 4), "LC": (4, 4), "CHW": (4, 4, 4), "HWC": (4, 4, 4), "free": (4, 4, 4, 4)
}  # fmt: skip


def make(kind: str, **arguments: Any) -> Op:
    return ALL_OPS[kind](**{**SMALLEST_ARGUMENTS.get(kind, {}), **arguments})


def refusal(op: Op, *inputs: TensorType) -> OpError:
    with pytest.raises(OpError) as caught:
        op.infer(inputs)
    return caught.value


def image(*sizes: int) -> TensorType:
    return TensorType(sizes, "CHW")
