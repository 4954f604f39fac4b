"""Each kind of name, shadowed: the marked use means the marked declaration."""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from archdsl.base.source import Source
from archdsl.elaborate.known import bound
from archdsl.elaborate.loading import LoadedModule
from archdsl.language import syntax
from archdsl.language.binder import bind, free_names
from archdsl.language.binding import Binding
from archdsl.language.walking import descendants
from archdsl.request import Request
from tests.language.syntax_strategies import MODULES

MARK = re.compile("[«»]")


def module_of(spec: Source | Path) -> LoadedModule:
    return Request(spec).module


def binding_of(text: str) -> Binding:
    return bound(module_of(Source("test.arch", text)))


def marked(text: str) -> tuple[str, list[int]]:
    """The text without its marks, and where they open."""
    places = [match.start() - marks for marks, match in enumerate(MARK.finditer(text)) if match.group() == "«"]
    return MARK.sub("", text), places


NET = "network net(n = 1, m = 2) {{ input 3x8x8\n {} }}"

FOUND = [
    ("let", "let «c» = 8\nblock b { conv(«c», 3) }"),
    ("parameter", "let c = 8\nblock b(«c») { conv(«c», 3) }"),
    ("parameter", "let c = 8\nblock b(«c», d = «c») { conv(d, 3) }"),
    ("let", "let «c» = 8\nblock b(d = «c», c = 4) { conv(d, c) }"),
    ("let", "let c = 8\nblock b(c) { { let «c» = 4\n conv(«c», 3) } }"),
    ("parameter", "let c = 8\nblock b(«c») { { let d = 4\n conv(«c», d) } }"),
    ("loop variable", "block b(i) { for «i» in 0..i { conv(«i», 3) } }"),
    ("parameter", "block b(«i») { for i in 0..«i» { conv(i, 3) } }"),
    ("loop variable", "block b { for i, «c» in enumerate([1, 2]) { conv(«c», 3) } }"),
    ("comprehension variable", "let c = 1\nlet l = [«c» for «c» in 0..3]"),
    ("let", "let «c» = 1\nlet l = [c for c in 0..«c»]"),
    ("function", "let «f»(g) = g -> relu\nblock b { «f»(bn) }"),
    ("parameter", "let f = 1\nlet g(«f») = f -> «f»"),
    ("block", "block «b» { relu }\nblock c { let bb = relu\n «b» }"),
    ("block", "block b { relu }\nblock c { block «b» { bn }\n «b» }"),
    ("block", "let b = relu\nblock «unit» { relu }\nblock c { default «unit»(x = 1)\n relu }"),
    ("parameter", "block unit(«size») { conv(size, 3) }\nblock c(size) { unit(«size» = size) }"),
    ("network", NET.replace("net(", "«net»(").format("relu") + "\nnetwork mine extends «net» { }"),
    ("parameter", NET.replace("n = 1", "«n» = 1").format("relu") + "\nnetwork mine extends net(«n» = 1) { }"),
    ("inherited parameter", "network net(«n» = 1) { input 4 }\nnetwork mine extends net { let c = «n» }"),
    ("parameter", NET.format("relu") + "\nnetwork mine(«n» = 3) extends net { let c = «n» }"),
    ("let", "let «n» = 4\n" + NET.format("relu") + "\nnetwork mine(k = «n») extends net { let c = k }"),
    ("let", "let «n» = 4\n" + NET.format("relu") + "\nnetwork mine extends net(m = «n») { let c = m }"),
    ("let", "let c = 1\n" + NET.format("let «c» = 2\n conv(«c», 3)")),
    ("let", "let «c» = 1\n" + NET.format("conv(«c», 3)\n let c = 2")),
    ("let", "let «c» = 1\n" + NET.format("let c = 2 * «c»\n conv(c, 3)")),
    ("let", "let c = 1\n" + NET.format("let layer = relu -> conv(«c», 3)\n let «c» = 2\n layer")),
    ("let", "let c = 1\n" + NET.format("let f(x) = conv(«c», x)\n let «c» = 2\n f(3)")),
    ("let", NET.format("let f(x) = conv(«c», x)\n let «c» = 2\n f(3)")),
    ("let", "let «c» = 1\n" + NET.format("if n > 0 { block b { conv(«c», 3) }\n b }\n let c = 2")),
    ("let", "let «size» = 8\nnetwork net { let size = 4\n input 3 x «size» x 8\n conv(size, 3) }"),
    ("let", NET.format("let «params» = 4\n conv(params, 1)\n assert «params» == 4")),
    ("let", "let «params» = 4\n" + NET.format("conv(«params», 1)")),
    ("label", NET.format("«a»: relu\n id + @«a»")),
    ("label", NET.format("a: relu\n g: («a»: bn -> (id + @«a»))")),
    ("label", NET.format('g: («a»: bn -> relu)\n id + @«"g.a"»')),
    ("label", NET.format("«a»: relu\n g: (bn -> (id + @«a»))")),
    ("label", NET.format("a: relu\n «a»: bn\n id + @«a»")),
    ("section", NET.format("stage «s» { relu }\n id + @«s»")),
    ("input", "network net { input «left»: 3x8x8, right: 3x8x8\n @left + @«left» }"),
]  # fmt: skip


