"""What programs mean: names, shapes, scopes, wires, variants. Golden files hold whole graphs; these say why."""

from __future__ import annotations

import pytest

import archdsl
from archdsl import ArchError, Graph


def load(body: str, *, declarations: str = "", input: str = "8x32x32", **parameters: object) -> Graph:
    text = f"{declarations}\nnetwork net {{\n input {input}\n{body}\n}}\n"
    return archdsl.load(text, **parameters)  # type: ignore[arg-type]


def paths(graph: Graph, kind: str | None = None) -> list[str]:
    return [node.path for node in graph.nodes if node.op.kind != "input" and kind in (None, node.op.kind)]


def shape(graph: Graph, output: int = 0) -> str:
    return str(graph.nodes[graph.outputs[output].node].type)


def codes(text: str, **parameters: object) -> list[str]:
    with pytest.raises(ArchError) as caught:
        archdsl.load(text, **parameters)  # type: ignore[arg-type]
    return [diagnostic.code for diagnostic in caught.value.diagnostics]


def fault(body: str, *, declarations: str = "", input: str = "8x32x32") -> list[str]:
    return codes(f"{declarations}\nnetwork net {{\n input {input}\n{body}\n}}\n")


class TestNames:
    def test_kinds_are_counted_labelled_or_not(self) -> None:
        graph = load("conv(8, 3) -> bn -> relu\nconv2: conv(8, 3)\nconv(8, 3) -> bn")
        assert paths(graph) == ["conv1", "bn1", "relu1", "conv2", "conv3", "bn2"]

    def test_seq_counts_positions_and_passes_over_id(self) -> None:
        graph = load("down: seq(conv(8, 1) -> id -> named: bn -> relu)")
        assert paths(graph) == ["down.0", "down.named", "down.2"]

    def test_identity_takes_a_position(self) -> None:
        assert paths(load("down: seq(identity -> conv(8, 1))")) == ["down.0", "down.1"]

    def test_unnamed_section_adds_no_name_and_named_one_counts(self) -> None:
        graph = load("stem { conv(8, 3) -> bn }\nstage layer1 { conv(8, 3) -> bn }\nhead { fc: conv(4, 1) }")
        assert paths(graph) == ["conv1", "bn1", "layer1.0", "layer1.1", "fc"]
        assert [node.section.title for node in graph.nodes[1:] if node.section] == [
            "stem", "stem", "layer1", "layer1", "head"
        ]  # fmt: skip

    def test_labelled_group_opens_a_scope_but_parentheses_do_not(self) -> None:
        graph = load("g: (conv(8, 3) -> bn) -> (conv(8, 3) -> bn)\none: (conv(8, 1))")
        assert paths(graph) == ["g.conv1", "g.bn1", "conv1", "bn1", "one"]

    def test_repeat_under_a_label_counts_positions(self) -> None:
        graph = load("layers: b x 2 -> b x 2", declarations="block b { conv(8, 3) }")
        assert paths(graph) == ["layers.0.conv1", "layers.1.conv1", "b1.conv1", "b2.conv1"]

    def test_labels_interpolate_and_dots_are_containers(self) -> None:
        graph = load('for i in 0..2 { "convs.{i}": conv(8, 3) -> "norms.{i}": bn }')
        assert paths(graph) == ["convs.0", "norms.0", "convs.1", "norms.1"]

    def test_labels_may_have_hyphens_inside(self) -> None:
        graph = load('"block1-0": (relu -> relu)\nid + @"block1-0.relu1"')
        assert paths(graph) == ["block1-0.relu1", "block1-0.relu2", "add1"]

    @pytest.mark.parametrize("label", ["-a", "a.-b", "a b", "a..b", ""])
    def test_labels_that_cannot_be_names(self, label: str) -> None:
        with pytest.raises(ArchError, match="E106"):
            load(f'"{label}": relu')

    def test_merges_never_take_a_name_from_a_step(self) -> None:
        graph = load("(conv(8, 3)) + id\nadd1: conv(8, 3)")
        assert paths(graph) == ["conv1", "add2", "add1"]

    def test_let_layer_and_function_are_transparent(self) -> None:
        graph = load("let f(n) = conv(n, 3) -> bn\nlet g = relu\nf(8) -> g -> f(8)")
        assert paths(graph) == ["conv1", "bn1", "relu1", "conv2", "bn2"]

    @pytest.mark.parametrize(
        "body", ["a: conv(8, 3) -> a: bn", "for i in 0..2 { a: relu }", "conv1: bn -> conv1: relu"]
    )
    def test_two_steps_of_one_name(self, body: str) -> None:
        assert fault(body) == ["E203"]

    def test_a_tensor_name_may_be_given_again(self) -> None:
        graph = load("acc: id\nfor i in 0..3 { conv(8, 3) -> (id + @acc) -> acc: id }")
        assert [graph.nodes[n.inputs[1]].path for n in graph.nodes if n.op.kind == "add"] == ["input", "add1", "add2"]


