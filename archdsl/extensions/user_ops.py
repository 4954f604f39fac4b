"""Ops written outside archdsl, in Python: their base class, and how they are found.

A module of ops holds a list ``OPS`` of subclasses of ``UserOp``. It is named on the command line
(``--ops my_ops.py``), given to ``archdsl.load(..., ops=["my_ops.py"])``, or installed with an entry point of the group
``archdsl.ops`` for each op, whose name is the op's: then specs know the op without more ado. A spec itself never names
Python code.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError
from typing_extensions import override

from archdsl.base.wording import quoted
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError
from archdsl.extensions.user_answers import ANSWERS, checked
from archdsl.ops import ALL_OPS
from archdsl.ops.contract.base import Op, Tensors, Types
from archdsl.ops.contract.init import INITIALIZERS
from archdsl.ops.contract.shapes import TensorType
from archdsl.ops.facts.reading import Reads
from archdsl.ops.memory.tape import Tape, Tensor

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINTS = "archdsl.ops"
"""The group of entry points whose names are ops and whose objects are their classes."""

OpSource = str | os.PathLike[str] | ModuleType | type["UserOp"]
"""A Python file, a module or the name of one that can be imported, or a class."""


class UserOp(Op):
    """An op of one's own: an ``Op`` whose answers are checked.

    A subclass sets ``kind``, its name in specs, and declares its arguments as typed fields. ``infer`` gives the
    output's type, ``macs`` the multiply-accumulates and ``torch_call`` what computes it; ``parameters`` and ``buffers``
    name what the state_dict holds, in the order in which torch registers it.
    """

    is_user_op: ClassVar[bool] = True

    def __init__(self, **arguments: Any) -> None:
        """Raises pydantic's ValidationError, for a validator that fails otherwise as well."""
        try:
            super().__init__(**arguments)
        except ValidationError:
            raise
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            failed = PydanticCustomError("failed", "its code failed: {why}", {"why": why})
            details = InitErrorDetails(type=failed, loc=(), input=arguments)
            raise ValidationError.from_exception_data(self.kind, [details]) from error

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Whoever asks an op of one's own gets what ``Op`` promises, or OpError E702."""
        super().__init_subclass__(**kwargs)
        for name in ANSWERS.keys() & vars(cls).keys():
            if inspect.isfunction(method := vars(cls)[name]):
                setattr(cls, name, checked(name, method))

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads | None:
        """None, as nobody knows, unless a subclass says it with the rules of ``archdsl.ops.facts.reading``."""
        return None

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor | None:
        """None, as nobody knows; a subclass says it with the functions of ``archdsl.ops.memory.torch_memory``."""
        return None


class UserOps(Mapping[str, type[Op]]):
    """Ops of one's own by name: those that were given, and those that installed packages offer.

    Packages are asked only for names that nothing else defines, so that they cost nothing where none are used.
    """

    def __init__(self, sources: Iterable[OpSource] = ()) -> None:
        self._ops: dict[str, type[Op]] = {}
        self._missing: set[str] = set()
        self._installed: list[EntryPoint] | None = None
        for source in sources_of(sources):
            for op in _ops_of(source):
                self._add(op, _source_name(source))

    def __getitem__(self, name: str) -> type[Op]:
        if name not in self._ops:
            if name not in self._missing and not self._add_installed(name):
                self._missing.add(name)
            if name in self._missing:
                raise KeyError(name)
        return self._ops[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ops)

    def __len__(self) -> int:
        return len(self._ops)

    def _add(self, op: type[Op], shown: str) -> None:
        name = op.kind
        if name in ALL_OPS or name in INITIALIZERS or name == "id":
            raise _unusable(shown, f"its op `{name}` has the name of one of archdsl's own", "give it another `kind`")
        if self._ops.get(name, op) is not op:
            raise _unusable(shown, f"there is another op `{name}`", "give one of them another `kind`")
        self._ops[name] = op

    def _add_installed(self, name: str) -> bool:
        if self._installed is None:
            from importlib.metadata import entry_points

            self._installed = list(entry_points(group=ENTRY_POINTS))
        for found in (each for each in self._installed if each.name == name):
            shown = f"{found.value} (entry point `{name}`)"
            try:
                op = found.load()
            except Exception as error:
                raise _failed(shown, error) from error
            _check_class(op, shown)
            if op.kind != name:
                raise _unusable(shown, f"its op is named `{op.kind}`", "an entry point has the name of its op")
            self._add(op, shown)
            return True
        return False


def sources_of(ops: Iterable[OpSource]) -> tuple[OpSource, ...]:
    """The sources one by one, before any is imported. Raises ArchError E701 for what is no list."""
    if isinstance(ops, str | bytes | os.PathLike | type | ModuleType | Mapping) or not isinstance(ops, Iterable):
        raise _unusable(_source_name(ops), "`ops` is a list", 'write `ops=["my_ops.py"]`')
    return tuple(ops)


