"""Graph to a Python file that needs torch alone: one class per block, as a person would write it."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from textwrap import wrap
from typing import Any

from archdsl.backends import layers
from archdsl.backends.python.source_classes import Class, ClassParameter
from archdsl.backends.python.source_expressions import (
    NO_DEFAULT,
    Construction,
    Expression,
    Items,
    expression_text,
    literal,
)
from archdsl.backends.python.source_forward import Finish, heading, is_list, unnamed_section
from archdsl.backends.python.source_init import init_lines
from archdsl.backends.python.source_layout import FileLayout
from archdsl.backends.python.source_text import WIDTH, Listing, Text, flat_text, is_attribute, lines
from archdsl.backends.python.source_tree import Container, build_tree
from archdsl.backends.python.source_user import user_code
from archdsl.graph.model import Graph, Setting
from archdsl.ops.contract.shapes import format_sizes

_DOCSTRING = WIDTH + 4
"""Columns of a line in a class's docstring, which is indented by 4."""
_NAMES_OF_THE_FILE = ("Tensor", "OrderedDict", *(n for n, v in vars(layers).items() if inspect.isclass(v)))


def to_python(graph: Graph) -> str:
    """The source of a module with the network as its last class.

    It has the keys and the order of the GraphModule's state_dict, gives the same outputs bit for bit, and starts its
    weights as the spec says. Blocks that differ in numbers alone share a class.
    """
    root = build_tree(graph)
    own = user_code(graph)
    layout = FileLayout(graph, root, _finish(graph), (*_NAMES_OF_THE_FILE, *own.names))
    texts = [_class_text(made, layout, graph) for made in layout.classes]
    used = sorted({target for made in layout.classes for target in _layer_targets(made)})
    used_layers = _with_bases(used)
    own.refuse_names(graph, [layer.__name__ for layer in used_layers])
    own_layers = [inspect.getsource(layer).rstrip() for layer in used_layers]
    name = layout.classes[-1].name
    body = [*own_layers, *own.definitions, *texts, _main_text(graph, name)]
    return "\n\n\n".join([_file_header(graph, body, own.imports), *body]) + "\n"


def _with_bases(names: list[str]) -> list[type]:
    """Layers of ours by name, each after those that it derives from."""
    found = [base for name in names for base in reversed(getattr(layers, name).__mro__)]
    return list(dict.fromkeys(base for base in found if base.__module__.startswith(layers.__name__)))


def _finish(graph: Graph) -> Finish | None:
    """How the network returns several outputs, and auxiliary ones in training only."""
    names = [output.name for output in graph.outputs]
    main = [i for i, output in enumerate(graph.outputs) if not output.auxiliary]
    if len(names) == 1:
        return None

    def finish(outputs: list[Text]) -> list[str]:
        nodes = dict.fromkeys(output.node for output in graph.outputs)
        by_node = dict(zip(nodes, map(flat_text, outputs), strict=True))
        texts = [by_node[output.node] for output in graph.outputs]

        def mapping(which: list[int]) -> str:
            return "{" + ", ".join(f'"{names[i]}": {texts[i]}' for i in which) + "}"

        if len(main) == len(names):
            return [f"return {mapping(main)}"]
        ordered = main + [i for i in range(len(names)) if i not in main]
        alone = texts[main[0]] if len(main) == 1 else mapping(main)
        return ["if self.training:", f"    return {mapping(ordered)}", f"return {alone}"]

    return finish


def _class_text(made: Class, layout: FileLayout, graph: Graph) -> str:
    is_root = made.uses[0].container.parent is None
    base = "nn.ModuleList" if is_list(made.uses[0].container) else "nn.Module"
    written = [f"class {made.name}({base}):", *_indented(_docstring(made, graph)), ""]
    written += _indented(_constructor(made, layout, graph))
    if made.uses[0].forward:
        arguments = ", ".join(f"{name}: Tensor" for name in made.uses[0].arguments)
        written += ["", f"    def forward(self, {arguments}) -> {_return_type(made, graph)}:"]
        written += _indented(made.uses[0].forward, 8)
    starts = init_lines(graph) if is_root else []
    if starts:
        written += ["", "    def init_weights(self) -> None:", *_indented(starts, 8)]
    return "\n".join(written)


def _indented(text: tuple[str, ...] | list[str], columns: int = 4) -> list[str]:
    return [" " * columns + line if line else "" for line in text]


def _return_type(made: Class, graph: Graph) -> str:
    container = made.uses[0].container
    if container.parent is None and len(graph.outputs) > 1:
        alone = sum(not output.auxiliary for output in graph.outputs) == 1
        return "Tensor | dict[str, Tensor]" if alone else "dict[str, Tensor]"
    count = len(container.outputs)
    return "Tensor" if count == 1 else f"tuple[{', '.join(['Tensor'] * count)}]"


# ---- constructors --------------------------------------------------------------------------------


def _constructor(made: Class, layout: FileLayout, graph: Graph) -> list[str]:
    parameters = [_parameter_text(parameter) for parameter in made.parameters]
    written = _signature_lines(parameters)
    if is_list(made.uses[0].container):
        items = Items("super().__init__", made.children, named=False)
        return written + _indented(lines(expression_text(items, layout.defaults)))
    written.append("    super().__init__()")
    written += _indented(_loop(made, layout) if made.uses[0].loop else _children(made, layout))
    if made.uses[0].container.parent is None and init_lines(graph):
        written.append("    self.init_weights()")
    return written


def _signature_lines(parameters: list[str]) -> list[str]:
    """``def __init__`` in one line, or a parameter a line."""
    flat = f"def __init__({', '.join(['self', *parameters])}) -> None:"
    if len(flat) <= WIDTH + 4:
        return [flat]
    return ["def __init__(", *[f"    {parameter}," for parameter in ("self", *parameters)], ") -> None:"]