class TestFlow:
    def test_both_operands_read_the_current_tensor(self) -> None:
        graph = load("conv(8, 3) -> (conv(8, 3) + id)")
        add = graph.nodes[-1]
        assert [graph.nodes[i].path for i in add.inputs] == ["conv2", "conv1"]

    def test_in_is_what_entered_the_block(self) -> None:
        graph = load(
            "conv(16, 3) -> b", declarations="block b { conv(in.channels * 2, 1) -> conv(in.channels, 1)\nid + in }"
        )
        assert [graph.nodes[i].path for i in graph.nodes[-1].inputs] == ["b1.conv2", "conv1"]

    def test_dense_block(self) -> None:
        graph = load('for i in 1..4 { id ++ "layer{i}": conv(4, 3) }')
        assert shape(graph) == "20x32x32"

    def test_squeeze_and_excite_broadcasts(self) -> None:
        graph = load("id * (global_avgpool -> conv(4, 1) -> relu -> conv(8, 1) -> sigmoid)")
        assert shape(graph) == "8x32x32"

    def test_numbers_with_layers(self) -> None:
        graph = load("g: sigmoid\n(0.5 * id) -> (1 - @g)")
        assert next(n.op.kind for n in graph.nodes[1:]) == "sigmoid"
        assert len(graph.nodes) == 4

    def test_arguments_may_use_earlier_steps_of_the_flow(self) -> None:
        graph = load("a: conv(8, 3, stride = 2) -> conv(@a.height, 1)")
        assert shape(graph) == "16x16x16"

    def test_repeat_zero_is_id(self) -> None:
        assert len(load("relu x 0").nodes) == 1

    def test_merge_of_a_computed_number_of_branches(self) -> None:
        graph = load('for i in 0..3 { "out{i}": conv(4, 3) }\nconcat([@"out{i}" for i in 0..3])')
        assert shape(graph) == "12x32x32"

    def test_wires_reach_into_scopes(self) -> None:
        graph = load('s: seq(a: conv(4, 3) -> relu) -> (id ++ @"s.a")')
        assert [graph.nodes[i].path for i in graph.nodes[-1].inputs] == ["s.1", "s.a"]

    def test_layers_are_values(self) -> None:
        declarations = "block b(norm = bn, act = relu) { conv(8, 3) -> norm -> act }"
        assert paths(load("b(act = silu) -> b(norm = gn(4))", declarations=declarations)) == [
            "b1.conv1", "b1.bn1", "b1.silu1", "b2.conv1", "b2.gn1", "b2.relu1"
        ]  # fmt: skip

    def test_shared_layers_have_the_weights_of_the_first_use(self) -> None:
        graph = load("let h = shared(conv(8, 3))\nh -> relu -> h")
        modules = [node.module for node in graph.nodes if node.op.kind == "conv"]
        assert modules == ["conv1", "conv1"]

    def test_aux_leaves_the_tensor_current(self) -> None:
        graph = load("aux side { conv(2, 1) }\nconv(4, 3)")
        assert [(o.name, o.auxiliary) for o in graph.outputs] == [("output", False), ("side", True)]
        assert shape(graph, 0) == "4x32x32"
        assert shape(graph, 1) == "2x32x32"

    def test_several_inputs_and_outputs(self) -> None:
        graph = load("conv(4, 3) -> mid: id -> (id ++ (@right -> conv(4, 3)))\noutput a: id, b: @mid",
                     input="left: 3x8x8, right: 5x8x8")  # fmt: skip
        assert [(o.name, shape(graph, i)) for i, o in enumerate(graph.outputs)] == [("a", "8x8x8"), ("b", "4x8x8")]


