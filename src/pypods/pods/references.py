"""What the host knows of a worker's objects and classes, and how they arrive and go back.

A pod describes its classes; nothing in a description is executed or looked up. What stands for
them is in ``pypods.pods.proxies``.
"""

from __future__ import annotations

import re
import weakref
from collections import deque
from threading import RLock
from typing import TYPE_CHECKING, Any

from pypods.errors import PodCallError, PodDiedError, ProtocolError, ValueTransferError
from pypods.pods.cursor_proxies import WAYS, CursorMethod, rows_of, special_of_cursor
from pypods.pods.cursors import CursorRows
from pypods.pods.proxies import (
    FUNCTION_CLASSES,
    SPECIAL,
    CallStyle,
    Doc,
    Method,
    PodMethod,
    PodModule,
    PodObject,
    PodObjectType,
)
from pypods.wire.documents import encode_document
from pypods.wire.envelopes import DROP, call_head
from pypods.wire.remote_errors import mirrored_error_class

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pypods.pods.session import Session

__all__ = ["Mirrors", "home_of"]

#: What one class may have, and one worker.
MAX_NAMES = 20_000
MAX_CLASSES = 100_000
MAX_BASES = 100
MAX_TEXT_CHARACTERS = 1000
MAX_NUMBER = 2**63
#: Of a frame that drops references, the bytes that are none of them.
DROP_HEAD_BYTES = 64
#: References that one frame drops, where longer frames are allowed.
MAX_DROPPED = 60_000
#: Names that a description may give as methods: as Python has them, and none of the language's.
_METHOD_NAME = re.compile(r"(?!__|_pypods_)[^\W\d]\w*\Z")


