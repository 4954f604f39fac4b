"""What the bundled networks for ImageNet that torchvision lacks, and those of their papers, are judged by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tests.zoo.literature import Reference

RESNET = "He et al. 2015, arXiv:1512.03385"
IDENTITY = "He et al. 2016, arXiv:1603.05027, table 5"
TRICKS = "He et al. 2018, arXiv:1812.01187"
SENET = "Hu et al. 2017, arXiv:1709.01507, table 2"
SKNET = "Li et al. 2019, arXiv:1903.06586, table 1"
ECA = "Wang et al. 2019, arXiv:1910.03151, section 3"
BLUR = "Zhang 2019, arXiv:1904.11486"
DENSENET = "Huang et al. 2016, arXiv:1608.06993, table 2"
RESNEXT = "Xie et al. 2016, arXiv:1611.05431"
ADVPROP = "Xie et al. 2019, arXiv:1911.09665"
NOISY_STUDENT = "Xie et al. 2019, arXiv:1911.04252"
REGNETX = "Radosavovic et al. 2020, arXiv:2003.13678, figure 15"
REGNETY = "Radosavovic et al. 2020, arXiv:2003.13678, figure 16"


def timms_regnet(name: str) -> str:
    """timm's name for what torchvision's RegNet calls ``trunk_output.block2.block2-0.f.b.1.weight``."""
    parts = {"stem": "stem", "proj": "downsample", "f.a": "conv1", "f.b": "conv2", "f.c": "conv3"}
    name = re.sub(r"^trunk_output\.block\d+\.block(\d+)-(\d+)", lambda m: f"s{m[1]}.b{int(m[2]) + 1}", name)
    name = re.sub(r"(stem|proj|f\.[abc])\.0", lambda m: f"{parts[m[1]]}.conv", name)
    name = re.sub(r"(stem|proj|f\.[abc])\.1", lambda m: f"{parts[m[1]]}.bn", name)
    return re.sub(r"^fc", "head.fc", name.replace(".f.se.", ".se."))


def timms_efficientnet(name: str) -> str:
    """timm's name for what torchvision's EfficientNet calls ``features.2.0.block.1.0.weight``."""
    ends = {"features.0.0": "conv_stem", "features.0.1": "bn1", "features.8.0": "conv_head", "features.8.1": "bn2"}
    for ours, theirs in {**ends, "classifier.1": "classifier"}.items():
        if name.startswith(f"{ours}."):
            return theirs + name.removeprefix(ours)
    stage, layer, part = _split(name)
    first = DEPTHWISE_SEPARABLE if stage == 1 else INVERTED_RESIDUAL
    found = next(ours for ours in first if part.startswith(f"{ours}."))
    return f"blocks.{stage - 1}.{layer}.{first[found]}{part.removeprefix(found)}"


def _split(name: str) -> tuple[int, int, str]:
    """Stage, layer and what is left of ``features.2.0.block.1.0.weight``."""
    _, stage, layer, _, part = name.split(".", 4)
    return int(stage), int(layer), part


INVERTED_RESIDUAL: Mapping[str, str] = {
    "0.0": "conv_pw",
    "0.1": "bn1",
    "1.0": "conv_dw",
    "1.1": "bn2",
    "2.fc1": "se.conv_reduce",
    "2.fc2": "se.conv_expand",
    "3.0": "conv_pwl",
    "3.1": "bn3",
}
DEPTHWISE_SEPARABLE: Mapping[str, str] = {
    "0.0": "conv_dw",
    "0.1": "bn1",
    "1.fc1": "se.conv_reduce",
    "1.fc2": "se.conv_expand",
    "2.0": "conv_pw",
    "2.1": "bn2",
}
SCALED = {"bn_eps": 0.001, "bn_momentum": 0.01, "drop_rate": 0.5, "drop_path_rate": 0.2}


def _eca(network: str, timm: str, *, exhaustive: bool = True, **arguments: Any) -> Reference:
    because = "torch sums the gradient of a convolution in another order where its input was permuted"
    return Reference(
        network, ECA, timm=timm, arguments=arguments, deviation=1e-6, because=because, exhaustive=exhaustive
    )


def _regnet(network: str, params: str, timm: str, source: str, *, exhaustive: bool = True) -> Reference:
    return Reference(network, source, params, timm=timm, rename=timms_regnet, exhaustive=exhaustive)


def _pvt(size: str, *, exhaustive: bool = True) -> Reference:
    return Reference(
        f"pvt_v2_{size}",
        "Wang et al. 2021, arXiv:2106.13797, table 1",
        timm=f"pvt_v2_{size}",
        size=224,
        deviation=1e-5,
        because="timm copies the maps between stages, so that convolutions read them in another order",
        exhaustive=exhaustive,
    )


REFERENCES: tuple[Reference, ...] = (
    Reference("plain18", f"{RESNET}, section 4.1"),
    Reference("plain34", f"{RESNET}, figure 3"),
    Reference("resnet34_a", f"{RESNET}, table 3"),
    Reference("resnet34_c", f"{RESNET}, table 3"),
    Reference("resnet50_a", f"{RESNET}, section 4.1"),
    Reference("resnet50_c", f"{RESNET}, section 4.1"),
    Reference("resnet50_v1", f"{RESNET}, table 1"),
    Reference("resnet101_v1", f"{RESNET}, table 1"),
    Reference("resnet152_v1", f"{RESNET}, table 1"),
    Reference("resnet200", IDENTITY, timm="resnet200", exhaustive=True),
    Reference("resnet18d", f"{TRICKS}, figure 2", timm="resnet18d"),
    Reference("resnet34d", f"{TRICKS}, figure 2", timm="resnet34d", exhaustive=True),
    Reference("resnet50c", f"{TRICKS}, table 5", timm="resnet50c", exhaustive=True),
    Reference(
        "resnet50_avg_down", f"{TRICKS}, figure 2", timm="resnet50", arguments={"avg_down": True}, exhaustive=True
    ),
    Reference("resnet50d", f"{TRICKS}, table 5", timm="resnet50d"),
    Reference("resnet101d", f"{TRICKS}, figure 2", timm="resnet101d", exhaustive=True),
    Reference("resnet152d", f"{TRICKS}, figure 2", timm="resnet152d", exhaustive=True),
    Reference("resnet200d", f"{TRICKS}, figure 2", timm="resnet200d", exhaustive=True),
    Reference("seresnet50", SENET, timm="seresnet50"),
    Reference("seresnet101", SENET, timm="seresnet101", exhaustive=True),
    Reference("seresnet152", SENET, timm="seresnet152", exhaustive=True),
    Reference("seresnext50_32x4d", SENET, timm="seresnext50_32x4d", exhaustive=True),
    Reference("seresnext101_32x4d", SENET, timm="seresnext101_32x4d", exhaustive=True),
    _eca("ecaresnet50", "resnet50", exhaustive=False, block_args={"attn_layer": "eca"}),
    _eca("ecaresnet101", "resnet101", block_args={"attn_layer": "eca"}),
    _eca("ecaresnet50d", "ecaresnet50d"),
    _eca("ecaresnet101d", "ecaresnet101d"),
    # against timm's in float64, see test_literature_imagenet.py: torch's gradients of the softmax differ by its axis
    Reference("skresnext50_32x4d", SKNET, "27.5M"),
    Reference("resnetblur18", f"{BLUR}, section 3.2", timm="resnetblur18"),
    Reference("resnetblur50", f"{BLUR}, section 3.2", timm="resnetblur50", exhaustive=True),
    Reference("xception", "Chollet 2016, arXiv:1610.02357, table 3", "22_855_952", timm="legacy_xception", size=96),
    Reference("dla34", "Yu et al. 2017, arXiv:1707.06484, table 1", timm="dla34"),
    Reference("res2net50_26w_4s", "Gao et al. 2019, arXiv:1904.01169, table 1", timm="res2net50_26w_4s"),
    Reference("hrnet_w18_small", "Wang et al. 2019, arXiv:1908.07919, section 3", timm="hrnet_w18_small"),
    Reference("ghostnet", "Han et al. 2020, arXiv:1911.11907, table 7", "5.2M", timm="ghostnet_100"),
    Reference("repvgg_a0", "Ding et al. 2021, arXiv:2101.03697, table 2", timm="repvgg_a0"),
    _pvt("b0", exhaustive=False),
    _pvt("b1"),
    _pvt("b2"),
    _pvt("b3"),
    _pvt("b4"),
    _pvt("b5"),
    Reference("densenet40_k12", DENSENET, "1.0M"),
    Reference("densenet100_k12", DENSENET, "7.0M"),
    Reference("densenet100_k24", DENSENET, "27.2M"),
    Reference("densenet_bc100_k12", DENSENET, "0.8M"),
    Reference("densenet_bc250_k24", DENSENET, "15.3M"),
    Reference("densenet_bc190_k40", DENSENET, "25.6M"),
    Reference("resnext29_8x64d", f"{RESNEXT}, table 7", "34.4M"),
    Reference("resnext29_16x64d", f"{RESNEXT}, table 7"),
    Reference("resnext101_32x4d", f"{RESNEXT}, table 3", timm="resnext101_32x4d", exhaustive=True),
    Reference(
        "efficientnet_b8",
        ADVPROP,
        timm="efficientnet_b8",
        arguments=SCALED,
        rename=timms_efficientnet,
        exhaustive=True,
    ),
    Reference(
        "efficientnet_l2", NOISY_STUDENT, timm="efficientnet_l2", arguments=SCALED, rename=timms_efficientnet, meta=True
    ),
    _regnet("regnet_x_200mf", "2.7M", "regnetx_002", REGNETX, exhaustive=False),
    _regnet("regnet_x_600mf", "6.2M", "regnetx_006", REGNETX),
    _regnet("regnet_x_4gf", "22.1M", "regnetx_040", REGNETX),
    _regnet("regnet_x_6_4gf", "26.2M", "regnetx_064", REGNETX),
    _regnet("regnet_x_12gf", "46.1M", "regnetx_120", REGNETX),
    _regnet("regnet_y_200mf", "3.2M", "regnety_002", REGNETY, exhaustive=False),
    _regnet("regnet_y_600mf", "6.1M", "regnety_006", REGNETY),
    _regnet("regnet_y_4gf", "20.6M", "regnety_040", REGNETY),
    _regnet("regnet_y_6_4gf", "30.6M", "regnety_064", REGNETY),
    _regnet("regnet_y_12gf", "51.8M", "regnety_120", REGNETY),
)
