"""A plain function as what is sent of it: its source, and the constants it uses; runs nothing.

Whatever else a function uses from around it (a module imported above it, a function beside it, an
open connection) would not be there in a pod, and is refused by name.
"""

from __future__ import annotations
import __future__

import builtins
import dis
import inspect
import tokenize
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pypods.errors import ValueTransferError
from pypods.wire.documents import encode_document
from pypods.wire.messages import Define
from pypods.worker.definitions import compile_definition, read_definition

__all__ = ["FunctionSource", "read_function"]

# Values that nobody can change: a copy of one is as good as the one. By module and name, so that
# none of these modules is imported to look.
_CONSTANT_TYPES = {
    *("builtins." + name for name in ["NoneType", "bool", "int", "float"]),
    *("builtins." + name for name in ["complex", "str", "bytes", "range", "ellipsis"]),
    *("datetime.date", "datetime.datetime", "datetime.time"),
    *("datetime.timedelta", "decimal.Decimal", "fractions.Fraction", "uuid.UUID"),
    *("pathlib." + name for name in ("PosixPath", "PurePosixPath", "PureWindowsPath")),
    *("pathlib._local." + name for name in ("PosixPath", "PurePosixPath", "PureWindowsPath")),
}
_FROZEN_CONTAINERS = (tuple, frozenset)
# Of a default there is one, which the pod has from then on.
_CONTAINERS = (tuple, frozenset, list, set, dict)
_GIVEN_BY_THE_POD = {"__name__", "__file__", "__builtins__", "__annotations__"}
_FUTURE = __future__.annotations.compiler_flag


@dataclass(frozen=True)
class FunctionSource:
    """What is sent of a function, but for the values of the constants it uses."""

    function: types.FunctionType
    #: Under which name, among all functions of the pod.
    wire_name: str
    file: str
    line: int
    source: str
    #: The names it uses from around it, and neither from itself nor from Python.
    names: tuple[str, ...]

    def constants(self) -> dict[str, Any]:
        """Return the constants that it uses, as they are now.

        Raises ValueTransferError for what is none, naming it.
        """
        return {name: _constant(self.function, name) for name in self.names}

    def define(self, constants: dict[str, Any]) -> Define:
        """Return the message that makes it known to a pod. Raises ValueTransferError."""
        function = self.function
        values = {
            "globals": constants,
            "defaults": function.__defaults__,
            "kwdefaults": function.__kwdefaults__,
        }
        try:
            encoded = encode_document(values)
        except ValueTransferError as exc:
            raise _refusal(function, f"{exc.place} cannot be sent: {exc.reason}") from exc
        return Define(
            name=self.wire_name,
            file=self.file,
            line=self.line,
            source=self.source,
            future=function.__code__.co_flags & _FUTURE,
            values=encoded,
        )


def read_function(function: Any, wire_name: str) -> FunctionSource:
    """Return what is sent of a function. Raises ValueTransferError where that cannot be all."""
    _check_kind(function)
    file = function.__code__.co_filename
    try:
        lines, line = inspect.getsourcelines(function)
    except (SyntaxError, tokenize.TokenError) as exc:
        raise _changed(function, file) from exc
    except (OSError, IndexError) as exc:
        raise _refusal(
            function,
            f"its source cannot be read from {file}; write it into a file "
            "(notebooks and IPython do; Python's own prompt before 3.13 keeps no source)",
        ) from exc
    source = "".join(lines)
    future = function.__code__.co_flags & _FUTURE
    try:
        definition = read_definition(source, file, line)
        code = compile_definition(definition, file, future)
    except SyntaxError as exc:
        if "nonlocal" in str(exc.msg):
            raise _refusal(
                function, f"it assigns a variable of the function around it ({exc.msg}); return it"
            ) from exc
        raise _changed(function, file) from exc
    (inner,) = (each for each in code.co_consts if isinstance(each, types.CodeType))
    if not _is_same(function, inner):
        raise _changed(function, file)
    used, assigned = _outer_names(inner)
    if assigned:
        raise _refusal(
            function,
            f'it assigns the global "{assigned[0]}", which would change in the pod alone; '
            "return the value",
        )
    names = tuple(name for name in used if _comes_from_around(function, name))
    found = FunctionSource(function, wire_name, file, line, source, names)
    for name, default in _defaults(function):
        if not _is_constant(default, _CONTAINERS):
            raise _refusal(
                function,
                f'the default of "{name}" is {_shown(default)}, which cannot be sent; '
                "take None and make it inside the function",
            )
    found.define(found.constants())
    return found


