"""Every message as a frozen dataclass, to a document and back; no bytes here.

The hot paths of both sides write and read calls and results without these classes; the tests hold
them to what is written here. ``docs/protocol.md`` shows each message with its bytes.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, ClassVar, Union

from pypods.errors import ProtocolError

__all__ = [
    "Answer",
    "Call",
    "Callback",
    "Cancel",
    "Close",
    "Define",
    "Describe",
    "Drop",
    "Failure",
    "Forget",
    "Hello",
    "Log",
    "Map",
    "Message",
    "More",
    "Part",
    "Pull",
    "Ready",
    "Release",
    "Result",
    "message_from_document",
    "message_to_document",
]


@dataclass(frozen=True)
class Hello:
    """The worker's first frame: who it is, before any of the pod's code ran."""

    kind: ClassVar[str] = "hello"
    protocol: int
    python: str
    implementation: str
    pid: int
    platform: str
    #: Whether it takes and gives blocks of the memory that the host shared with it.
    shared: bool = False
    #: Whether it can look into memory that the host shares with another pod.
    foreign: bool = False


@dataclass(frozen=True)
class Ready:
    """``pod.py`` is imported; the names of the functions it offers."""

    kind: ClassVar[str] = "ready"
    functions: list[str]
    #: What else it offers: modules, classes, constants.
    names: list[str] = dataclasses.field(default_factory=list)


@dataclass(frozen=True)
class Log:
    """A record of the pod's ``logging``; ``created`` in seconds since 1970."""

    kind: ClassVar[str] = "log"
    logger: str
    level: int
    message: str
    created: float
    path: str = ""
    line: int = 0
    function: str = ""


@dataclass(frozen=True)
class Call:
    """Call a function; answered by one Result or Failure of the same id."""

    kind: ClassVar[str] = "call"
    id: int
    name: str
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Describe:
    """Ask for signatures and docstrings: of one function, or of all where ``name`` is None."""

    kind: ClassVar[str] = "describe"
    id: int
    name: str | None = None


@dataclass(frozen=True)
class Cancel:
    """Interrupt the call of this id, if it still runs; has no answer of its own."""

    kind: ClassVar[str] = "cancel"
    id: int


@dataclass(frozen=True)
class Map:
    """Call a function once for each of ``calls``, which are its arguments.

    Answered by a Result with ``items`` (the results before the first failure) and ``error``.
    """

    kind: ClassVar[str] = "map"
    id: int
    name: str
    calls: list[Any]


@dataclass(frozen=True)
class More:
    """Ask a generator for its next items, at most so many.

    Answered by a Result with ``items``, ``done``, and ``error`` where one ended it.
    """

    kind: ClassVar[str] = "more"
    id: int
    stream: int
    items: int


@dataclass(frozen=True)
class Close:
    """Close a generator. Without an id nobody waits for it, and there is no answer."""

    kind: ClassVar[str] = "close"
    stream: int
    id: int | None = None


@dataclass(frozen=True)
class Callback:
    """In call ``id``: call the host's function of that number; answered by an Answer."""

    kind: ClassVar[str] = "callback"
    id: int
    ask: int
    number: int
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Pull:
    """In call ``id``: take items, at most so many, from an iterator passed to call ``owner``.

    Answered by an Answer whose value has ``items``, ``done``, and ``error`` where one ended it.
    """

    kind: ClassVar[str] = "pull"
    id: int
    ask: int
    owner: int
    index: int
    items: int


@dataclass(frozen=True)
class Answer:
    """What a Callback or a Pull gave, or the error that it raised."""

    kind: ClassVar[str] = "answer"
    id: int
    ask: int
    value: Any = None
    error: dict[str, Any] | None = None


@dataclass(frozen=True)
class Define:
    """A function for calls by this name from now on, as its source; has no answer of its own."""

    kind: ClassVar[str] = "define"
    name: str
    file: str
    #: Where in the file the source begins, from 1.
    line: int
    source: str
    #: The compiler's flags for what the file imports from ``__future__``.
    future: int
    #: An encoded document: ``globals``, ``defaults``, ``kwdefaults``.
    values: bytes