class Mirrors:
    """What the host knows of one worker's classes and objects."""

    def __init__(self, session: Session, timeout: Callable[[], float | None]) -> None:
        self._session = session
        self._timeout = timeout
        self.pod_name = session.pod_name
        #: Objects that nobody here holds any more: number, and how often it was received.
        self.dropped: deque[tuple[int, int]] = deque()
        self._classes: dict[int, type] = {}
        self._objects: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
        # Threads decode side by side, and no object may get two proxies.
        self._taking = RLock()

    # As a function's source.

    @property
    def timeout(self) -> float | None:
        """How long a call may take, in seconds."""
        return self._timeout()

    @property
    def any_objects(self) -> bool:
        """Whether anything here stands for an object of the pod."""
        return bool(self._objects)

    @property
    def state(self) -> str:
        """``RUNNING`` or ``DIED``."""
        return "RUNNING" if self._session.is_alive else "DIED"

    @property
    def pid(self) -> int | None:
        """The worker's process id."""
        return self._session.pid

    def session(self) -> Session:
        """Return the session in which the objects are. Raises PodDiedError after its end."""
        if not self._session.is_alive:
            raise PodDiedError(
                f'this lived in pod "{self.pod_name}", pid {self._session.pid}, which has ended; '
                "make it anew in the pod that runs now"
            )
        return self._session

    def use(self, path: str, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        """Call what a path leads to; as ``PodMethod``, for what is done often."""
        session = self._session if self._session.is_alive else self.session()
        return session.call(call_head(path), args, kwargs or {}, self._timeout())

    def pod_method(self, name: str) -> PodMethod:
        """Return a method of the pod's own module."""
        return PodMethod(self, "#0", name, self)

    @staticmethod
    def is_lasting(value: Any) -> bool:
        """Whether a name of a module keeps its meaning, as a rule: it is a module, or a class."""
        return isinstance(value, (PodModule, type))

    # References that arrive.

    def take(self, content: dict[str, Any]) -> Any:
        """Return what stands for an object or class of the pod. Raises ProtocolError."""
        about = content.get("about")
        if type(about) is not list:
            raise ProtocolError("a reference without a description")
        with self._taking:
            for description in about:
                self._learn(description)
            if "type" in content:
                return self.class_of(content["type"])
            return self._object(content)

    def _object(self, content: dict[str, Any]) -> Any:
        number = content.get("ref")
        if type(number) is not int or not 0 < number < MAX_NUMBER:
            raise ProtocolError("a reference without a number")
        value = self._objects.get(number)
        if value is not None:
            if isinstance(value, PodModule):
                vars(value)["_pypods_count"] += 1
            else:
                object.__setattr__(value, "_pypods_count", value._pypods_count + 1)
            return value
        module = content.get("module")
        if module is not None:
            value = PodModule(self, number, _text(module))
        else:
            cls: Any = self.class_of(content.get("class"))
            if not isinstance(cls, PodObjectType):
                cls = PodObject  # An exception that was not raised.
            value = object.__new__(cls)
            object.__setattr__(value, "_pypods_mirrors", self)
            object.__setattr__(value, "_pypods_number", number)
            object.__setattr__(value, "_pypods_count", 1)
            ways = cls._pypods_ways
            rows = CursorRows(self, number, self._session.prefetch_rows) if ways else None
            object.__setattr__(value, "_pypods_rows", rows)
        self._objects[number] = value
        return value

    def class_of(self, number: Any) -> type:
        """Return the class of that number. Raises ProtocolError for one that was not described."""
        cls = self._classes.get(number) if type(number) is int else None
        if cls is None:
            raise ProtocolError("a reference to a class that was not described")
        return cls

    def error_class_of(self, description: Any) -> type:
        """Return the class of an exception that was raised. Raises ProtocolError."""
        if type(description) is not dict or type(description.get("about")) is not list:
            raise ProtocolError("an exception's class is described by no document")
        with self._taking:
            for each in description["about"]:
                self._learn(each)
        return self.class_of(description.get("class"))

    def _learn(self, description: Any) -> None:
        if type(description) is not dict:
            raise ProtocolError("a class is described by no document")
        number = description.get("id")
        if type(number) is not int or number < 1:
            raise ProtocolError("a class without a number")
        if number in self._classes:
            return
        if len(self._classes) >= MAX_CLASSES:
            raise ProtocolError("a pod describes too many classes")
        name, module = _text(description.get("name")), _text(description.get("module"))
        bases = description.get("bases")
        if type(bases) is not list or len(bases) > MAX_BASES:
            raise ProtocolError("a class without a list of bases")
        known = [self.class_of(base) for base in bases]
        builtin = description.get("builtin")
        if builtin:
            self._classes[number] = self._error_class(number, name, module, known, _text(builtin))
            return
        namespace: dict[str, Any] = {
            "__slots__": (),
            "__module__": module,
            "__qualname__": name,
            "__doc__": Doc(),
            "_pypods_books": self,
            "_pypods_path": f"#t{number}",
            "_pypods_checks": description.get("checks") is True,
        }
        if name in FUNCTION_CLASSES:
            namespace.update(
                {each: CallStyle(each) for each in ("submit", "aio", "map", "options")}
            )
        for each in _names(description, "methods"):
            if _METHOD_NAME.match(each):
                namespace[each] = Method(each)
        for each in _names(description, "special"):
            if each in SPECIAL:
                namespace[each] = SPECIAL[each]
        proxies = tuple(base for base in known if isinstance(base, PodObjectType))
        ways = namespace["_pypods_ways"] = WAYS.intersection(_names(description, "rows"))
        if ways:
            namespace["_pypods_cursor_method"] = staticmethod(CursorMethod)
            for each in SPECIAL:
                if each in namespace or _has(proxies, each):
                    namespace[each] = special_of_cursor(each)
        self._classes[number] = _make_class(PodObjectType, name, proxies, PodObject, namespace)

    def _error_class(
        self, number: int, name: str, module: str, bases: list[type], builtin: str
    ) -> type:
        nearest = mirrored_error_class(builtin)
        if module == "builtins":
            return nearest  # type: ignore[no-any-return]
        errors = tuple(base for base in bases if type.__subclasscheck__(PodCallError, base))
        namespace = {
            "__module__": module,
            "__qualname__": name,
            "_pypods_path": f"#t{number}",
            "_pypods_books": self,
        }
        return _make_class(type, name, errors, nearest, namespace)

    # References that go back.

    def export(self, value: Any) -> tuple[bytes, dict[str, Any]] | None:
        """Return the kind and content of an object or class of a pod; None for anything else.

        Raises ValueTransferError for one of another pod, or of a worker that has ended.
        """
        cls = type(value)
        if type(cls) is PodObjectType or issubclass(cls, PodModule):
            self._check(value._pypods_mirrors)
            rows = self.unread_rows(value)
            if rows is not None:
                raise ValueTransferError(rows.why_not())
            return b"O", {"ref": value._pypods_number}
        if issubclass(cls, type):
            path = vars(value).get("_pypods_path", "")
            if path.startswith("#t"):
                self._check(vars(value)["_pypods_books"])
                return b"O", {"type": int(path[2:])}
        return None

    @staticmethod
    def unread_rows(value: Any) -> CursorRows | None:
        """Return the rows that were read ahead of a cursor, None for anything else."""
        rows = rows_of(value) if type(type(value)) is PodObjectType else None
        return rows if rows is not None and rows.unread else None

    def _check(self, owner: Mirrors) -> None:
        if owner is not self:
            where = f'pod "{owner.pod_name}"'
            if owner.pod_name == self.pod_name:
                where = f"another worker of {where}, which runs as pid {self._session.pid} now"
            raise ValueTransferError(f"lives in {where} and cannot be passed to this one")

    def drop_frames(self, max_frame_bytes: int) -> bytes:
        """Return the frames that tell the pod of objects that nobody here holds any more."""
        most = min(MAX_DROPPED, (max_frame_bytes - DROP_HEAD_BYTES) // DROP.size)
        dropped = self.dropped
        frames = []
        while dropped and most > 0:
            packed: list[bytes] = []
            while dropped and len(packed) < most:
                packed.append(DROP.pack(*dropped.popleft()))
            frames.append(encode_document({"kind": "drop", "refs": b"".join(packed)}))
        return b"".join(frames)


def home_of(values: Iterable[Any]) -> Session | None:
    """Return the session in which the first reference among some arguments lives, or None."""
    for value in values:
        if type(type(value)) is PodObjectType or isinstance(value, PodModule):
            return value._pypods_mirrors.session()  # type: ignore[no-any-return]
    return None


def _has(classes: tuple[type, ...], name: str) -> bool:
    """Whether instances of one of some classes have a special method."""
    return any(name in vars(base) for cls in classes for base in cls.__mro__[:-1])


def _make_class(
    metaclass: Any, name: str, bases: tuple[type, ...], root: type, namespace: dict[str, Any]
) -> type:
    short = name.rpartition(".")[2] or "object"
    try:
        cls: type = metaclass(short, tuple(dict.fromkeys(bases)) or (root,), namespace)
    except TypeError:  # Bases that no class can have together.
        cls = metaclass(short, (root,), namespace)
    return cls


def _text(value: Any) -> str:
    if type(value) is not str or len(value) > MAX_TEXT_CHARACTERS:
        raise ProtocolError("a name in a description is no text, or too long")
    return "".join([each if each.isprintable() else "?" for each in value])


def _names(description: dict[str, Any], key: str) -> list[str]:
    names = description.get(key, [] if key == "rows" else None)
    if type(names) is not list or len(names) > MAX_NAMES:
        raise ProtocolError(f"a class without a list of {key}, or with too many")
    if any(type(name) is not str for name in names):
        raise ProtocolError(f"the {key} of a class are no texts")
    return names