def test_keywords_of_sections_and_blocks_may_be_labels_and_wires() -> None:
    graph = load(
        "stem: conv(4, 3) -> head : relu\n"
        "let layer = block: seq { conv(4, 3) }\n"
        "layer\n"
        "@stem\n"
        "stage stage { aux: bn }\n"
        "head { (@head -> stage2: relu) + @block }",
        input="4x8x8",
    )
    paths = [node.path for node in graph.nodes[1:]]
    assert paths == ["stem", "head", "block.0", "stage.aux", "stage2", "add1"]


def test_an_outputs_name_is_the_label_of_its_layer() -> None:
    outputs = "a: conv(4, 3), b: top(2), c: relu, d: seq(bn), e: id, f: relu -> bn, g: relu + id"
    graph = load(f"block top(n) {{ conv(n, 1) }}\noutput {outputs}")
    found = [(o.name, graph.nodes[o.node].path) for o in graph.outputs]
    named = [("a", "a"), ("b", "b.conv1"), ("c", "c"), ("d", "d.0")]
    assert found == [*named, ("e", "input"), ("f", "bn1"), ("g", "add1")]


class TestDefaults:
    def test_written_beats_body_beats_file_beats_network(self) -> None:
        declarations = (
            "default conv(bias = false)\n"
            "block b { default conv(kernel_size = 1)\n conv(8) -> conv(8, 3) -> conv(8, bias = true) }"
        )
        graph = load("default conv(kernel_size = 5, dilation = 2)\nb", declarations=declarations)
        ops = [node.op.arguments() for node in graph.nodes[1:]]
        assert [op["kernel_size"] for op in ops] == [(1, 1), (3, 3), (1, 1)]
        assert [op["bias"] for op in ops] == [False, False, True]
        assert {op["dilation"] for op in ops} == {(2, 2)}

    @pytest.mark.parametrize(
        "text, expected",
        [
            ("default conv(bias = false, dilation = 2, groups = 8)\ndwconv(3)", (False, (2, 2))),
            ("default dwconv(bias = true)\ndefault conv(bias = false, dilation = 2)\ndwconv(3)", (True, (2, 2))),
            ("default dwconv(bias = true)\nb: seq { default conv(bias = false)\n dwconv(3) }", (False, (1, 1))),
            ("default conv(bias = false)\nb: seq { default dwconv(bias = true)\n dwconv(3) }", (True, (1, 1))),
            ("block conv(bias = true) { relu }\ndefault conv(bias = false)\ndwconv(3)", (True, (1, 1))),
        ],
    )
    def test_a_depthwise_convolution_takes_what_is_said_for_convolutions(self, text: str, expected: object) -> None:
        """Nearest first; at one place what is said for depthwise ones alone. Arguments it lacks are no fault."""
        arguments = load(text, input="8x9x9").nodes[-1].op.arguments()
        assert (arguments["bias"], arguments["dilation"]) == expected

    def test_default_of_another_file_does_not_reach(self) -> None:
        graph = load("bottleneck(16)", declarations='from "blocks/residual.arch" import bottleneck', input="64x8x8")
        assert not any(node.op.arguments()["bias"] for node in graph.nodes if node.op.kind == "conv")

    @pytest.mark.parametrize(
        "text, code", [("default convx(bias = false)", "E201"), ("default conv(bis = false)", "E212")]
    )
    def test_wrong_defaults(self, text: str, code: str) -> None:
        assert fault(f"{text}\nconv(8, 3)") == [code]


