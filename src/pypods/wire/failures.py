"""Exceptions to documents; nothing of how they travel."""

from __future__ import annotations

import builtins

from pypods.errors import ValueTransferError
from pypods.wire.context import current
from pypods.wire.documents import encode_field

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["check_crosses", "describe_failure", "nearest_builtin", "shortened_failure"]

#: Causes of causes: a longer chain is cut, and so is a failure of more exceptions in all.
MAX_CHAIN = 32
MAX_EXCEPTIONS = 128
MAX_ATTRIBUTES = 100
MAX_TEXT_CHARACTERS = 1_000_000
_PYPODS = __file__.rpartition("wire")[0]
#: Frames of pypods itself, and of the import system on its way to pod.py.
_NOT_THE_USERS = (_PYPODS + "wire", _PYPODS + "worker", _PYPODS + "pods", "<frozen importlib")


def describe_failure(error: BaseException, about: Any = None) -> dict[str, Any]:
    """Return an exception as a document of values that can cross.

    An argument or attribute that cannot cross is replaced by its ``repr``. ``about`` returns what
    is to be said of an exception's class; without it nothing is said of attributes either.
    """
    return _describe(error, set(), [MAX_EXCEPTIONS], about)


def shortened_failure(failure: dict[str, Any], max_bytes: int) -> dict[str, Any]:
    """Return a failure without its chain, and with texts that take at most that many bytes."""
    characters = max_bytes // 16
    text = failure["text"][:characters]
    return {
        **failure,
        "args": [text],
        "attributes": {},
        "text": text,
        "traceback": failure["traceback"][-characters:],
        "notes": [],
        "cause": None,
        "context": None,
        "exceptions": [],
    }


def _describe(error: BaseException, outer: set[int], room: list[int], about: Any) -> dict[str, Any]:
    """Return one exception and those it is linked with; ``room`` is how many more there may be."""
    seen = outer | {id(error)}
    cls = type(error)

    def linked(other: Any) -> Any:
        if not isinstance(other, BaseException) or id(other) in seen:
            return None
        room[0] -= 1
        if room[0] < 1 or len(seen) >= MAX_CHAIN:
            return None
        return _describe(other, seen, room, about)

    exceptions = getattr(error, "exceptions", None)
    # "raise … from exc" makes one exception both: described twice, a chain would be exponential.
    same = error.__cause__ is not None and error.__context__ is error.__cause__
    return {
        "module": str(cls.__module__),
        "type": str(cls.__qualname__),
        "builtin": nearest_builtin(cls),
        "args": [_sendable(arg) for arg in error.args],
        "text": _text(str, error),
        "traceback": _printed(error, chain=not outer),
        "notes": [_text(str, note) for note in _notes(error)],
        "cause": linked(error.__cause__),
        "context": "cause" if same else linked(error.__context__),
        "suppress_context": bool(error.__suppress_context__),
        "class": None if about is None or _is_builtin(cls) else about(error),
        "attributes": {} if about is None else _attributes(error),
        "exceptions": [
            described
            for described in map(linked, exceptions if isinstance(exceptions, tuple) else ())
            if described is not None
        ],
    }


def _is_builtin(cls: type) -> bool:
    return vars(builtins).get(cls.__name__) is cls


def _attributes(error: BaseException) -> dict[str, Any]:
    """Return what an exception has besides what every one has: a driver's codes and messages."""
    names = list(getattr(error, "__dict__", ()))
    if isinstance(error, ImportError):
        names += ["name", "path"]  # Which module it was: not among the arguments.
    for cls in type(error).__mro__:
        if _is_builtin(cls):
            break
        names += [
            name
            for name, member in vars(cls).items()
            if hasattr(type(member), "__set__") or isinstance(member, property)
        ]
    found: dict[str, Any] = {}
    for name in dict.fromkeys(names):
        if name.startswith("_") or len(found) >= MAX_ATTRIBUTES:
            continue
        try:
            found[name] = _sendable(getattr(error, name))
        except Exception:  # noqa: BLE001 - the pod's own property, which may raise anything
            continue
    return found


def _notes(error: BaseException) -> list[Any]:
    notes = getattr(error, "__notes__", ())
    return list(notes) if isinstance(notes, (list, tuple)) else []


def nearest_builtin(cls: type) -> str:
    """Return the name of the first builtin class among the exception's own and its bases."""
    builtin: str = next(
        base.__name__ for base in cls.__mro__ if vars(builtins).get(base.__name__) is base
    )
    return builtin


def _sendable(value: Any) -> Any:
    try:
        check_crosses(value)
    except ValueTransferError:
        return _text(repr, value)
    return value


def check_crosses(value: Any) -> None:
    """Raise ValueTransferError for what cannot be sent; nothing is lent to find out."""
    refer, export = current.refer, current.export
    if refer is not None:
        current.refer, current.export = _refer_to_nothing, None
    try:
        encode_field("value", value)
    finally:
        current.refer, current.export = refer, export


def _refer_to_nothing(value: Any) -> Any:
    return None if type(value).__name__ == "coroutine" else (b"O", {})


def _text(render: Any, value: Any) -> str:
    try:
        text = str(render(value))
    except Exception as exc:  # noqa: BLE001 - the pod's own __str__ or __repr__ may raise anything.
        return f"<{type(value).__name__} whose {render.__name__}() raised {type(exc).__name__}>"
    return text if len(text) <= MAX_TEXT_CHARACTERS else text[:MAX_TEXT_CHARACTERS] + "…"


def _printed(error: BaseException, *, chain: bool) -> str:
    """Return the traceback as Python prints it, from the user's first own frame on."""
    import traceback

    try:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_NOT_THE_USERS):
            trace = trace.tb_next
        text = "".join(traceback.format_exception(type(error), error, trace, chain=chain))
    except Exception as exc:  # noqa: BLE001 - a __str__ that raises, a source file in a broken encoding.
        text = f"{type(error).__qualname__} (its traceback cannot be printed: {exc!r})"
    return text if len(text) <= MAX_TEXT_CHARACTERS else text[-MAX_TEXT_CHARACTERS:]
