"""The few layers that torch lacks.

Each stands alone and keeps to 100 columns, since generated Python files carry its source.
"""

from archdsl.backends.layers.attention_layers import (
    CosineWindowAttention,
    DotProductAttention,
    RelativeAttention,
    RelativePositions,
    SelfAttention,
    Unwindows,
    WindowAttention,
    Windows,
)
from archdsl.backends.layers.plain_layers import (
    BlurPool2d,
    CenterCrop2d,
    DropPath,
    LayerNorm2d,
    Normalize,
    PatchMerging,
    Resize,
    SelectOutputs,
    TrainingOnly,
)

__all__ = [
    "BlurPool2d",
    "CenterCrop2d",
    "CosineWindowAttention",
    "DotProductAttention",
    "DropPath",
    "LayerNorm2d",
    "Normalize",
    "PatchMerging",
    "RelativeAttention",
    "RelativePositions",
    "Resize",
    "SelectOutputs",
    "SelfAttention",
    "TrainingOnly",
    "Unwindows",
    "WindowAttention",
    "Windows",
]
