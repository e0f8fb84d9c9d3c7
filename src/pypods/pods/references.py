"""What stays in a pod, as objects here: proxies, their classes, and modules; no transport.

A proxy has the special methods that its object's class has, so the language's own protocols work
on it. Its class stands for the object's: ``isinstance`` needs no round trip. Everything else is
asked of the pod. A pod describes its classes; nothing in a description is executed or looked up.
"""

from __future__ import annotations

import contextlib
import re
import weakref
from collections import deque
from collections.abc import Callable
from struct import Struct
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pypods.errors import PodCallError, PodDiedError, PodError, ProtocolError, ValueTransferError
from pypods.pods.pod import PodFunction
from pypods.wire.envelopes import call_head
from pypods.wire.remote_errors import mirrored_error_class

if TYPE_CHECKING:
    from pypods.pods.session import Session

__all__ = ["Mirrors", "PodModule", "PodObject", "PodObjectType"]

DROP = Struct("<QQ")
#: What one class may have, and one worker.
MAX_NAMES = 20_000
MAX_CLASSES = 100_000
MAX_BASES = 100
MAX_TEXT = 1000
#: References that one frame drops; the others go with the next one.
MAX_DROPPED = 60_000
#: Names that a description may give as methods: as Python has them, and none of the language's.
_METHOD_NAME = re.compile(r"(?!__)[^\W\d]\w*\Z")
#: Attributes of the language that are asked of the pod; every other name of that form is not there.
_ASKED = frozenset(
    {"__version__", "__name__", "__qualname__", "__module__", "__doc__", "__file__", "__all__"}
)
_ARITHMETIC = "add sub mul matmul truediv floordiv mod divmod pow lshift rshift and or xor".split()
_SYNCHRONOUS = frozenset(
    f"__{name}__"
    for name in [
        *"call len iter next reversed contains getitem setitem delitem enter exit fspath".split(),
        *"str bytes format hash bool int float complex index round neg pos abs invert".split(),
        *"eq ne lt le gt ge".split(),
        *_ARITHMETIC,
        *(f"r{name}" for name in _ARITHMETIC),
        *(f"i{name}" for name in _ARITHMETIC if name != "divmod"),
    ]
)
_ASYNCHRONOUS = frozenset({"__aenter__", "__aexit__", "__anext__"})


class PodMethod(PodFunction):
    """A method of an object in a pod, with all the ways to call that a pod's function has."""

    def __init__(
        self, mirrors: Mirrors, path: str, name: str, owner: object, timeout: float | None = None
    ) -> None:
        self.__name__ = self.__qualname__ = name
        self.__module__ = f"pods.{mirrors.pod_name}.pod"
        self._source: Any = mirrors
        self._path = f"{path}.{name}"
        self._head = call_head(self._path)
        self._timeout = timeout
        self._description = None
        self.__self__ = owner  # It keeps the object.

    def options(self, *, timeout: float | None = None) -> PodMethod:
        """Return the same method with other options; ``timeout`` in seconds."""
        path, _, name = self._path.rpartition(".")
        return PodMethod(self._source, path, name, self.__self__, timeout)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return f"<method {self.__name__} of {self.__self__!r}>"


class _Method:
    """A method in the class of a proxy."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: Any) -> PodMethod:
        if instance is None:
            return PodMethod(owner._pypods_books, owner._pypods_path, self._name, owner)
        return instance._pypods_method(self._name)


class PodObjectType(type):
    """The class of the classes of proxies: each stands for one class of a pod."""

    #: The books of the worker in which the class is; None for ``PodObject`` itself.
    _pypods_books: Any = None
    _pypods_path = ""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make an instance in the pod."""
        if cls._pypods_books is None:
            raise TypeError("an object of a pod is made in the pod")
        return cls._pypods_of_class("__call__")(*args, **kwargs)

    def _pypods_of_class(cls, name: str) -> PodMethod:
        return PodMethod(cls._pypods_books, cls._pypods_path, name, cls)

    def __getattr__(cls, name: str) -> Any:
        if cls._pypods_books is None or _is_the_languages(name):
            raise AttributeError(name)
        return cls._pypods_of_class("=" + name)()

    def __setattr__(cls, name: str, value: Any) -> None:
        if cls._pypods_books is None or name == "__abstractmethods__":
            type.__setattr__(cls, name, value)
        else:
            cls._pypods_of_class("__setattr__")(name, value)

    def __dir__(cls) -> list[str]:
        if cls._pypods_books is None:
            return list(type.__dir__(cls))
        return list(cls._pypods_of_class("__dir__")())

    def __instancecheck__(cls, instance: Any) -> bool:
        if type.__instancecheck__(cls, instance):
            return True
        # Abstract classes have instances that do not derive from them.
        mirrors = getattr(instance, "_pypods_mirrors", None)
        if mirrors is None or mirrors is not cls._pypods_books or "ABC" not in cls.__name__:
            return False
        return bool(cls._pypods_of_class("__instancecheck__")(instance))

    def __repr__(cls) -> str:
        if cls._pypods_books is None:
            return type.__repr__(cls)
        return (
            f"<class '{cls.__module__}.{cls.__qualname__}' in pod '{cls._pypods_books.pod_name}'>"
        )


