"""How weights start, in the words of a Python file: rules by kind of module, and the exceptions to them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from archdsl.backends.torch_private import OUTPUT_PROJECTION
from archdsl.graph.model import Graph
from archdsl.ops.contract.init import Initializer
from archdsl.ops.contract.torch_call import ModuleCall, local_name

_SUBMODULES = {"out_proj": OUTPUT_PROJECTION}
"""Classes of modules inside an op's own, by name; those that are not named here are ``nn.Linear``."""
_SUBCLASSES = frozenset({OUTPUT_PROJECTION, "CosineWindowAttention"})
"""Classes whose base may have a rule too, which would take them first."""


@dataclass(frozen=True, slots=True)
class _Start:
    """A parameter, the class of its module ("": it has none), and how it starts; None: as torch does."""

    key: str
    module_class: str
    name: str
    init: Initializer | None
    of_the_user: bool = False
    """Whether it is, or stands in, code of the user's own, which may be any of torch's modules."""


def init_lines(graph: Graph) -> list[str]:
    """The body of ``init_weights``; empty where torch's defaults hold throughout."""
    starts = _starts(graph)
    rules: dict[str, dict[str, Initializer]] = {}
    exceptions: dict[Initializer, list[str]] = {}
    left_alone = {start.name for start in starts if start.of_the_user and start.init is None}
    for (module_class, name), group in _by_class_and_name(starts).items():
        usual = Counter(start.init for start in group).most_common(1)[0][0]
        if any(start.init is None for start in group) or not module_class or name in left_alone:
            usual = None
        if usual is not None:
            rules.setdefault(module_class, {})[name] = usual
        for start in group:
            if start.init is not None and start.init != usual:
                exceptions.setdefault(start.init, []).append(start.key)
    subclasses = _SUBCLASSES.union(start.module_class for start in starts if start.of_the_user)
    return _rule_lines(rules, subclasses, _without_bias(starts)) + _exception_lines(exceptions)


def _starts(graph: Graph) -> list[_Start]:
    found = []
    for node in graph.nodes:
        types = graph.input_types(node)
        specs = node.op.parameters(types) if node.module == node.path else {}
        if not specs or node.op.is_started_when_made:
            continue
        call = node.op.torch_call(types)
        target = call.target if isinstance(call, ModuleCall) else ""
        target = "nn.LayerNorm" if target == "layers.LayerNorm2d" else target  # its subclass
        start = _own_start if node.op.is_user_op else _start
        found += [start(node.module, target, name, spec.init) for name, spec in specs.items()]
    return found


def _own_start(path: str, target: str, name: str, init: Initializer | None) -> _Start:
    if not name:
        return _Start(path, "", "", init)
    inner, _, last = name.rpartition(".")
    return _Start(f"{path}.{name}", "" if inner else local_name(target), last, init, bool(inner) or ":" in target)


def _start(path: str, target: str, name: str, init: Initializer | None) -> _Start:
    if not name:
        return _Start(path, "", "", init)
    inner, _, last = name.rpartition(".")
    return _Start(f"{path}.{name}", _SUBMODULES.get(inner, "nn.Linear") if inner else local_name(target), last, init)


def _by_class_and_name(starts: list[_Start]) -> dict[tuple[str, str], list[_Start]]:
    groups: dict[tuple[str, str], list[_Start]] = {}
    for start in starts:
        groups.setdefault((start.module_class, start.name), []).append(start)
    return groups


def _without_bias(starts: list[_Start]) -> set[str]:
    """Classes of which some modules have a weight and no bias."""
    counts = Counter((start.module_class, start.name) for start in starts)
    return {cls for cls, name in counts if name == "weight" and counts[cls, "bias"] != counts[cls, "weight"]}


def _rule_lines(
    rules: dict[str, dict[str, Initializer]], subclasses: frozenset[str], without_bias: set[str]
) -> list[str]:
    lines = []
    ordered = sorted(rules.items(), key=lambda rule: rule[0] not in subclasses)
    for number, (module_class, by_name) in enumerate(ordered):
        lines.append(f"    {'elif' if number else 'if'} isinstance(module, {module_class}):")
        for name, init in by_name.items():
            call = _init_call(init, f"module.{name}")
            if name == "bias" and module_class in without_bias:
                lines += ["        if module.bias is not None:", f"            {call}"]
            else:
                lines.append(f"        {call}")
    return ["for module in self.modules():", *lines] if lines else []


def _exception_lines(exceptions: dict[Initializer, list[str]]) -> list[str]:
    lines = []
    for init, keys in exceptions.items():
        if len(keys) == 1:
            lines.append(_init_call(init, f'self.get_parameter("{keys[0]}")'))
        else:
            lines += ["for name in (", *[f'    "{key}",' for key in keys], "):"]
            lines.append(f"    {_init_call(init, 'self.get_parameter(name)')}")
    return lines


def _init_call(init: Initializer, tensor: str) -> str:
    """``nn.init.normal_(module.weight, std=0.01)``: arguments that differ from torch's defaults, which are ours."""
    arguments = []
    for name, value in init.arguments().items():
        field = type(init).model_fields[name]
        if field.is_required():
            arguments.append(repr(value))
        elif value != field.default:
            text = f'"{value}"' if isinstance(value, str) else repr(value)
            arguments.append(f"{name}={text}")
    return f"nn.init.{init.kind}_({', '.join([tensor, *arguments])})"