VARIANTS = """
let act = relu
let width(n) = n * 2
block unit(n) { conv(width(n), 3) -> bn -> act }
network base(n = 8, classes = 10) {
    input 3x16x16
    stem { conv(4, 3) }
    stage body { unit(n) x 2 }
    head { global_avgpool -> flatten -> fc: linear(classes) }
}
"""


class TestDefaultsOfBlocks:
    UNIT = "block unit(width, kernel = 3, act = relu) { conv(width, kernel) -> act }\n"

    def kernels(self, text: str, **parameters: object) -> list[int]:
        graph = archdsl.load(self.UNIT + text, **parameters)  # type: ignore[arg-type]
        return [node.op.arguments()["kernel_size"][0] for node in graph.nodes if node.op.kind == "conv"]

    def test_a_network_says_how_its_blocks_are(self) -> None:
        text = (
            "network n(k = 1) { input 3x8x8\n default unit(kernel = k)\n unit(4) -> unit(4, 5) -> unit(4, kernel = 7) }"
        )
        assert self.kernels(text) == [1, 5, 7]
        assert self.kernels(text, k=3) == [3, 5, 7]

    def test_the_nearest_wins(self) -> None:
        two = "block two { default unit(kernel = 5)\n unit(4) }\n"
        text = two + "network n { input 3x8x8\n default unit(kernel = 1)\n two -> unit(4) }"
        assert self.kernels(text) == [5, 1]

    def test_values_may_be_layers(self) -> None:
        text = self.UNIT + "network n { input 3x8x8\n default unit(act = silu)\n unit(4) -> unit(4, act = tanh) }"
        assert [node.op.kind for node in archdsl.load(text).nodes[1:]] == ["conv", "silu", "conv", "tanh"]

    def test_a_variant_says_it_for_blocks_within_blocks(self) -> None:
        base = "block two { unit(4) -> unit(4) }\nnetwork base { input 3x8x8\n two }\n"
        assert self.kernels(base + "network v extends base { default unit(kernel = 5) }", network="v") == [5, 5]

    def test_a_variants_block_may_lack_the_argument(self) -> None:
        base = "network base { input 3x8x8\n default unit(kernel = 1)\n unit(4) }\n"
        replaced = "network v extends base { block unit(width) { conv(width, 7) } }"
        assert self.kernels(base + replaced, network="v") == [7]

    @pytest.mark.parametrize(
        ("statement", "code"),
        [("unit(kernl = 1)", "E212"), ("unit(4)", "E213"), ("unti(kernel = 1)", "E201"), ("let_(kernel = 1)", "E201")],
    )
    def test_mistakes(self, statement: str, code: str) -> None:
        declared = f"{self.UNIT}let let_(kernel) = conv(1, kernel)\n"
        text = f"{declared}network n {{ input 3x8x8\n default {statement}\n unit(4) }}"
        assert set(codes(text)) == {code}


