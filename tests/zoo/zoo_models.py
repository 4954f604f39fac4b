"""The table of torchvision's classifiers: how each is compared with our spec of the same name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Model:
    """One network. All comparisons are to the bit; whatever is drawn is drawn in torchvision's order.

    ``evaluated`` is the image size of the published evaluation. At ``sizes`` a training step is compared, with
    ``batch`` images, and at all of these evaluation; the ordinary run takes ``ordinary`` models at the smallest size.
    Models that are not ``in_memory`` are compared without their weights, on the meta device.

    ``weights`` are the published ones whose numbers the spec has ("" for the first), with ``published_settings`` of
    the spec. ``outputs`` are the spec's names of what torchvision returns in training. Keys that match ``moved``, a
    regular expression, stand elsewhere in torchvision's order. ``apart`` says what all this means, for docs/zoo.md.

    The graph is compared if it is ``convolutional``: transformers have no canonical form, as the same tokens come of
    several reshapes and permutations.
    """

    name: str
    ordinary: bool = False
    evaluated: int = 224
    sizes: tuple[int, ...] = (64,)
    batch: int = 2
    in_memory: bool = True
    convolutional: bool = True
    weights: str = ""
    published_settings: tuple[tuple[str, bool], ...] = ()
    outputs: tuple[str, ...] = ("output",)
    moved: str = ""
    apart: str = ""


def _family(names: Sequence[str], ordinary: Sequence[str], **common: Any) -> list[Model]:
    return [Model(name, name in ordinary, **common) for name in names]


RESNETS = (
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d",
    "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2",
)  # fmt: skip
DENSENETS = ("densenet121", "densenet161", "densenet169", "densenet201")
VGGS = tuple(f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn"))
MNASNETS = ("mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3")
SHUFFLENETS = ("shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0")
EFFICIENTNET_SIZES = (224, 240, 288, 300, 380, 456, 528, 600)
"""Of B0 to B7."""
REGNETS = tuple(
    f"regnet_{kind}_{flops}" for kind in "xy" for flops in ("400mf", "800mf", "1_6gf", "3_2gf", "8gf", "16gf", "32gf")
)

TABLE = (
    Model("alexnet", ordinary=True),
    *_family(VGGS, ["vgg11_bn"], sizes=(32,)),
    *_family(["squeezenet1_0", "squeezenet1_1"], ["squeezenet1_1"], sizes=(32, 97)),
    Model(
        "googlenet",
        ordinary=True,
        sizes=(32, 224),
        published_settings=(("aux_logits", False),),
        outputs=("output", "aux2", "aux1"),
        moved="^aux",
        apart="auxiliary heads stand where they branch off, not last; the published number leaves them out",
    ),
    # the smallest image that its auxiliary classifier takes is nearly this large
    Model("inception_v3", ordinary=True, evaluated=299, sizes=(299,), outputs=("output", "AuxLogits")),
    *_family(RESNETS, ["resnet18", "resnet50", "resnext50_32x4d", "wide_resnet50_2"], sizes=(64, 97, 224)),
    *_family(DENSENETS, ["densenet121"], sizes=(64, 97, 224)),
    Model("mobilenet_v2", ordinary=True, sizes=(33, 96)),
    *_family(["mobilenet_v3_small", "mobilenet_v3_large"], ["mobilenet_v3_small"], sizes=(33, 96)),
    *_family(MNASNETS, ["mnasnet0_5"], sizes=(33, 96)),
    *_family(SHUFFLENETS, ["shufflenet_v2_x0_5"], sizes=(33, 96)),
    *[
        Model(f"efficientnet_b{number}", ordinary=number == 0, evaluated=size, sizes=(33, 96))
        for number, size in enumerate(EFFICIENTNET_SIZES)
    ],
    Model("efficientnet_v2_s", ordinary=True, evaluated=384, sizes=(33, 96)),
    *_family(["efficientnet_v2_m", "efficientnet_v2_l"], [], evaluated=480, sizes=(33, 96)),
    *_family(REGNETS, ["regnet_x_400mf", "regnet_y_400mf"], sizes=(33, 96)),
    Model(
        "regnet_y_128gf",
        in_memory=False,
        weights="IMAGENET1K_SWAG_LINEAR_V1",
        apart="published at 384; at 224 as the weights `IMAGENET1K_SWAG_LINEAR_V1`",
    ),
    # of four images some blocks of some are dropped
    *_family(
        [f"convnext_{size}" for size in ("tiny", "small", "base", "large")], ["convnext_tiny"], sizes=(33, 96), batch=4
    ),
    *_family(["vit_b_16", "vit_b_32", "vit_l_16", "vit_l_32"], ["vit_b_32"], sizes=(224,), convolutional=False),
    Model(
        "vit_h_14",
        in_memory=False,
        convolutional=False,
        weights="IMAGENET1K_SWAG_LINEAR_V1",
        apart="published at 518; at 224 as the weights `IMAGENET1K_SWAG_LINEAR_V1`",
    ),
    *_family(
        ["swin_t", "swin_s", "swin_b"],
        ["swin_t"],
        sizes=(224,),
        convolutional=False,
        moved=r"\.reduction\.",
        apart="where patches are merged, the norm stands before the reduction, as it is used",
    ),
    *_family(
        ["swin_v2_t", "swin_v2_s", "swin_v2_b"],
        ["swin_v2_t"],
        evaluated=256,
        sizes=(256,),
        convolutional=False,
        moved=r"\.norm[12]\.",
        apart="norms stand behind attention and MLP, as they are used",
    ),
    Model("maxvit_t", ordinary=True, sizes=(224,), convolutional=False),
)
"""Every classifier that torchvision lists."""

MODELS = {model.name: model for model in TABLE}
"""The same by name."""


def initialised(name: str, wanted: bool) -> dict[str, bool]:
    """Arguments of torchvision's constructor: two warn unless told whether weights start as in their papers."""
    return {"init_weights": wanted} if name in ("googlenet", "inception_v3") else {}
