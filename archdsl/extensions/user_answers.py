"""What ops of one's own answer, held to what an ``Op`` promises: nothing behind them has to look again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from math import isfinite, prod
from types import TracebackType
from typing import Any, get_args

from archdsl.diagnostics.codes import ErrorCode
from archdsl.ops.contract.base import Op, OpError, ParameterSpec, Types
from archdsl.ops.contract.init import Initializer, needs_fan
from archdsl.ops.contract.shapes import Layout, TensorType, format_sizes
from archdsl.ops.contract.torch_call import FoldCall, FunctionCall, Input, ModuleCall, OwnParameter, TorchCall, parts
from archdsl.ops.facts.reading import AxisRule, PerAxis, PerOperand, Picked, Prepended, Reads, Rearranged, Window
from archdsl.ops.memory.tape import Storage, Tensor

_LIBRARIES = ("nn", "F", "torch", "operator", "layers")

Complaints = Iterator[str]
"""What is wrong with an answer, as the end of a sentence: "gave 1.5, which is no count"."""


def checked(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, whose answers keep the word of ``Op.<name>``.

    Raises OpError E702 where they do not and where the method fails; what it raises itself goes through.
    """
    complaints = ANSWERS[name]

    @wraps(method)
    def answered(op: Op, *given: Any) -> Any:
        try:
            answer = method(op, *given)
            complaint = next(complaints(op, answer, *given), "")
        except OpError as error:
            complaint = next(_of_refusal(op, error, given[0]), "")
            if not complaint:
                raise
        except Exception as error:
            message = f"the code of `{op.kind}` failed: {type(error).__name__}: {error}"
            raise OpError("E702", message.removesuffix(": "), help=_place(error.__traceback__, method)) from error
        if complaint:
            raise OpError("E702", f"`{name}` of `{op.kind}` {complaint}")
        return answer

    return answered


def _place(traceback: TracebackType | None, method: Callable[..., Any]) -> str:
    """The line of Python that failed; where the method begins if it could not be called at all."""
    frames = []
    while traceback is not None:
        frames.append((traceback.tb_frame.f_code.co_filename, traceback.tb_lineno))
        traceback = traceback.tb_next
    foreign = [frame for frame in frames if frame[0] != __file__]
    file, line = foreign[-1] if foreign else (method.__code__.co_filename, method.__code__.co_firstlineno)
    return f"it happened at {file}:{line}"


def _of_refusal(op: Op, error: OpError, inputs: Types) -> Complaints:
    if error.code not in get_args(ErrorCode):
        yield f"raised OpError with the code {error.code!r}, which is none of archdsl's"
    if not isinstance(error.message, str) or not isinstance(error.help, str):
        yield f"raised OpError with {error.message!r} and the help {error.help!r}, which are no texts"
    if error.operand is not None and error.operand not in range(len(inputs)):
        yield f"raised OpError for operand {error.operand!r}, but reads {len(inputs)}"
    if error.argument is not None and error.argument not in type(op).model_fields:
        yield f"raised OpError for the argument {error.argument!r}, which it does not take"


# ---- shapes and costs ----------------------------------------------------------------------------


def _of_infer(op: Op, answer: object, inputs: Types) -> Complaints:
    for name, value in op.arguments().items():
        if not _is_argument(value):
            yield f"cannot be asked: the argument `{name}` is {value!r}, which no spec can write"
    if not isinstance(answer, TensorType):
        yield f"gave {answer!r}, which is no TensorType"
    elif not _are_sizes(answer.sizes):
        yield f"gave the sizes {answer.sizes!r}, which are no tuple of whole numbers"
    elif answer.layout not in get_args(Layout):
        yield f"gave the layout {answer.layout!r}; there are {_named(get_args(Layout))}"
    elif answer.layout != "free" and len(answer.layout) != len(answer.sizes):
        yield f"gave the sizes {answer.sizes}, which are not the {len(answer.layout)} of the layout `{answer.layout}`"


def _is_argument(value: object) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_argument, value))
    if isinstance(value, float):
        return isfinite(value)
    return value is None or isinstance(value, int | str | Initializer)


def _of_macs(op: Op, answer: object, inputs: Types, output: TensorType) -> Complaints:
    if not _is_whole(answer, 0):
        yield f"gave {answer!r}, which is no count"


def _of_specs(op: Op, answer: object, inputs: Types) -> Complaints:
    if not isinstance(answer, Mapping):
        yield f"gave {answer!r}, which does not map names to ParameterSpecs"
        return
    for name, spec in answer.items():
        shown = f"`{name}`" if name else '""'
        if not isinstance(name, str) or (name and not all(name.split("."))):
            yield f"gave {name!r}, which is no name"
        if not name and len(answer) > 1:
            yield 'gave the name "", which is that of an op\'s one parameter, beside others'
        if not isinstance(spec, ParameterSpec):
            yield f"gave {spec!r} for {shown}, which is no ParameterSpec"
        elif not _are_sizes(spec.shape, 1):
            yield f"gave {shown} the shape {spec.shape!r}, which is no tuple of sizes"
        elif spec.init is not None and not isinstance(spec.init, Initializer):
            yield f"gave {shown} the start {spec.init!r}, which is no initialiser such as `Constant(value=0.0)`"
        elif needs_fan(spec.init) and len(spec.shape) < 2:
            shape = format_sizes(spec.shape) or "()"
            yield f"gave {shown} of shape {shape} a start that needs two axes or more; `Normal` or `Uniform` does not"
        elif not isinstance(spec.dtype, str):
            yield f"gave {shown} the dtype {spec.dtype!r}; write it as a text, such as 'float32'"


