"""How parameters start: ``init = kaiming_normal(mode = "fan_out")`` and its kin.

Each is torch's function of that name in ``torch.nn.init``, with its defaults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, final

from pydantic import BaseModel, ConfigDict, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from archdsl.ops.contract.argument_types import NonNegativeNumber, Number, PositiveNumber, shown

Nonlinearity = Literal["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]


class Initializer(BaseModel):
    """Base of the initialisers; fields are the arguments in the order a spec may write them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    kind: ClassVar[str]

    @final
    def arguments(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in type(self).model_fields}


class KaimingNormal(Initializer):
    """Normal with standard deviation gain / sqrt(fan). He et al. 2015, arXiv:1502.01852, section 2.2."""

    kind = "kaiming_normal"
    mode: Literal["fan_in", "fan_out"] = "fan_in"
    nonlinearity: Nonlinearity = "leaky_relu"
    a: Number = 0.0


class KaimingUniform(Initializer):
    """Uniform in +- gain * sqrt(3 / fan). He et al. 2015, arXiv:1502.01852, section 2.2."""

    kind = "kaiming_uniform"
    mode: Literal["fan_in", "fan_out"] = "fan_in"
    nonlinearity: Nonlinearity = "leaky_relu"
    a: Number = 0.0


class XavierNormal(Initializer):
    """Normal with standard deviation gain * sqrt(2 / (fan_in + fan_out)). Glorot and Bengio 2010."""

    kind = "xavier_normal"
    gain: PositiveNumber = 1.0


class XavierUniform(Initializer):
    """Uniform in +- gain * sqrt(6 / (fan_in + fan_out)). Glorot and Bengio 2010."""

    kind = "xavier_uniform"
    gain: PositiveNumber = 1.0


class _Bounded(Initializer):
    """An initialiser between bounds ``a`` and ``b``, which the subclasses declare."""

    if TYPE_CHECKING:
        a: float
        b: float

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.a >= self.b:
            message = "`a` must be below `b`, got {a} and {b}"
            raise PydanticCustomError("bounds", message, {"a": self.a, "b": self.b})
        return self


class Normal(Initializer):
    kind = "normal"
    mean: Number = 0.0
    std: NonNegativeNumber = 1.0


class TruncNormal(_Bounded):
    """Normal, drawn again outside [a, b] (absolute bounds, not multiples of std)."""

    kind = "trunc_normal"
    mean: Number = 0.0
    std: PositiveNumber = 1.0
    a: Number = -2.0
    b: Number = 2.0


class Uniform(_Bounded):
    kind = "uniform"
    a: Number = 0.0
    b: Number = 1.0


class Constant(Initializer):
    kind = "constant"
    value: Number


class Zeros(Initializer):
    kind = "zeros"


class Ones(Initializer):
    kind = "ones"


INITIALIZERS: dict[str, type[Initializer]] = {
    initializer.kind: initializer
    for initializer in (
        KaimingNormal, KaimingUniform, XavierNormal, XavierUniform, Normal, TruncNormal, Uniform, Constant, Zeros, Ones
    )
}  # fmt: skip

_FAN_BASED = (KaimingNormal, KaimingUniform, XavierNormal, XavierUniform)


def needs_fan(initializer: Initializer | None) -> bool:
    """Whether it starts parameters of two axes or more alone."""
    return isinstance(initializer, _FAN_BASED)


def _weight_init(value: object) -> Initializer | None:
    if value is not None and not isinstance(value, Initializer):
        message = "must be an initialiser such as `kaiming_normal`, got {value}"
        raise PydanticCustomError("model_type", message, {"value": shown(value)})
    return value


def _vector_init(value: object) -> Initializer | None:
    initializer = _weight_init(value)
    if initializer is not None and needs_fan(initializer):
        message = "must not be `{kind}`, which needs a weight of two dimensions or more; use `normal` or `uniform`"
        raise PydanticCustomError("initializer_rank", message, {"kind": initializer.kind})
    return initializer


WeightInit = Annotated[Initializer | None, PlainValidator(_weight_init)]
"""How a weight of two dimensions or more starts; none: as torch does."""
VectorInit = Annotated[Initializer | None, PlainValidator(_vector_init)]
"""How a parameter of one dimension starts: no initialiser that needs a fan."""