@dataclass(frozen=True)
class Drop:
    """Let go of objects that nobody on the host holds any more."""

    kind: ClassVar[str] = "drop"
    #: Packed: for each its number and how often it was received, two u64.
    refs: bytes


@dataclass(frozen=True)
class Forget:
    """Let go of functions of the host that the pod holds no more."""

    kind: ClassVar[str] = "forget"
    #: Packed: for each its number, how often it was received and how often given back, three u64.
    counts: bytes


@dataclass(frozen=True)
class Release:
    """Blocks of the receiver's shared memory that the sender needs no more; either side's.

    ``blocks`` holds their serials, eight bytes each.
    """

    kind: ClassVar[str] = "release"
    blocks: bytes


@dataclass(frozen=True)
class Part:
    """The next rows of the result that call ``id`` will have; what follows it is added to them."""

    kind: ClassVar[str] = "part"
    id: int
    value: list[Any]


@dataclass(frozen=True)
class Result:
    """What the call returned."""

    kind: ClassVar[str] = "result"
    id: int
    value: Any


@dataclass(frozen=True)
class Failure:
    """What the call raised; with id 0, why ``pod.py`` could not be imported.

    ``error`` is a document: ``module``, ``type``, ``builtin`` (the nearest builtin class),
    ``args``, ``text``, ``traceback``, ``notes``, ``cause``, ``context`` (the text "cause" where
    it is the same exception), ``suppress_context``, ``exceptions`` (of a group).
    """

    kind: ClassVar[str] = "failure"
    id: int
    error: dict[str, Any]


Message = Union[
    Hello,
    Ready,
    Log,
    Call,
    Map,
    More,
    Close,
    Describe,
    Cancel,
    Callback,
    Pull,
    Answer,
    Define,
    Drop,
    Forget,
    Release,
    Part,
    Result,
    Failure,
]

_CLASSES: dict[str, Any] = {cls.kind: cls for cls in Message.__args__}  # type: ignore[attr-defined]
_CHECKED_TYPES: dict[str, Any] = {
    "id": int,
    "protocol": int,
    "python": str,
    "implementation": str,
    "pid": int,
    "platform": str,
    "shared": bool,
    "foreign": bool,
    "functions": list,
    "names": list,
    "logger": str,
    "level": int,
    "message": str,
    "created": float,
    "path": str,
    "line": int,
    "function": str,
    "args": list,
    "blocks": bytes,
    "counts": bytes,
    "refs": bytes,
    "source": str,
    "file": str,
    "future": int,
    "values": bytes,
    "kwargs": dict,
}


def message_to_document(message: Message) -> dict[str, Any]:
    """Return the document of a message; an id comes first, where both sides look for it."""
    content = {f.name: getattr(message, f.name) for f in dataclasses.fields(message)}
    number = content.pop("id", None)
    head = {} if number is None else {"id": number}
    return {**head, "kind": message.kind, **content}


def message_from_document(document: dict[str, Any]) -> Message:
    """Return the message of a document.

    Raises ProtocolError for an unknown kind, a missing or unknown field, or a wrong type.
    """
    kind = document.get("kind")
    cls = _CLASSES.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise ProtocolError(f"there is no message of kind {kind!r:.80}")
    content = {name: value for name, value in document.items() if name != "kind"}
    for name, value in content.items():
        wanted = dict if kind == "failure" and name == "error" else _CHECKED_TYPES.get(name)
        if wanted is not None and not isinstance(value, wanted):
            raise ProtocolError(
                f"{kind}: {name} must be {wanted.__name__}, not {type(value).__name__}"
            )
    try:
        message: Message = cls(**content)
    except TypeError:
        names = ", ".join(f.name for f in dataclasses.fields(cls))
        raise ProtocolError(
            f"a {kind} has the fields {names}, not {list(content)!r:.200}"
        ) from None
    return message
