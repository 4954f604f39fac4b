"""What the bundled networks for CIFAR that torchvision lacks, and those of their papers, are judged by."""

from __future__ import annotations

from tests.zoo.literature import Reference

RESNET = "He et al. 2015, arXiv:1512.03385"
PREACT = "He et al. 2016, arXiv:1603.05027"
WIDE = "Zagoruyko and Komodakis 2016, arXiv:1605.07146, table 5"
STOCHASTIC = "Huang et al. 2016, arXiv:1603.09382, section 4; as many parameters as in table 6 of He et al. 2015"

AS_PLAIN = f"{RESNET}, section 4.2: as many parameters as the ResNet of table 6"
AS_RESNET = f"{PREACT}, table 4, ResNet-110, which differs in nothing that has parameters"

REFERENCES: tuple[Reference, ...] = (
    Reference("resnet20_cifar", f"{RESNET}, table 6", "0.27M"),
    Reference("resnet32_cifar", f"{RESNET}, table 6", "0.46M"),
    Reference("resnet44_cifar", f"{RESNET}, table 6", "0.66M"),
    Reference("resnet56_cifar", f"{RESNET}, table 6", "0.85M"),
    Reference("resnet110_cifar", f"{RESNET}, table 6", "1.7M"),
    Reference("resnet1202_cifar", f"{RESNET}, table 6", "19.4M"),
    Reference("plain20_cifar", AS_PLAIN, "0.27M"),
    Reference("plain56_cifar", AS_PLAIN, "0.85M"),
    Reference("resnet110_constant_scaling", AS_RESNET, "1.7M"),
    Reference("resnet110_exclusive_gating", f"{PREACT}, figure 2(c)"),
    Reference("resnet110_shortcut_only_gating", f"{PREACT}, figure 2(d)"),
    Reference("resnet110_conv_shortcut", f"{PREACT}, figure 2(e)"),
    Reference("resnet110_dropout_shortcut", AS_RESNET, "1.7M"),
    Reference("resnet110_bn_after_addition", AS_RESNET, "1.7M"),
    Reference("resnet110_relu_before_addition", AS_RESNET, "1.7M"),
    Reference("resnet110_relu_only_preactivation", AS_RESNET, "1.7M"),
    Reference("preact_resnet110_cifar", AS_RESNET, "1.7M"),
    Reference("preact_resnet164_cifar", f"{PREACT}, table 4", "1.7M"),
    Reference("preact_resnet1001_cifar", f"{PREACT}, table 4, which leaves out batch norm"),
    Reference("preact_resnet50", f"{PREACT}, figure 4(e)", timm="resnetv2_50"),
    Reference("preact_resnet101", f"{PREACT}, figure 4(e)", timm="resnetv2_101", exhaustive=True),
    Reference("preact_resnet152", f"{PREACT}, table 5", timm="resnetv2_152", exhaustive=True),
    Reference(
        "preact_resnet200",
        f"{PREACT}, table 5",
        timm="resnetv2_152",
        arguments={"layers": [3, 24, 36, 3]},
        exhaustive=True,
    ),
    Reference("wide_resnet16_8", WIDE, "11.0M"),
    Reference("wide_resnet28_10", WIDE, "36.5M"),
    Reference("wide_resnet40_4", WIDE, "8.9M"),
    Reference("stochastic_depth_resnet110", STOCHASTIC, "1.7M"),
    Reference("stochastic_depth_resnet1202", STOCHASTIC, "19.4M"),
)