def _parameter_text(parameter: ClassParameter) -> str:
    default = "" if parameter.default is NO_DEFAULT else f" = {literal(parameter.default)}"
    return f"{parameter.name}: {parameter.type}{default}"


def _loop(made: Class, layout: FileLayout) -> list[str]:
    (_, turns), (_, item) = made.children
    head = flat_text(expression_text(turns, layout.defaults))
    adding = f'self.add_module(f"{made.uses[0].loop}", '
    return [f"for i in {head}:", *lines(expression_text(item, layout.defaults), 4, adding, ")")]


def _children(made: Class, layout: FileLayout) -> list[str]:
    container = made.uses[0].container
    written: list[str] = []
    section = None
    for name, child in made.children:
        place = container.children[name]
        scope = place.scope if isinstance(place, Container) else place.node.scope
        found = unnamed_section(scope, container)
        written += heading(found, section, bool(written))
        section = found
        written += _child_lines(name, child, layout)
    return written


def _child_lines(name: str, child: Expression, layout: FileLayout) -> list[str]:
    text = expression_text(child, layout.defaults)
    if is_attribute(name):
        return lines(text, before=f"self.{name} = ")
    is_parameter = isinstance(child, Construction) and child.target == "nn.Parameter"
    adding = "register_parameter" if is_parameter else "add_module"
    return lines(Listing(f"self.{adding}(", (f'"{name}"', text), ")"))


def _layer_targets(made: Class) -> Iterator[str]:
    """The layers of ours that a class constructs."""
    stack: list[Any] = [child for _, child in made.children]
    while stack:
        expression = stack.pop()
        if isinstance(expression, Construction):
            if expression.target.startswith("layers."):
                yield expression.target.removeprefix("layers.")
            stack += [value for _, value in expression.arguments]
        elif isinstance(expression, Items):
            stack += [child for _, child in expression.children]


# ---- what surrounds the classes ------------------------------------------------------------------


def _docstring(made: Class, graph: Graph) -> list[str]:
    container = made.uses[0].container
    if container.parent is None:
        return _network_docstring(graph)
    scope = container.scope
    title = scope.title if scope is not None else container.name
    inputs = ", ".join(str(graph.nodes[value].type) for value in container.inputs)
    outputs = ", ".join(str(graph.nodes[value].type) for value in container.outputs)
    flow = f"{inputs} to {outputs}" if inputs else ""
    uses = "" if len(made.uses) == 1 else f" (first of {len(made.uses)} uses)"
    first = f"{title}: `{container.path}`"
    flat = f'"""{first}{", " if flow else ""}{flow}{uses}."""'
    return [flat] if len(flat) <= _DOCSTRING or not flow else [f'"""{first}.', "", f"{flow}{uses}.", '"""']


def _network_docstring(graph: Graph) -> list[str]:
    parameters = sum(entry.spec.elements for entry in graph.state_entries() if not entry.is_buffer)
    auxiliary = graph.auxiliary_nodes()
    counted = (node for node in graph.nodes if node.id not in auxiliary)
    macs = sum(node.op.macs(graph.input_types(node), node.type) for node in counted)
    sizes = ", ".join(format_sizes(node.type.sizes) for node in graph.inputs)
    first = f'"""{graph.name}: {parameters:,} parameters, {macs:,} multiply-accumulates at {sizes}.'
    return [first, "", *_plain(graph.doc), '"""'] if graph.doc.strip() else [f'{first}"""']


def _plain(doc: str) -> list[str]:
    """A comment's lines, harmless inside a docstring, the long ones broken."""
    plain = [line.replace("\\", "\\\\").replace('"""', "'''").rstrip() for line in doc.strip().splitlines()]
    return [part for line in plain for part in wrap(line, 96, break_long_words=False) or [""]]


def _file_header(graph: Graph, body: list[str], own_imports: list[str]) -> str:
    text = "\n".join(body)
    standard = {line for line in own_imports if line.split()[1].partition(".")[0] in sys.stdlib_module_names}
    standard |= {f"import {module}" for module in ("functools", "operator") if re.search(rf"\b{module}\.", text)}
    if re.search(r"\bOrderedDict\(", text):
        standard.add("from collections import OrderedDict")
    imports = ["from __future__ import annotations", "", *_sorted_imports(standard), *([""] if standard else [])]
    others = _sorted_imports({"import torch", "from torch import Tensor, nn", *own_imports} - standard)
    settings = ", ".join(f"{name} = {_setting_text(value)}" for name, value in graph.settings.items())
    title = f"{graph.name}({settings})" if settings else graph.name
    first = ['"""' + "\n".join(_plain(f"{title}, written by archdsl from its spec.")) + '"""', ""]
    return "\n".join([*first, *imports, *others])


def _sorted_imports(lines: Iterable[str]) -> list[str]:
    """``import`` before ``from``, each by name."""
    return sorted(lines, key=lambda line: (line.startswith("from "), line))


def _setting_text(value: Setting) -> str:
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _main_text(graph: Graph, name: str) -> str:
    inputs = ", ".join(f"torch.randn(1, {', '.join(map(str, node.type.sizes))})" for node in graph.inputs)
    main = sum(not output.auxiliary for output in graph.outputs)
    shape = "tuple(output.shape)" if main == 1 else "{name: tuple(tensor.shape) for name, tensor in output.items()}"
    return "\n".join(
        [
            'if __name__ == "__main__":',
            f"    model = {name}().eval()",
            "    with torch.no_grad():",
            f"        output = model({inputs})",
            f'    print("output:", {shape})',
            '    print("parameters:", sum(parameter.numel() for parameter in model.parameters()))',
        ]
    )
