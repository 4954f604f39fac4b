"""The ops: one class each, in a module a family, and the tables of their names."""

from __future__ import annotations

from archdsl.ops import (
    activation,
    attention,
    conv,
    image_windows,
    linear,
    local_attention,
    merge,
    norm,
    pooling,
    regularization,
    resample,
    reshape,
    slicing,
)
from archdsl.ops.contract.base import Op


def _by_kind(*ops: type[Op]) -> dict[str, type[Op]]:
    return {op.kind: op for op in ops}


OPS = _by_kind(
    conv.Conv2dOp,
    conv.DepthwiseConv2dOp,
    conv.Conv1dOp,
    conv.ConvTranspose2dOp,
    linear.LinearOp,
    norm.BatchNormOp,
    norm.LayerNormOp,
    norm.LayerNorm2dOp,
    norm.GroupNormOp,
    norm.InstanceNormOp,
    norm.NormalizeOp,
    norm.ScaleOp,
    activation.ReluOp,
    activation.Relu6Op,
    activation.LeakyReluOp,
    activation.PReluOp,
    activation.EluOp,
    activation.GeluOp,
    activation.SiluOp,
    activation.MishOp,
    activation.SigmoidOp,
    activation.TanhOp,
    activation.HardswishOp,
    activation.HardsigmoidOp,
    activation.SoftshrinkOp,
    activation.SoftmaxOp,
    pooling.MaxPoolOp,
    pooling.AvgPoolOp,
    pooling.LpPoolOp,
    pooling.GlobalAvgPoolOp,
    pooling.GlobalMaxPoolOp,
    pooling.AdaptiveAvgPoolOp,
    pooling.AdaptiveMaxPoolOp,
    pooling.BlurPoolOp,
    regularization.DropoutOp,
    regularization.Dropout2dOp,
    regularization.DropPathOp,
    reshape.FlattenOp,
    reshape.ReshapeOp,
    reshape.PermuteOp,
    reshape.ChannelsLastOp,
    reshape.ChannelsFirstOp,
    reshape.TokensOp,
    reshape.ImageOp,
    reshape.IdentityOp,
    slicing.SelectOp,
    resample.UpsampleOp,
    resample.ResizeOp,
    resample.PixelShuffleOp,
    resample.SpaceToDepthOp,
    resample.PadOp,
    resample.CropOp,
    slicing.PadChannelsOp,
    slicing.ChunkOp,
    slicing.ChannelSliceOp,
    slicing.ChannelShuffleOp,
    attention.AttentionOp,
    attention.DotProductAttentionOp,
    attention.ClassTokenOp,
    attention.PositionEmbeddingOp,
    image_windows.PatchMergingOp,
    local_attention.WindowAttentionOp,
    image_windows.WindowsOp,
    image_windows.UnwindowsOp,
    local_attention.RelativeAttentionOp,
)
"""What specs may call, by its name there."""

STRUCTURAL_OPS = _by_kind(
    reshape.InputOp,
    merge.AddOp,
    merge.ConcatOp,
    merge.MulOp,
    merge.MulScalarOp,
    merge.AddScalarOp,
    merge.RsubScalarOp,
)
"""What statements and operators of a spec become."""

ALL_OPS: dict[str, type[Op]] = {**OPS, **STRUCTURAL_OPS}
"""Every op by its kind."""