class TestVariants:
    def test_let_replaces_the_definition_that_blocks_look_up(self) -> None:
        graph = archdsl.load(VARIANTS + "network v extends base { let act = silu }", network="v")
        assert paths(graph, "relu") == []
        assert paths(graph, "silu") == ["body.0.silu1", "body.1.silu1"]

    def test_function_and_op_overrides(self) -> None:
        text = VARIANTS + "network v extends base { let width(n) = n + 1\n let bn = gn(3) }"
        graph = archdsl.load(text, network="v")
        assert [n.type.sizes[0] for n in graph.nodes if n.op.kind == "gn"] == [9, 9]

    def test_sections_are_replaced_and_see_the_bases_parameters(self) -> None:
        text = VARIANTS + "network v extends base(n = 5) { stem { conv(classes, 3) -> relu } }"
        graph = archdsl.load(text, network="v", classes=7)
        assert graph.nodes[1].type.sizes[0] == 7
        assert shape(graph) == "7"

    def test_outputs_of_a_variant_take_the_place_of_the_bases(self) -> None:
        body = "a: conv(4, 3)\n stage s { conv(8, 3) }\n head { flatten }\n output y: id"
        base = f"network base {{ input 3x8x8\n {body} }}\n"
        text = base + (
            "network v extends base { head { }\n output fine: @a, coarse: @s -> relu, both: conv(2, 1) }\n"
            "network w extends v { output last: id }\n"
            "network u = v\n"
        )
        found = {name: archdsl.load(text, network=name) for name in "vwu"}
        outputs = {name: [(o.name, graph.nodes[o.node].path) for o in graph.outputs] for name, graph in found.items()}
        assert outputs["v"] == outputs["u"] == [("fine", "a"), ("coarse", "relu1"), ("both", "both")]
        assert outputs["w"] == [("last", "s.0")]

    def test_alias_keeps_the_other_parameters_open(self) -> None:
        graph = archdsl.load(VARIANTS + "network w = base(n = 3)", network="w", classes=4)
        assert shape(graph) == "4"
        assert codes(VARIANTS + "network w = base(n = 3)", network="w", n=4) == ["E409"]

    def test_outer_variant_wins(self) -> None:
        text = VARIANTS + "network v extends base { let act = silu }\nnetwork w extends v { let act = gelu }"
        assert len(paths(archdsl.load(text, network="w"), "gelu")) == 2

    def test_an_override_may_use_what_it_replaces(self) -> None:
        text = VARIANTS + "network v extends base { let act = seq(act -> dropout(0.1)) }"
        assert paths(archdsl.load(text, network="v"), "relu") == ["body.0.seq1.0", "body.1.seq1.0"]

    def test_helpers_of_a_variant_are_seen_in_its_overrides(self) -> None:
        text = VARIANTS + "network v extends base { let twice(n) = 2 * n\n let width(n) = twice(n) + 1 }"
        assert archdsl.load(text, network="v", n=1).nodes[2].type.sizes[0] == 3

    def test_with_another_input_the_bases_demands_rest_and_its_own_hold(self) -> None:
        base = "network base { input 3x8x8\n stem { conv(4, 3) -> 4x8x8 }\n stage s { relu } }\n"
        archdsl.load(base + "network v extends base { input 3x16x16 }", network="v")
        assert codes(base + "network v extends base { input 3x16x16\n stage s { relu -> 4x8x8 } }", network="v") == [
            "E307"
        ]

    def test_published_numbers_of_a_variant_hold_for_its_declaration(self) -> None:
        text = VARIANTS + "network v extends base(n = 5) { let act = silu\n assert params == 1 }"
        assert codes(text, network="v") == ["E408"]
        assert codes(text, network="v", classes=10) == ["E408"]
        archdsl.load(text, network="v", classes=11)

    def test_input_default_and_assert_are_added(self) -> None:
        text = VARIANTS + (
            'network v extends base {\n input 1x8x8\n default conv(bias = false)\n assert params > 100M, "too small" }'
        )
        assert codes(text, network="v") == ["E408"]

    @pytest.mark.parametrize(
        "variant, code",
        [
            ("network v extends base { let unused = 3 }", "E406"),
            ("network v extends base { stage nowhere { relu } }", "E406"),
            ("network v extends act { }", "E411"),
            ("network v extends v { }", "E411"),
            ("network v extends w { }\nnetwork w extends v { }", "E411"),
            ("network v extends base { relu }", "E106"),
            ("network v extends base { stem { relu }\n stem { bn } }", "E202"),
            ("network v extends base { let act = relu\n let act = silu }", "E202"),
            ("network v extends base(wdith = 3) { }", "E212"),
        ],
    )
    def test_wrong_variants(self, variant: str, code: str) -> None:
        assert codes(VARIANTS + variant, network="v") == [code]