@pytest.mark.parametrize("kind, text", FOUND, ids=[f"{i}-{kind}" for i, (kind, _) in enumerate(FOUND)])
def test_a_use_means_its_declaration(kind: str, text: str) -> None:
    plain, places = marked(text)
    binding = binding_of(plain)
    means = [binding.definition_at(place) for place in places]
    assert means[0] is not None
    assert all(each is not None and each.identity == means[0].identity for each in means)
    assert kind in {each.kind for each in means if each is not None}
    assert means[0].place is not None
    assert means[0].place.start in places


KNOWN = [
    ("op", "block b { «relu» }"),
    ("initialiser", "block b { conv(8, 3, init = «zeros») }"),
    ("built-in function", "let n = «min»(1, 2)"),
    ("layer", "block b { «id» }"),
    ("finished number", NET.format("relu\n assert «params» == 0")),
    ("finished number", "let params = 3\n" + NET.format("relu\n assert «params» == 0")),
]


@pytest.mark.parametrize("kind, text", KNOWN)
def test_what_every_file_knows_has_no_place(kind: str, text: str) -> None:
    plain, (place,) = marked(text)
    found = binding_of(plain).definition_at(place)
    assert found is not None
    assert (found.kind, found.place) == (kind, None)


def test_an_import_leads_to_the_other_file(tmp_path: Path) -> None:
    (tmp_path / "parts.arch").write_text("block unit(size = 3) { conv(4, size) }", encoding="utf-8")
    main = tmp_path / "main.arch"
    main.write_text('from "parts.arch" import unit\nblock b { unit(size = 1) }', encoding="utf-8")
    binding = bound(module_of(main))
    unit, size = (use.declaration for use in binding.uses if use.name in ("unit", "size"))
    assert unit is not None
    assert unit.kind == "import"
    assert isinstance(unit.node, syntax.Block)
    assert unit.place is not None
    assert unit.place.source.name.endswith("main.arch")
    assert size is not None
    assert size.place is not None
    assert size.place.source.name.endswith("parts.arch")


def test_a_replacement_may_use_what_it_replaces() -> None:
    base = NET.format("unit") + "\nblock unit { relu }\n"
    binding = binding_of(base + "network mine extends net { block unit { unit }\n head { unit } }")
    inside, after = [use.declaration for use in binding.uses if use.name == "unit"][1:]
    outer, inner = [each for each in binding.declarations if each.name == "unit"]
    assert (inside, after) == (outer, inner)


def test_the_uses_of_a_declaration() -> None:
    text, places = marked(
        "block unit(«size») { conv(«size», 3) -> { let size = 1\n conv(size, 1) } }\n"
        "block b(size) { unit(«size» = size) -> unit(size) }"
    )
    binding = binding_of(text)
    size = binding.definition_at(places[0])
    assert size is not None
    assert [use.place.start for use in binding.uses_of(size)] == places[1:]