def _check_kind(function: Any) -> None:
    """Raise ValueTransferError for what is no function with a source of its own."""
    if isinstance(function, type):
        raise _refusal(function, "it is a class; isolate a function that uses it")
    if isinstance(function, (staticmethod, classmethod, property, types.MethodType)):
        raise _refusal(function, "it is a method; isolate a function outside the class")
    if not isinstance(function, types.FunctionType):
        raise _refusal(
            function,
            f"it is {_shown(function)}, no plain function; where that is another decorator's "
            "doing, write that decorator above isolated",
        )
    if hasattr(function, "__wrapped__") or function.__name__ != function.__code__.co_name:
        raise _refusal(
            function, "another decorator has wrapped it; write that decorator above isolated"
        )
    if function.__name__ == "<lambda>":
        raise _refusal(function, "it is a lambda; write it as a def")
    outer = function.__qualname__.split(".")[:-1]
    if outer and outer[-1] != "<locals>":
        raise _refusal(function, "it is a method; isolate a function outside the class")


def _is_same(function: types.FunctionType, code: types.CodeType) -> bool:
    """Whether a source that was read is this function's; its body may be a test tool's own."""
    ours = function.__code__
    count = ours.co_argcount + ours.co_kwonlyargcount
    return (
        ours.co_name == code.co_name
        and ours.co_argcount == code.co_argcount
        and ours.co_posonlyargcount == code.co_posonlyargcount
        and ours.co_kwonlyargcount == code.co_kwonlyargcount
        and ours.co_varnames[:count] == code.co_varnames[:count]
    )


# --- what it uses -------------------------------------------------------------------------------


def _outer_names(code: types.CodeType) -> tuple[list[str], list[str]]:
    """Return the names that a function takes from its module, and those it assigns there."""
    used: dict[str, None] = {}
    assigned: dict[str, None] = {}
    for each in _all_code(code):
        own: set[str] = set()
        for step in dis.get_instructions(each):
            if step.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
                assigned[step.argval] = None
            elif step.opname == "STORE_NAME":  # In a class's body.
                own.add(step.argval)
            elif step.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS") and (
                step.opname == "LOAD_GLOBAL" or step.argval not in own
            ):
                used[step.argval] = None
    return list(used), list(assigned)


def _all_code(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _all_code(constant)


def _comes_from_around(function: types.FunctionType, name: str) -> bool:
    if name == function.__name__ or name in _GIVEN_BY_THE_POD:
        return False
    is_builtin = hasattr(builtins, name)
    return not is_builtin or name in function.__globals__ or name in function.__code__.co_freevars


def _constant(function: types.FunctionType, name: str) -> Any:
    """Return the constant that a name stands for around a function."""
    value = _find(function, name)
    if _is_constant(value, _FROZEN_CONTAINERS):
        return value
    if isinstance(value, types.ModuleType):
        raise _refusal(function, f'it uses the module "{name}"; import it inside the function')
    if isinstance(value, type):
        advice = "import or define it inside the function"
    elif callable(value):
        advice = "define it inside the function, or pass it as an argument"
    elif isinstance(value, (list, set, dict, bytearray)):
        advice = "pass it as an argument: a copy would not follow its changes"
    else:
        advice = "pass it as an argument, or make it inside the function"
    raise _refusal(function, f'it uses "{name}" ({_shown(value)}), which cannot be sent; {advice}')


def _find(function: types.FunctionType, name: str) -> Any:
    free = function.__code__.co_freevars
    if name in free:
        assert function.__closure__ is not None  # It has a cell for each.
        try:
            return function.__closure__[free.index(name)].cell_contents
        except ValueError:
            pass  # Nothing is in it yet.
    elif name in function.__globals__:
        return function.__globals__[name]
    raise _refusal(
        function, f'it uses "{name}", which is not there yet; import or define it inside'
    )


def _is_constant(value: Any, containers: tuple[type, ...]) -> bool:
    cls = type(value)
    if cls in containers:
        items: Iterable[Any] = [*value, *value.values()] if cls is dict else value
        return all(_is_constant(each, containers) for each in items)
    return f"{cls.__module__}.{cls.__qualname__}" in _CONSTANT_TYPES


def _defaults(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    code = function.__code__
    given = function.__defaults__ or ()
    yield from zip(code.co_varnames[code.co_argcount - len(given) :], given, strict=False)
    yield from (function.__kwdefaults__ or {}).items()


def _refusal(function: Any, reason: str) -> ValueTransferError:
    name = getattr(function, "__qualname__", None) or type(function).__name__
    return ValueTransferError(reason, f"isolated function {name}")


def _changed(function: Any, file: str) -> ValueTransferError:
    return _refusal(function, f"its source in {file} has changed; start the program again")


def _shown(value: Any) -> str:
    cls = type(value)
    name = cls.__qualname__
    return f"a {name}" if cls.__module__ == "builtins" else f"a {cls.__module__}.{name}"