class TestAsserts:
    def test_published_numbers_hold_for_the_declared_network_only(self) -> None:
        text = "network n(c = 4) { input 3x8x8\n conv(c, 1)\n assert params == 16 }"
        archdsl.load(text)
        archdsl.load(text, c=5)
        archdsl.load(text, input=(3, 4, 4))
        assert codes(text.replace("16", "17")) == ["E408"]

    def test_budgets_hold_always(self) -> None:
        text = "network n(c = 4) { input 3x8x8\n conv(c, 1)\n assert params < 18 }"
        archdsl.load(text)
        assert codes(text, c=5) == ["E408"]

    def test_rounded_numbers_compare_at_their_precision(self) -> None:
        archdsl.load("network n { input 3x8x8\n conv(400, 3)\n assert params == 11.2K\n assert params == 11K }")

    def test_shape_demands_rest_at_another_input(self) -> None:
        text = "network n { input 3x8x8\n conv(4, 3) -> 4x8x8 }"
        archdsl.load(text)
        archdsl.load(text, input="3x16x16")
        assert codes(text.replace("4x8x8", "4x8x9")) == ["E307"]

    FAMILY = """
network family(depth, width = 1) {
    input 3x8x8
    assert (depth - 4) % 6 == 0, "a depth is 6 n + 4, not {depth}"
    let n = (depth - 4) // 6
    conv(width, 3) x n -> last: conv(8, 1)
    assert @last.channels == 8
    assert params < 1K
}
"""

    def test_a_parameter_wins_over_what_was_built(self) -> None:
        assert len(archdsl.load(self.FAMILY, depth=22).nodes) == 5
        assert codes(self.FAMILY, depth=23) == ["E408"]
        (error,) = [each for each in archdsl.check(self.FAMILY + "network bad = family(23)") if each.code[0] == "E"]
        assert "a depth is 6 n + 4, not 23" in error.message

    def test_one_on_arguments_ends_before_anything_else_goes_wrong(self) -> None:
        assert codes(self.FAMILY, depth=23, width=0.5) == ["E408"]
        assert codes(self.FAMILY, depth=22, width=0.5) == ["E215"]

    def test_one_on_arguments_holds_for_variants_too(self) -> None:
        for declared in ("variant = family(23)", "variant extends family(23) { }", "variant extends family { }"):
            assert codes(f"{self.FAMILY}network {declared}", network="variant", **self.open(declared)) == ["E408"]

    @staticmethod
    def open(declared: str) -> dict[str, object]:
        return {} if "23" in declared else {"depth": 23}

    def test_one_on_what_was_built_does_not(self) -> None:
        text = self.FAMILY + "network variant extends family(16, width = 20) { }"
        archdsl.load(text, network="variant")
        assert codes(self.FAMILY, depth=16, width=20) == ["E408"]

    def test_what_a_variant_fixes_is_no_name_in_it(self) -> None:
        archdsl.load(self.FAMILY + "network variant extends family(16) { assert depth == 3 }", network="variant")
        text = self.FAMILY + "network variant extends family { assert depth == 3 }"
        assert codes(text, network="variant", depth=16) == ["E408"]


class TestSettings:
    def test_texts_may_use_what_the_file_defines(self) -> None:
        text = "let big = 12\nnetwork n(c = 4, act = relu) { input 3x8x8\n conv(c, 1) -> act }"
        graph = archdsl.load(text, set_texts={"c": "big * 2", "act": "leaky_relu(0.2)"})
        assert shape(graph) == "24x8x8"
        assert graph.nodes[-1].op.kind == "leaky_relu"
        assert graph.settings == {"c": 24, "act": "leaky_relu(0.2)"}

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {"a": 1}, [object()]])
    def test_what_is_no_value_of_the_language(self, value: object) -> None:
        assert codes("network n(c = 4) { input 3x8x8\n conv(c, 1) }", c=value) == ["E409"]

    @pytest.mark.parametrize("size", ["3x0x8", "3x8", "3x-1x8", "axb", "", (3, 1.5, 2), (3, 8, 8, 8)])
    def test_bad_inputs(self, size: object) -> None:
        assert codes("network n(c = 4) { input 3x8x8\n conv(c, 1) }", input=size) == ["E309"]


