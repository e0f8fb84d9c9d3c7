"""Failure documents to exceptions; imports nothing and evaluates nothing to do so."""

from __future__ import annotations

import builtins
import contextlib
from functools import lru_cache

from pypods.errors import HostCallError, PodCallError, ProtocolError

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Union

    RemoteError = Union[PodCallError, HostCallError]

__all__ = ["error_from_document"]

MAX_CHAIN = 64
#: The fixed table: the builtin exceptions of the host's own Python, by name. SystemExit and
#: KeyboardInterrupt, which would end the host rather than report a failure, are none of them.
_BUILTIN_ERRORS: dict[str, type[Exception]] = {
    name: cls
    for name, cls in vars(builtins).items()
    if isinstance(cls, type) and issubclass(cls, Exception) and cls.__name__ == name
}


_GROUPS: Any = getattr(builtins, "BaseExceptionGroup", ())


@lru_cache(maxsize=None)  # As many as there are names in the table above.
def _mirrored_class(root: Any, builtin: str) -> Any:
    """Return the class that is both the root and a builtin exception of that name."""
    base = _BUILTIN_ERRORS[builtin]
    if base is Exception:
        return root
    return type(base.__name__, (root, base), {"__module__": "pypods.errors"})


def error_from_document(
    document: dict[str, Any],
    *,
    pod_name: str,
    origin: str = "",
    root: Any = PodCallError,
    class_of: Any = None,
) -> Any:
    """Return the exception that a failure document describes, with its causes.

    ``origin`` says where it happened, for the note that carries the other side's own traceback;
    ``root`` is PodCallError for what a pod raised and HostCallError for what the host did;
    ``class_of`` returns the class that stands for one of the pod's. Raises ProtocolError for a
    document that is none.
    """
    return _build(document, pod_name, origin, MAX_CHAIN, root, class_of)


def mirrored_error_class(builtin: str) -> Any:
    """Return the class that is both PodCallError and a builtin exception of that name."""
    return _mirrored_class(PodCallError, builtin) if builtin in _BUILTIN_ERRORS else PodCallError


def _build(
    document: dict[str, Any], pod_name: str, origin: str, budget: int, root: Any, class_of: Any
) -> RemoteError:
    module, name = _text(document, "module"), _text(document, "type")
    text, traceback = _text(document, "text"), _text(document, "traceback")
    args = document.get("args")
    if not isinstance(args, list):
        raise ProtocolError("a failure's args are no list")
    children = [
        _build(child, pod_name, "", budget // 2, root, class_of)
        for child in _documents(document, "exceptions")
        if budget > 1
    ]
    builtin = _text(document, "builtin")
    cls: Any = _mirrored_class(root, builtin) if builtin in _BUILTIN_ERRORS else root
    own = document.get("class")
    if own is not None and class_of is not None:
        found = class_of(own)
        cls = found if isinstance(found, type) and issubclass(found, root) else cls
    error = _instance(root, cls, args, children)
    attributes = document.get("attributes", {})
    if type(attributes) is not dict:
        raise ProtocolError("a failure's attributes are no document")
    for attribute, value in attributes.items():
        if attribute.isidentifier() and _may_be_set(cls, attribute):
            with contextlib.suppress(AttributeError, TypeError, ValueError):
                setattr(error, attribute, value)
    error.pod_name = pod_name
    error.type_name = name if module == "builtins" else f"{module}.{name}"
    error.remote_traceback = traceback
    error.text = text
    notes = document.get("notes") or []
    if not isinstance(notes, list):
        raise ProtocolError("a failure's notes are no list")
    for note in notes:
        _add_note(error, str(note))
    if origin:
        _add_note(error, f"Raised in {origin}:\n{traceback.rstrip()}")
    if budget > 1:
        for attribute in ("cause", "context"):
            linked = document.get(attribute)
            if isinstance(linked, dict):
                setattr(
                    error,
                    f"__{attribute}__",
                    _build(linked, pod_name, "", budget - 1, root, class_of),
                )
    if document.get("context") == "cause":
        error.__context__ = error.__cause__
    error.__suppress_context__ = document.get("suppress_context") is True
    return error


def _may_be_set(cls: type, attribute: str) -> bool:
    """Whether an attribute is the exception's own, and no method of every exception."""
    if attribute.startswith("_"):
        return False
    member = getattr(cls, attribute, None)
    return member is None or hasattr(type(member), "__set__")


def _add_note(error: BaseException, note: str) -> None:
    """Add a note, also on a Python whose tracebacks do not show them yet."""
    if hasattr(error, "add_note"):
        error.add_note(note)
    else:
        error.__notes__ = [*getattr(error, "__notes__", ()), note]


def _instance(root: Any, cls: Any, args: list[Any], children: list[RemoteError]) -> RemoteError:
    error: RemoteError
    if children and issubclass(cls, _GROUPS) and args and isinstance(args[0], str):
        error = cls(args[0], children)
        return error
    try:
        error = cls(*args)
        str(error)
    except Exception:  # noqa: BLE001 - a builtin that wants other arguments, and checks them
        if issubclass(cls, _GROUPS):
            cls = root  # There is no group of none.
        error = cls.__new__(cls)
    error.args = tuple(args)
    return error


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str):
        raise ProtocolError(f"a failure's {name} is no text")
    return value


def _documents(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = document.get(name) or []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ProtocolError(f"a failure's {name} are no documents")
    return value