def _ops_of(source: OpSource) -> list[type[Op]]:
    if isinstance(source, type):
        _check_class(source, source.__name__)
        return [source]
    shown = _source_name(source)
    if isinstance(source, ModuleType):
        module = source
    elif isinstance(source, str | os.PathLike):
        module = _from_file(Path(source)) if shown.endswith(".py") else _imported(shown)
    else:
        raise _unusable(shown, "it is neither a Python file nor a module nor an op's class")
    found = getattr(module, "OPS", None)
    if not isinstance(found, list | tuple) or not found:
        raise _unusable(shown, "it has no list `OPS`", "list its ops: `OPS = [MyOp]`")
    for op in found:
        _check_class(op, shown)
    return list(found)


def _source_name(source: object) -> str:
    if isinstance(source, type | ModuleType):
        return source.__name__
    return os.fsdecode(source) if isinstance(source, str | os.PathLike) else f"{source!r}"


_OWN_NAMES = vars(Op).keys() | vars(UserOp).keys() | Op.__annotations__.keys()
_UNWRITTEN = (list, dict, set, frozenset)
"""Types of fields that no spec can fill: its lists come as tuples."""


def _check_class(op: object, shown: str) -> None:
    if not isinstance(op, type) or not issubclass(op, UserOp):
        raise _unusable(shown, f"{op!r} is no op", "an op is a subclass of `archdsl.UserOp`")
    if inspect.isabstract(op):
        missing = quoted(sorted(op.__abstractmethods__))
        raise _unusable(shown, f"its op {op.__name__} lacks {missing}")
    kind = getattr(op, "kind", None)
    if not isinstance(kind, str) or not kind.isidentifier():
        raise _unusable(shown, f"its op {op.__name__} has no name", 'set it: `kind = "my_op"`')
    arity = op.arity
    if arity is not None and (not isinstance(arity, int) or isinstance(arity, bool) or arity < 1):
        help_ = "`arity` is how many inputs it reads, or None for two or more"
        raise _unusable(shown, f"the arity of its op `{kind}` is {arity!r}", help_)
    for name in ANSWERS:
        if not callable(getattr(op, name, None)):
            raise _unusable(shown, f"`{name}` of its op `{kind}` is no method")
    try:
        op.model_rebuild()
    except Exception as error:
        raise _unusable(shown, f"the arguments of its op `{kind}` make no sense: {error}") from error
    _check_fields(op, shown)


def _check_fields(op: type[UserOp], shown: str) -> None:
    for name, field in op.model_fields.items():
        if name in _OWN_NAMES:
            raise _unusable(shown, f"the argument `{name}` of its op `{op.kind}` has the name of what every op has")
        pending: list[Any] = [] if field.metadata else [field.annotation]
        while pending:
            type_ = pending.pop()
            if (get_origin(type_) or type_) in _UNWRITTEN:
                help_ = "a spec's list is a tuple: `tuple[int, ...]`"
                raise _unusable(shown, f"the argument `{name}` of its op `{op.kind}` is a {type_}", help_)
            pending += get_args(type_)


def _from_file(path: Path) -> ModuleType:
    """The module that a file holds, importable by its stem from now on, as pickled models need it."""
    shown, name = str(path), path.stem
    if not path.is_file():
        raise ArchError(Diagnostic("E701", f"there is no file {shown}"))
    loaded = sys.modules.get(name)
    if loaded is not None and _is_at(getattr(loaded, "__file__", None), path):
        return loaded
    if not name.isidentifier() or loaded is not None or _is_taken(name, path):
        raise _unusable(shown, f"`{name}` cannot be its name as a module", "give the file a name that no module has")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)  # for the modules beside it, which targets of its ops may name
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise _failed(shown, error) from error
    return module


def _is_taken(name: str, path: Path) -> bool:
    found = importlib.util.find_spec(name)
    return found is not None and not _is_at(found.origin, path)


def _is_at(file: str | None, path: Path) -> bool:
    return file is not None and Path(file).resolve() == path.resolve()


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise _failed(name, error) from error


def _failed(shown: str, error: Exception) -> ArchError:
    what = f"{type(error).__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    places = [frame for frame in frames[1:] if "importlib" not in frame.filename]
    notes = (f"at {places[-1].filename}:{places[-1].lineno}",) if places else ()
    return ArchError(Diagnostic("E701", f"importing {shown} failed: {what}", notes=notes))


def _unusable(shown: str, why: str, help_: str = "") -> ArchError:
    return ArchError(Diagnostic("E701", f"{shown} cannot serve as ops: {why}", help=help_))