def _of_buffers(op: Op, answer: object, inputs: Types) -> Complaints:
    yield from _of_specs(op, answer, inputs)
    assert isinstance(answer, Mapping)
    for name in answer.keys() & op.parameters(inputs).keys():
        yield f"gave {name!r}, which is a parameter as well"


def _are_sizes(value: object, least: int | None = None) -> bool:
    return isinstance(value, tuple) and all(_is_whole(size, least) for size in value)


def _is_whole(value: object, least: int | None = None) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and (least is None or value >= least)


# ---- analysis ------------------------------------------------------------------------------------


def _of_reads(op: Op, answer: object, inputs: Types, output: TensorType) -> Complaints:
    if answer is None:
        return
    if not isinstance(answer, Reads):
        yield f"gave {answer!r}, which is no rule of archdsl.ops.facts.reading"
    elif isinstance(answer, PerOperand):
        if len(answer.operands) != len(inputs):
            yield f"gave {len(answer.operands)} rules for {len(inputs)} inputs"
        for rule, type_ in zip(answer.operands, inputs, strict=False):
            if rule is not None:
                yield from _of_axes(rule, type_, output)
    else:
        for type_ in inputs:
            yield from _of_rule(answer, type_, output)


def _of_rule(rule: Reads, given: TensorType, output: TensorType) -> Complaints:
    rank = len(given.sizes)
    match rule:
        case PerAxis():
            yield from _of_axes(rule, given, output)
        case Rearranged(split, axes):
            if not _are_sizes(split, 1) or prod(split) != given.elements or given.elements != output.elements:
                yield f"gave the sizes {split!r} for the elements of {given} and {output}"
            elif sorted(axes) != [*range(len(split))]:
                yield f"gave the axes {axes!r}, which are no order of {len(split)}"
        case Picked(axis, position):
            if axis not in range(rank) or position not in range(given.sizes[axis]) or len(output.sizes) != rank - 1:
                yield f"gave position {position!r} of axis {axis!r}, which {output} is not made of {given} by"
        case Prepended(axis, count):
            if axis not in range(rank) or output.sizes != _prepended(given.sizes, axis, count):
                yield f"gave {count!r} positions before axis {axis!r}, which make {given} no {output}"


def _prepended(sizes: tuple[int, ...], axis: int, count: int) -> tuple[int, ...]:
    return tuple([size + count * (place == axis) for place, size in enumerate(sizes)])


def _of_axes(rule: object, given: TensorType, output: TensorType) -> Complaints:
    if not isinstance(rule, PerAxis) or not all(isinstance(axis, AxisRule) for axis in rule.rules):
        yield f"gave {rule!r}, which is no rule for each axis"
    elif not len(rule.rules) == len(given.sizes) == len(output.sizes):
        yield f"gave rules for {len(rule.rules)} axes, but makes {output} of {given}"
    else:
        for each in rule.rules:
            if isinstance(each, Window) and not _are_sizes((each.kernel, each.stride, each.dilation), 1):
                yield f"gave {each!r}, which is no window"
        for axis, (each, size, made) in enumerate(zip(rule.rules, given.sizes, output.sizes, strict=True)):
            read = {position for place in (0, made - 1) for position in each.positions(min(place, size - 1), size)}
            beyond = read - {*range(size)}
            if beyond:
                yield f"gave {each!r} for axis {axis}, which reads position {min(beyond)} of {size}"
            each.line(size)


def _of_memory(op: Op, answer: object, inputs: Types, tensors: tuple[Tensor, ...], tape: object) -> Complaints:
    if answer is None:
        return
    wanted = (tensors[0].sizes[0], *op.infer(inputs).sizes)
    if not isinstance(answer, Tensor) or not isinstance(answer.storage, Storage):
        yield f"gave {answer!r}, which is no Tensor of the tape"
    elif answer.sizes != wanted or len(answer.strides) != len(wanted):
        yield f"gave a tensor of the sizes {answer.sizes!r}, not {wanted}"


# ---- calls ---------------------------------------------------------------------------------------