class PodObject(metaclass=PodObjectType):
    """An object that lives in a pod, used from here; it lives as long as this proxy."""

    __slots__ = ("__weakref__", "_pypods_count", "_pypods_mirrors", "_pypods_number")

    def _pypods_method(self, name: str) -> PodMethod:
        mirrors = object.__getattribute__(self, "_pypods_mirrors")
        return PodMethod(mirrors, f"#{self._pypods_number}", name, self)

    def __getattr__(self, name: str) -> Any:
        if _is_the_languages(name):
            raise AttributeError(name)
        return self._pypods_method("=" + name)()

    def __setattr__(self, name: str, value: Any) -> None:
        self._pypods_method("__setattr__")(name, value)

    def __delattr__(self, name: str) -> None:
        self._pypods_method("__delattr__")(name)

    def __dir__(self) -> list[str]:
        return list(self._pypods_method("__dir__")())

    def __repr__(self) -> str:
        pod_name = self._pypods_mirrors.pod_name
        try:
            text = str(self._pypods_method("__repr__")())
        except PodError as exc:
            cls = type(self)
            text = f"{cls.__module__}.{cls.__qualname__} ({type(exc).__name__})"
        return f"<{text.removeprefix('<').removesuffix('>')} in pod '{pod_name}'>"

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(f"{self!r} cannot be copied or pickled: it lives in its pod")

    def __del__(self) -> None:
        # Runs at any moment, so it may do no more than append.
        with contextlib.suppress(AttributeError):  # It was never finished.
            self._pypods_mirrors.dropped.append((self._pypods_number, self._pypods_count))


class PodModule(ModuleType):
    """A module that is imported in a pod; what it has is asked of the pod when it is used."""

    def __init__(self, mirrors: Mirrors, number: int, name: str) -> None:
        super().__init__(name)
        for unknown in ("__doc__", "__package__", "__loader__", "__spec__"):
            vars(self).pop(unknown, None)
        vars(self).update(_pypods_mirrors=mirrors, _pypods_number=number, _pypods_count=1)

    def _pypods_method(self, name: str) -> PodMethod:
        return PodMethod(self._pypods_mirrors, f"#{self._pypods_number}", name, self)

    def __getattr__(self, name: str) -> Any:
        if _is_the_languages(name) or name in ("__path__", "__spec__", "__loader__"):
            raise AttributeError(f"module {self.__name__!r} of a pod has no attribute {name!r}")
        value = self._pypods_method("=" + name)()
        if isinstance(value, (PodModule, PodObjectType)) or _is_function(value):
            vars(self)[name] = value  # Such a name keeps its meaning, as a rule.
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("__"):
            super().__setattr__(name, value)  # The import system's own.
            return
        vars(self).pop(name, None)
        self._pypods_method("__setattr__")(name, value)

    def __delattr__(self, name: str) -> None:
        vars(self).pop(name, None)
        self._pypods_method("__delattr__")(name)

    def __dir__(self) -> list[str]:
        return list(self._pypods_method("__dir__")())

    def __repr__(self) -> str:
        mirrors = self._pypods_mirrors
        return f"<module '{self.__name__}' in pod '{mirrors.pod_name}' {mirrors.state}>"

    def __del__(self) -> None:
        mirrors = vars(self).get("_pypods_mirrors")
        if mirrors is not None:
            mirrors.dropped.append((self._pypods_number, self._pypods_count))


def _is_the_languages(name: str) -> bool:
    return name.startswith("_pypods_") or (
        name.startswith("__") and name.endswith("__") and name not in _ASKED
    )


def _is_function(value: Any) -> bool:
    return isinstance(value, PodObject) and type(value).__name__ in (
        "function",
        "builtin_function_or_method",
        "cython_function_or_method",
    )


# Special methods ---------------------------------------------------------------------------------


