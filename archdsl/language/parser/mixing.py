"""Operators that are not mixed without parentheses: what is wrong, and the readings to choose from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from archdsl.base.source import Span
from archdsl.diagnostics.model import Diagnostic, Label
from archdsl.language.operands import brief
from archdsl.language.parser.tokens import Token, Tokenizer
from archdsl.language.syntax import Binary, Chain, Expression, Flow, Labelled, Ternary


class Loose(NamedTuple):
    """A step that binds looser than a flow's step may: its first and last operand and its first operator."""

    first: Expression
    last: Expression
    operator: Span
    name: str
    between: str
    """What stands between the two operands, a long part of it left out."""


def flow_fault(flow: Flow, arrows: Sequence[Token]) -> Diagnostic | None:
    """E103 where a step of the flow is a merge, arithmetic or a conditional without parentheses."""
    loose = [_loose(step) for step in flow.steps]
    found = next(((place, step) for place, step in enumerate(loose) if step), None)
    if found is None:
        return None
    place, step = found
    arrow = arrows[max(place - 1, 0)].span(flow.span.source)
    operator, other = (step.operator, arrow) if arrow.start < step.operator.start else (arrow, step.operator)
    names = ("->", step.name) if operator is step.operator else (step.name, "->")
    message = f"`{names[0]}` and `{names[1]}` are not mixed without parentheses"
    help = f"write {_merged_first(flow, loose)} or {_flows_first(flow, loose)}"
    return Diagnostic("E103", message, operator, (Label(other),), help=help)


def merge_fault(chain: Chain) -> Diagnostic:
    """E104: ``f + g ++ h``."""
    (first, one), (place, other) = sorted((chain.operators.index(operator), operator) for operator in ("+", "++"))
    readings = [_grouped(chain, lambda operator: operator == "++"), _grouped(chain, lambda operator: operator != "++")]
    return Diagnostic(
        "E104",
        f"`{one}` and `{other}` are not mixed without parentheses",
        chain.operator_spans[place],
        (Label(chain.operator_spans[first]),),
        help=f"write `{readings[0]}` or `{readings[1]}`",
    )


def _grouped(chain: Chain, binds: Callable[[str], bool]) -> str:
    """The chain with parentheses round the operands that these operators join."""
    runs = [[brief(chain.operands[0].span)]]
    between = []
    for operator, operand in zip(chain.operators, chain.operands[1:], strict=True):
        if binds(operator):
            runs[-1] += [operator, brief(operand.span)]
        else:
            between.append(operator)
            runs.append([brief(operand.span)])
    groups = [f"({' '.join(run)})" if len(run) > 1 else run[0] for run in runs]
    return " ".join([groups[0], *(f"{operator} {group}" for operator, group in zip(between, groups[1:], strict=True))])


def label_fault(ternary: Ternary, labelled: Labelled) -> Diagnostic:
    """E106: ``down: a if c else b``, where the label seems to name whichever is taken."""
    label, layer = brief(labelled.label.span), brief(labelled.layer.span)
    rest = f"if {brief(ternary.condition.span)} else {brief(ternary.otherwise.span)}"
    return Diagnostic(
        "E106",
        f"the label `{label}` would name the first branch only",
        labelled.label.span,
        help=f"write `{label}: ({layer} {rest})` or `({label}: {layer}) {rest}`",
    )


def _loose(step: Expression) -> Loose | None:
    match step:
        case Chain(operators=operators) if operators[0] != "x":
            between = operators[0] if len(operators) == 1 else f"{operators[0]} … {operators[-1]}"
            return Loose(step.operands[0], step.operands[-1], step.operator_spans[0], operators[0], between)
        case Binary(operator=operator) if operator != "**":
            return Loose(step.left, step.right, step.operator_span, operator, operator)
        case Ternary():
            token = next(iter(Tokenizer(step.span.source.text, step.value.span.end)))
            between = f"if {brief(step.condition.span)} else"
            return Loose(step.value, step.otherwise, token.span(step.span.source), "if", between)
    return None


def _merged_first(flow: Flow, loose: Sequence[Loose | None]) -> str:
    """``conv -> (bn + id)``"""
    steps = [_in_group(mixed) if mixed else brief(step.span) for step, mixed in zip(flow.steps, loose, strict=True)]
    return f"`{' -> '.join(steps)}`"


def _in_group(mixed: Loose) -> str:
    """``(bn + id)``; the label of a conditional stands before it: ``n: (bn if c else id)``"""
    label, first = "", mixed.first
    if mixed.name == "if" and isinstance(first, Labelled):
        label, first = f"{brief(first.label.span)}: ", first.layer
    return f"{label}({brief(first.span)} {mixed.between} {brief(mixed.last.span)})"


def _flows_first(flow: Flow, loose: Sequence[Loose | None]) -> str:
    """``(conv -> bn) + id``"""
    text, steps = "", []
    for step, mixed in zip(flow.steps, loose, strict=True):
        if mixed is None:
            steps.append(brief(step.span))
            continue
        is_alone = not steps and mixed.name == "if" and isinstance(mixed.first, Labelled)
        steps.append(f"({brief(mixed.first.span)})" if is_alone else brief(mixed.first.span))
        text += f"{_flow(steps)} {mixed.between} "
        steps = [brief(mixed.last.span)]
    return f"`{text}{_flow(steps)}`"


def _flow(steps: list[str]) -> str:
    return f"({' -> '.join(steps)})" if len(steps) > 1 else steps[0]