def _of_torch_call(op: Op, answer: object, inputs: Types) -> Complaints:
    if not isinstance(answer, TorchCall):
        yield f"gave {answer!r}, which is no ModuleCall or FunctionCall"
        return
    yield from _of_target(answer, answer.target)
    if isinstance(answer, ModuleCall):
        yield from _of_arguments(answer, inputs, is_module=True)
        return
    if isinstance(answer, FunctionCall):
        yield from _of_function(answer, inputs)
    elif len(inputs) < 2:
        yield f"gave {answer!r}, which is for two inputs or more"
    yield from _of_state(op, answer, inputs)


def _of_function(call: FunctionCall, inputs: Types) -> Complaints:
    yield from _of_arguments(call, inputs, is_module=False)
    for part in parts(call):
        if isinstance(part, FunctionCall) and part is not call:
            yield from _of_target(part, part.target)
            yield from _of_arguments(part, inputs, is_module=False)
        if isinstance(part, FunctionCall) and part.target.startswith("Tensor.") and not part.args:
            yield f"gave `{part.target}` without the tensor, which stands first: `(X,)`"


def _of_target(call: TorchCall, target: object) -> Complaints:
    library, colon, name = target.partition(":") if isinstance(target, str) else ("", "", "")
    if not colon:
        library, _, name = library.partition(".")
        known = (*_LIBRARIES, "Tensor") if isinstance(call, FunctionCall) else _LIBRARIES
        is_known = library in known and all(part.isidentifier() for part in name.split("."))
    else:
        is_known = name.isidentifier() and all(part.isidentifier() for part in library.split("."))
    if not is_known:
        kind = "nn.ReLU" if isinstance(call, ModuleCall) else "torch.relu"
        yield f"gave the target {target!r}; write it as `{kind}`, or as `my_module:name` for code of your own"


def _of_arguments(call: ModuleCall | FunctionCall, inputs: Types, *, is_module: bool) -> Complaints:
    has_names = isinstance(call.kwargs, Mapping) and all(isinstance(name, str) for name in call.kwargs)
    if not isinstance(call.args, tuple) or not has_names:
        yield f"gave `{call.target}` the arguments {call.args!r} and {call.kwargs!r}; write `(a, b), {{'name': c}}`"
        return
    for part in (inner for each in (*call.args, *call.kwargs.values()) for inner in parts(each)):
        if is_module and isinstance(part, Input | OwnParameter | TorchCall):
            yield f"gave `{call.target}` the argument {part!r}: a module is called with the op's inputs in order"
        elif isinstance(part, Input) and part.index not in range(len(inputs)):
            yield f"gave `{call.target}` Input({part.index!r}), but the op has {len(inputs)} inputs, counted from 0"
        elif isinstance(part, ModuleCall | FoldCall):
            yield f"gave `{call.target}` the argument {part!r}: only a FunctionCall may stand in another"
        elif not _is_literal(part):
            yield f"gave `{call.target}` the argument {part!r}, which is no finite number, text, list or the like"


_LITERALS = (int, str, list, tuple, Input, OwnParameter, FunctionCall)


def _is_literal(value: object) -> bool:
    """Whether a Python file can hold it; lists and tuples are taken apart already."""
    if isinstance(value, slice):
        return all(bound is None or _is_whole(bound) for bound in (value.start, value.stop, value.step))
    if isinstance(value, Mapping):
        inner = [part for each in (*value.keys(), *value.values()) for part in parts(each)]
        return all(_is_literal(part) and not isinstance(part, FunctionCall | Input | OwnParameter) for part in inner)
    if isinstance(value, float):
        return isfinite(value)
    if type(value).__module__ == "torch":
        return repr(value).startswith("torch.")  # a dtype or memory format
    return value is None or value is ... or isinstance(value, _LITERALS)


def _of_state(op: Op, call: FunctionCall | FoldCall, inputs: Types) -> Complaints:
    """A function has no place for state but one parameter, at the op's own path."""
    parameters, buffers = [*op.parameters(inputs)], [*op.buffers(inputs)]
    reads_own = any(isinstance(part, OwnParameter) for part in parts(call))
    if reads_own and not parameters:
        yield "gave OwnParameter(), but the op has no parameter"
    elif buffers or len(parameters) > 1:
        yield f"gave a function, but the op holds {_named([*parameters, *buffers])}: that needs a ModuleCall"
    elif parameters and parameters != [""]:
        yield f'gave a function, whose parameter has the op\'s own path: name it "", not {_named(parameters)}'
    elif parameters and op.parameters(inputs)[""].init is None:
        yield "gave a function, which has no start for its parameter: write `ParameterSpec(shape, Constant(value=0.0))`"
    elif parameters and not reads_own:
        yield "gave a function that does not read the op's parameter: pass it as OwnParameter()"


def _named(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" if name else '""' for name in names)


ANSWERS: dict[str, Callable[..., Complaints]] = {
    "infer": _of_infer,
    "macs": _of_macs,
    "input_gradient_macs": _of_macs,
    "parameters": _of_specs,
    "buffers": _of_buffers,
    "constants": _of_specs,
    "reads": _of_reads,
    "memory": _of_memory,
    "torch_call": _of_torch_call,
}
"""The methods of an op that are asked, and what may be wrong with their answers."""
