"""Makes docs/zoo.md: every bundled network, what it was checked against and with which result.

``python -m tests.zoo_page`` builds each beside torchvision's model of its name and compares them; it takes minutes.
"""

from __future__ import annotations

import inspect
import posixpath
import re
from pathlib import Path
from types import ModuleType

import torch

import archdsl
from archdsl.analysis.cost import cost
from archdsl.bundled_specs import bundled_file
from archdsl.citations import Citation, citation
from archdsl.graph import Graph
from tests import torchvision_import
from tests.zoo import calibrate, check_costs, check_same_state, images, pair
from tests.zoo_models import MODELS

PAGE = Path(__file__).parent.parent / "docs" / "zoo.md"
LARGEST = 150_000_000
"""Parameters up to which outputs are compared; beyond, names, shapes and costs alone."""

HEADER = """# The bundled networks

Made by `python -m tests.zoo_page`, which builds each network beside torchvision's model of the same name: the
`state_dict` must have the same keys, shapes and dtypes in the same order, parameters must equal the published number
and MACs the published `_ops`. "Equal" means that the outputs of one image in evaluation mode, with the same random
weights, were equal to the bit; else the largest difference stands there. `archdsl list` shows the same networks with
filters.

Lines are those with code: of the spec itself, of the files it imports, and of torchvision's Python module of the
family.
"""
COLUMNS = (
    "| network | parameters | MACs | outputs | spec | blocks | torchvision | apart |\n"
    "|---|--:|--:|---|--:|--:|--:|---|\n"
)


def main() -> None:
    torchvision_import.install()
    import torchvision.models as models

    # its own loader takes a checkpoint without torchvision's mark for one of an old version; see the tests
    del models.MNASNet._load_from_state_dict
    families: dict[str, list[str]] = {}
    for name in archdsl.bundled():
        graph = archdsl.load(name)
        said = citation(graph.doc)
        families.setdefault(f"{said.family}{_published(said)}", []).append(_row(models, name, graph))
        print(name, flush=True)
    sections = [f"\n## {title}\n\n{COLUMNS}{''.join(rows)}" for title, rows in sorted(families.items())]
    PAGE.write_text(HEADER + "".join(sections), encoding="utf-8")


def _published(said: Citation) -> str:
    details = ", ".join(str(detail) for detail in (said.year, said.paper) if detail)
    return f" ({details})" if details else ""


def _row(models: ModuleType, name: str, graph: Graph) -> str:
    model = MODELS[name]
    check_same_state(models, name, model.moved)
    check_costs(models, name, model.weights, **dict(model.published_settings))
    total = cost(graph)
    own, imported = spec_lines(name)
    cells = [name, f"{total.parameters:,}", f"{total.macs:,}", _outputs(models, name, graph, total.parameters)]
    cells += [str(own), str(imported), str(_python_lines(models, name)), model.apart]
    return f"| {' | '.join(cells)} |\n"


def _outputs(models: ModuleType, name: str, graph: Graph, parameters: int) -> str:
    if parameters > LARGEST:
        return "not run: too large here"
    size = graph.inputs[0].type.sizes[-1]
    batch = images(size, 1)
    built, original = pair(models, name)
    calibrate(original, size)
    built.load_state_dict(original.state_dict())
    with torch.no_grad():
        ours, theirs = built.eval()(batch), original.eval()(batch)
    difference = float((ours - theirs).abs().max())
    return f"equal at {size}" if difference == 0 else f"within {difference:.1g} at {size}"


def spec_lines(name: str) -> tuple[int, int]:
    """Lines of code of a bundled spec, and of all the files that it imports, directly or not."""
    pending, seen, lines = [f"{name}.arch"], set[str](), []
    while pending:
        path = pending.pop(0)
        file = bundled_file(path)
        assert file is not None
        text = file.read_text(encoding="utf-8")
        seen.add(path)
        lines.append(_code_lines(text))
        for named in re.findall(r'^from "([^"]+)"', text, re.MULTILINE):
            beside = posixpath.join(posixpath.dirname(path), named)
            found = beside if bundled_file(beside) else named
            if found not in {*seen, *pending}:
                pending.append(found)
    return lines[0], sum(lines[1:])


def _python_lines(models: ModuleType, name: str) -> int:
    return _code_lines(inspect.getsource(inspect.getmodule(models.get_model_builder(name)) or models))


def _code_lines(text: str) -> int:
    lines = (line.strip() for line in text.splitlines())
    return sum(1 for line in lines if line and not line.startswith("#"))


if __name__ == "__main__":
    main()
