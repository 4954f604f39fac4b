"""Families, years and papers as the comments above the networks tell them."""

from __future__ import annotations

import pytest

from archdsl.zoo.citations import Citation, citation


@pytest.mark.parametrize(
    "doc, expected",
    [
        (
            "ResNet-50. He et al. 2015, arXiv:1512.03385, table 1.",
            Citation("ResNet-50", "ResNet", 2015, "arXiv:1512.03385"),
        ),
        (
            "Wide ResNet-50-2,\nwith wide convolutions. Zagoruyko and Komodakis 2016, arXiv:1605.07146.",
            Citation("Wide ResNet-50-2, with wide convolutions", "Wide ResNet", 2016, "arXiv:1605.07146"),
        ),
        ("MobileNet v2. Sandler et al. 2018.", Citation("MobileNet v2", "MobileNet", 2018, None)),
        ("EfficientNet-B0. 2019.", Citation("EfficientNet-B0", "EfficientNet", 2019, None)),
        ("SqueezeNet 1.1. 2016", Citation("SqueezeNet 1.1", "SqueezeNet", 2016, None)),
        ("ConvNeXt Tiny. 2022", Citation("ConvNeXt Tiny", "ConvNeXt", 2022, None)),
        ("", Citation("", "", None, None)),
    ],
)
def test_citation(doc: str, expected: Citation) -> None:
    assert citation(doc) == expected