@pytest.mark.parametrize(
    "body, code",
    [
        ("cnov(8, 3)", "E201"),
        ("conv(8)", "E211"),
        ("conv(8, 3, strides = 2)", "E212"),
        ("relu(1)", "E213"),
        ("conv(8, 3, kernel_size = 3)", "E214"),
        ("conv(8, 3.5)", "E215"),
        ("conv(8, 3, stride = 0)", "E215"),
        ("conv(-8, 3)", "E215"),
        ("conv(8, 3, bias = 1)", "E215"),
        ("conv(8, 3, init = normal(std = -1))", "E215"),
        ("conv(8, 3, init = constant())", "E211"),
        ("conv(8, 3, groups = 3)", "E305"),
        ("conv(8, 99, padding = 0)", "E304"),
        ("(conv(4, 3)) + id", "E301"),
        ("(conv(4, 3, 2)) ++ id", "E302"),
        ("(conv(4, 3, 2)) * id", "E303"),
        ("linear(3)", "E306"),
        ("3", "E224"),
        ("id + 3", "E224"),
        ("2 * relu", "E226"),
        ("relu - 1", "E224"),
        ("relu - id", "E221"),
        ("conv(relu, 3)", "E215"),
        ("relu x bn", "E225"),
        ("relu x -1", "E215"),
        ("relu x 1.5", "E223"),
        ("@nothing", "E204"),
        ("conv(in.chanels, 3)", "E205"),
        ("conv([1, 2][5], 3)", "E222"),
        ("conv(1 / 0, 3)", "E223"),
        ("conv(2 ** 10 ** 9, 3)", "E505"),
        ("for i in 0..10 ** 9 { relu }", "E504"),
        ("relu x 10 ** 9", "E504"),
        ("for i in 3 { relu }", "E227"),
        ("if 3 { relu }", "E221"),
        ("let a = 1\nlet a = 2", "E202"),
        ("output a: id, a: id", "E412"),
        ("output a: id\noutput a: id", "E412"),
        ('a: relu -> "a.b": relu', "E203"),
        ('"a.b": conv(3, 1) -> a: relu', "E203"),
        ('"input": relu', "E203"),
        ('aux "output" { relu }', "E412"),
        ("aux a { relu }\noutput a: id", "E412"),
        ("assert 1 > 2", "E408"),
        ("input 3x8x8", "E202"),
    ],
)
def test_each_mistake_gives_one_diagnostic(body: str, code: str) -> None:
    assert fault(body) == [code]


def test_several_mistakes_are_reported_in_one_run() -> None:
    body = "cnov(8, 3) -> relu\nconv(8, 3, strides = 2) -> bn\nlet w = undefined\nconv(w, 3)\n(conv(4, 3)) + id"
    assert fault("conv(8, 3)\n" + body) == ["E201", "E212", "E201"]


@pytest.mark.parametrize(
    "declarations, body, code",
    [
        ("block a { a }", "a", "E206"),
        ("block a { b }\nblock b { a }", "a", "E206"),
        ("let f(n) = f(n + 1)", "conv(f(1), 3)", "E206"),
        ("let a = b\nlet b = a", "conv(a, 3)", "E206"),
        ("block a { relu }\nblock a { bn }", "a", "E202"),
    ],
)
def test_definitions_that_cannot_be(declarations: str, body: str, code: str) -> None:
    assert fault(body, declarations=declarations) == [code]


def test_every_argument_that_an_op_refuses_is_reported() -> None:
    assert fault("conv(-8, 0, stride = 1.5, bias = 3)") == ["E215"] * 4


def test_inputs_that_cannot_be() -> None:
    assert codes("network n { input a: 3x8x8, a: 3x8x8\n relu }") == ["E202"]
    assert codes("network n { input 3x99999999999x8\n relu }") == ["E309"]
    assert codes("network n { input 3x0x8\n relu }") == ["E309"]
    assert codes("network n { input 3x8x8, 3x8x8\n relu }") == ["E309"]
    assert codes("network n { input relu\n relu }") == ["E309"]


def test_networks_without_or_with_too_many() -> None:
    assert codes("block b { relu }") == ["E404"]
    assert codes("network a { input 3\n relu }\nnetwork b { input 3\n relu }") == ["E405"]
    assert codes("network a { relu }") == ["E410"]
    assert codes("network a { input 3\n relu }", network="b") == ["E404"]