def test_a_parameter_and_its_uses_in_a_variant_are_one() -> None:
    text, places = marked(
        NET.replace("n = 1", "«n» = 1").format("conv(«n», 3)") + "\nnetwork mine extends net(«n» = 2) { let c = «n» }"
    )
    binding = binding_of(text)
    size = binding.definition_at(places[0])
    assert size is not None
    assert [use.place.start for use in binding.uses_of(size)] == places[1:]


@pytest.mark.parametrize("text, seen, unseen", [
    ("let a = 1\nblock b(p) { let c = 1\n «relu»\n let d = 2 }", "a b p c relu", "d"),
    ("block b(p) { relu }\nblock e { «relu» }", "b e", "p"),
    ("block b { for i in 0..2 { «relu» }\n bn }", "i", "p"),
    ("block b { for i in 0..2 { relu }\n «bn» }", "relu", "i"),
    (NET.format("«relu»") + "\nnetwork v(k = 1) extends net { let c = 1 }", "n m", "k c"),
    (NET.format("relu") + "\nnetwork v(k = 1) extends net { head { «relu» } }", "n m k net", "c"),
])  # fmt: skip
def test_what_is_visible_at_a_place(text: str, seen: str, unseen: str) -> None:
    plain, (place,) = marked(text)
    visible = binding_of(plain).visible_at(place)
    assert visible.keys() >= set(seen.split())
    assert not visible.keys() & set(unseen.split())


def test_the_innermost_names_come_first() -> None:
    plain, (place,) = marked("let a = 1\nblock b(a) { let c = 1\n «relu» }")
    names = list(binding_of(plain).visible_at(place))
    assert names[:3] == ["c", "a", "b"]


def test_what_nothing_names_has_no_declaration() -> None:
    binding = binding_of("block b { conv(nothing, 3) -> (id + @missing) }")
    assert [use.name for use in binding.uses if use.declaration is None] == ["nothing", "missing"]


def test_free_names_are_those_that_nothing_inside_declares() -> None:
    module = module_of(Source("test.arch", "let e = 2\nblock b(c) { let d = c + e\n conv(d, e) -> unit(k = c) }"))
    block = module.definitions["b"]
    assert list(free_names(block, module)) == ["e", "conv", "e", "unit"]


class OneFile:
    """A file without others."""

    def __init__(self, parsed: syntax.Module) -> None:
        self.parsed = parsed

    def find(self, name: str) -> tuple[OneFile, syntax.Definition] | None:
        kinds = (syntax.Let, syntax.Block, syntax.Network)
        own = (each for each in self.parsed.declarations if isinstance(each, kinds))
        return next(((self, each) for each in own if each.name.name == name), None)


@settings(max_examples=150, suppress_health_check=[*HealthCheck])
@given(MODULES)
def test_any_tree_is_bound(module: syntax.Module) -> None:
    binding = bind(OneFile(module), [("relu", "op")], ["params"])
    nodes = {node for each in module.declarations for node in descendants(each)}
    assert {use.node for use in binding.uses} <= nodes
    assert {each.node for each in binding.declarations} <= nodes
    for use in binding.uses:
        assert use.declaration is None or use.role == "wire" or use.declaration.name == use.name
    for each in binding.declarations:
        for use in binding.uses_of(each):
            assert use.declaration is not None
            assert use.declaration.identity == each.identity


def test_work_is_linear_in_the_text() -> None:
    """Counted in calls of functions, Python's and built-in ones."""

    def calls(count: int) -> int:
        steps = "\n".join(f"a{i}: conv(c{i}, 3)\n let c{i + 1} = c{i}\n id + @a{i}" for i in range(count))
        module = module_of(Source("test.arch", NET.format(f"let c0 = 1\n{steps}")))
        counted: Counter[str] = Counter()
        sys.setprofile(lambda frame, event, argument: counted.update((event,)))
        try:
            bind(module, [("conv", "op")])
        finally:
            sys.setprofile(None)
        return counted.total()

    first, second, third = map(calls, (200, 400, 600))
    assert third - second < 1.05 * (second - first)  # bisection adds a step now and then