def _make_special(name: str) -> Callable[..., Any]:
    if name in _ASYNCHRONOUS:

        async def special(self: Any, *args: Any) -> Any:
            return await self._pypods_method(name).aio(*args)

    else:

        def special(self: Any, *args: Any, **kwargs: Any) -> Any:  # type: ignore[misc]
            return self._pypods_method(name)(*args, **kwargs)

    special.__name__ = special.__qualname__ = name
    return special


_SPECIAL: dict[str, Any] = {
    name: _make_special(name) for name in sorted(_SYNCHRONOUS | _ASYNCHRONOUS)
}


class _Calls:
    """The ways to call a function that crossed as a reference, besides calling it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: Any) -> Any:
        return getattr(instance._pypods_method("__call__"), self._name)


# The books ---------------------------------------------------------------------------------------


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

    # As a function's source.

    @property
    def timeout(self) -> float | None:
        """How long a call may take, in seconds."""
        return self._timeout()

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
        for description in about:
            self._learn(description)
        if "type" in content:
            return self.class_of(content["type"])
        number = content.get("ref")
        if type(number) is not int or number < 1:
            raise ProtocolError("a reference without a number")
        value = self._objects.get(number)
        if value is not None:
            vars_of = vars(value) if isinstance(value, PodModule) else None
            if vars_of is None:
                object.__setattr__(value, "_pypods_count", value._pypods_count + 1)
            else:
                vars_of["_pypods_count"] += 1
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
        }
        if name in ("function", "builtin_function_or_method", "method"):
            namespace.update({each: _Calls(each) for each in ("submit", "aio", "map", "options")})
        for each in _names(description, "methods"):
            if _METHOD_NAME.match(each) and not each.startswith("_pypods_"):
                namespace[each] = _Method(each)
        for each in _names(description, "special"):
            if each in _SPECIAL:
                namespace[each] = _SPECIAL[each]
        proxies = tuple(base for base in known if isinstance(base, PodObjectType))
        short = name.rpartition(".")[2] or "object"
        try:
            cls = PodObjectType(short, proxies or (PodObject,), namespace)
        except TypeError:  # Bases that no class can have together.
            cls = PodObjectType(short, (PodObject,), namespace)
        type.__setattr__(cls, "_pypods_books", self)
        type.__setattr__(cls, "_pypods_path", f"#t{number}")
        self._classes[number] = cls

    def _error_class(
        self, number: int, name: str, module: str, bases: list[type], builtin: str
    ) -> type:
        errors = [base for base in bases if issubclass(base, PodCallError)]
        if module == "builtins":
            return mirrored_error_class(builtin)
        namespace = {
            "__module__": module,
            "__qualname__": name,
            "_pypods_path": f"#t{number}",
            "_pypods_books": self,
        }
        short = name.rpartition(".")[2] or "Error"
        parents = tuple(dict.fromkeys(errors)) or (mirrored_error_class(builtin),)
        try:
            return type(short, parents, namespace)
        except TypeError:
            return type(short, (mirrored_error_class(builtin),), namespace)

    # References that go back.

    def export(self, value: Any) -> tuple[bytes, dict[str, Any]] | None:
        """Return the kind and content of an object or class of a pod; None for anything else.

        Raises ValueTransferError for one of another pod, or of a worker that has ended.
        """
        if isinstance(value, (PodObject, PodModule)):
            self._check(object.__getattribute__(value, "_pypods_mirrors"))
            return b"O", {"ref": value._pypods_number}
        if isinstance(value, type):
            path = vars(value).get("_pypods_path", "")
            if path.startswith("#t"):
                self._check(vars(value)["_pypods_books"])
                return b"O", {"type": int(path[2:])}
        return None

    def _check(self, owner: Mirrors) -> None:
        if owner is not self:
            where = f'pod "{owner.pod_name}"'
            if owner.pod_name == self.pod_name:
                where = f"another worker of {where}, which runs as pid {self._session.pid} now"
            raise ValueTransferError(f"lives in {where} and cannot be passed to this one")

    def take_dropped(self) -> bytes:
        """Return what tells the pod of objects that nobody here holds any more, packed."""
        packed: list[bytes] = []
        dropped = self.dropped
        while dropped and len(packed) < MAX_DROPPED:
            packed.append(DROP.pack(*dropped.popleft()))
        return b"".join(packed)


def _text(value: Any) -> str:
    if type(value) is not str or len(value) > MAX_TEXT:
        raise ProtocolError("a name in a description is no text, or too long")
    return value


def _names(description: dict[str, Any], key: str) -> list[str]:
    names = description.get(key)
    if type(names) is not list or len(names) > MAX_NAMES:
        raise ProtocolError(f"a class without a list of {key}, or with too many")
    if any(type(name) is not str for name in names):
        raise ProtocolError(f"the {key} of a class are no texts")
    return names
