"""What stands here for an object of a pod: proxies, their classes, modules; not how they arrive.

A proxy has the special methods that its object's class has, so the language's own protocols work
on it. Its class stands for the object's: ``isinstance`` needs no round trip. Everything else is
asked of the pod.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

from pypods.errors import PodError, ValueTransferError
from pypods.pods.pod import PodFunction
from pypods.wire.envelopes import call_head
from pypods.wire.failures import nearest_builtin

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable, Iterator

    from pypods.pods.references import Mirrors

__all__ = ["SPECIAL", "PodMethod", "PodModule", "PodObject", "PodObjectType"]


def _words(text: str) -> list[str]:
    return text.split()


#: Attributes of the language that are asked of the pod; every other name of that form is not there.
_ASKED = frozenset(
    {"__version__", "__name__", "__qualname__", "__module__", "__doc__", "__file__", "__all__"}
)
_ARITHMETIC = _words("add sub mul matmul truediv floordiv mod divmod pow lshift rshift and or xor")
_SYNCHRONOUS = frozenset(
    f"__{name}__"
    for name in [
        *_words("call len iter next reversed contains getitem setitem delitem enter exit fspath"),
        *_words("str bytes format hash bool int float complex index round neg pos abs invert"),
        "aiter",
        *(f"i{name}" for name in _ARITHMETIC if name != "divmod"),
    ]
)
#: Where Python has something else to try if the other operand is of no use.
_BINARY = frozenset(
    f"__{name}__"
    for name in ["eq", "ne", "lt", "le", "gt", "ge", *_ARITHMETIC, *(f"r{n}" for n in _ARITHMETIC)]
)
_ASYNCHRONOUS = frozenset({"__aenter__", "__aexit__", "__anext__"})


class PodMethod(PodFunction):  # noqa: D101 - a docstring would hide the method's own.
    # A method of an object in a pod, with all the ways to call that a pod's function has.
    __doc__: Any = vars(PodFunction)["__doc__"]

    def __init__(
        self, source: Mirrors, path: str, name: str, owner: object, timeout: float | None = None
    ) -> None:
        self.__name__ = self.__qualname__ = name
        self.__module__ = f"pods.{source.pod_name}.pod"
        self._source: Any = source
        self._path = f"{path}.{name}"
        self._head = call_head(self._path)
        self._timeout = timeout
        self._description = None
        self.__self__ = owner  # It keeps the object.

    def _with_timeout(self, timeout: float | None) -> PodMethod:
        path = self._path[: -len(self.__name__) - 1]
        return PodMethod(self._source, path, self.__name__, self.__self__, timeout)

    def __repr__(self) -> str:
        return f"<method {self.__name__} of {self.__self__!r}>"


class Method:
    """A method in the class of a proxy."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: Any) -> PodMethod:
        if instance is None:
            return PodMethod(owner._pypods_books, owner._pypods_path, self._name, owner)
        rows = instance._pypods_rows
        method: PodMethod = (
            instance._pypods_method(self._name)
            if rows is None
            else instance._pypods_cursor_method(rows, self._name, instance)
        )
        return method


class CallStyle:
    """One of the ways to call a function that crossed as a reference."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is None:
            raise AttributeError(self._name)
        return getattr(instance._pypods_method("__call__"), self._name)


class Doc:
    """The docstring of an object, or of a class, as the pod has it."""

    def __get__(self, instance: Any, owner: Any) -> str | None:
        if owner._pypods_books is None:
            return "An object that lives in a pod, used from here; it lives as long as this proxy."
        method = owner._pypods_of_class if instance is None else instance._pypods_method
        return _doc_of(method)


class _Signature:
    """The signature of what can be called: a class, or an object."""

    def __get__(self, instance: Any, owner: Any) -> inspect.Signature:
        if owner._pypods_books is None:
            raise AttributeError("__signature__")
        method = owner._pypods_of_class if instance is None else instance._pypods_method
        signature: inspect.Signature = method("__call__").__signature__
        return signature


def _doc_of(method: Callable[[str], PodMethod]) -> str | None:
    try:
        doc = method("=__doc__")()
    except PodError:
        return None
    return doc if isinstance(doc, str) else None


class PodObjectType(type):  # noqa: D101 - a docstring would be that of its classes
    # The class of the classes of proxies: each stands for one class of a pod.

    #: The books of the worker in which the class is; None for ``PodObject`` itself.
    _pypods_books: Any
    _pypods_path: str
    #: Whether the class says for itself what its instances are, as abstract classes do.
    _pypods_checks: bool

    @property
    def __doc__(cls) -> str | None:  # type: ignore[override]
        return Doc().__get__(None, cls)  # Where help() looks.

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
        """Make the class. Raises TypeError for one of a program's own."""
        if "_pypods_books" not in namespace:
            raise TypeError("a class that lives in a pod has subclasses in the pod only")
        return super().__new__(mcs, name, bases, namespace)

    def __call__(cls, /, *args: Any, **kwargs: Any) -> Any:
        """Make an instance in the pod."""
        return cls._pypods_of_class("__call__")(*args, **kwargs)

    def _pypods_of_class(cls, name: str) -> PodMethod:
        if cls._pypods_books is None:
            raise TypeError("this stands for no class of a pod")
        return PodMethod(cls._pypods_books, cls._pypods_path, name, cls)

    def __getattr__(cls, name: str) -> Any:
        if cls._pypods_books is None or is_the_languages(name):
            raise AttributeError(name)
        return cls._pypods_of_class("=" + name)()

    def __setattr__(cls, name: str, value: Any) -> None:
        cls._pypods_of_class("__setattr__")(name, value)

    def __delattr__(cls, name: str) -> None:
        cls._pypods_of_class("__delattr__")(name)

    def __dir__(cls) -> list[str]:
        if cls._pypods_books is None:
            return list(type.__dir__(cls))
        return list(cls._pypods_of_class("__dir__")())

    def __iter__(cls) -> Iterator[Any]:
        return iter(cls._pypods_of_class("__iter__")())

    def __len__(cls) -> int:
        return int(cls._pypods_of_class("__len__")())

    def __bool__(cls) -> bool:
        return True

    def __contains__(cls, item: object) -> bool:
        return bool(cls._pypods_of_class("__contains__")(item))

    def __getitem__(cls, key: Any) -> Any:
        return cls._pypods_of_class("__getitem__")(key)

    def __instancecheck__(cls, instance: Any) -> bool:
        if type.__instancecheck__(cls, instance):
            return True
        own = type(instance)
        if not cls._pypods_checks or not isinstance(own, PodObjectType):
            return False
        return own._pypods_books is cls._pypods_books and bool(
            cls._pypods_of_class("__instancecheck__")(instance)
        )

    def __subclasscheck__(cls, subclass: Any) -> bool:
        if type.__subclasscheck__(cls, subclass):
            return True
        if not cls._pypods_checks or not isinstance(subclass, PodObjectType):
            return False
        return subclass._pypods_books is cls._pypods_books and bool(
            cls._pypods_of_class("__subclasscheck__")(subclass)
        )

    def __repr__(cls) -> str:
        if cls._pypods_books is None:
            return type.__repr__(cls)
        return (
            f"<class '{cls.__module__}.{cls.__qualname__}' in pod '{cls._pypods_books.pod_name}'>"
        )


class _InPod:
    """What a proxy of an object and one of a module have in common."""

    __slots__ = ()
    _pypods_count: int
    _pypods_mirrors: Mirrors
    _pypods_number: int

    def _pypods_method(self, name: str) -> PodMethod:
        return PodMethod(self._pypods_mirrors, f"#{self._pypods_number}", name, self)

    def __dir__(self) -> list[str]:
        return list(self._pypods_method("__dir__")())

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(f"{self!r} cannot be copied or pickled: it lives in its pod")

    def __del__(self) -> None:
        # Runs at any moment, at the interpreter's end too, so it may do no more than append.
        try:
            self._pypods_mirrors.dropped.append((self._pypods_number, self._pypods_count))
        except Exception:  # noqa: BLE001 - it was never finished, or everything ends
            return


class PodObject(_InPod, metaclass=PodObjectType):  # noqa: D101 - see Doc
    __slots__ = (
        "__weakref__",
        "_pypods_count",
        "_pypods_mirrors",
        "_pypods_number",
        "_pypods_rows",
    )
    __doc__: Any = Doc()
    __signature__ = _Signature()
    _pypods_books: Any = None
    _pypods_path = ""
    _pypods_checks = False
    #: Of a cursor's class: the methods by which rows come, and of which one may replace another.
    _pypods_ways: frozenset[str] = frozenset()
    #: Of a cursor's class: what makes its methods.
    _pypods_cursor_method: Any = None

    def __getattr__(self, name: str) -> Any:
        if name[:1] == "_" and is_the_languages(name):
            raise AttributeError(name)
        rows = self._pypods_rows
        if rows is not None:
            return rows.attribute(name)
        return self._pypods_mirrors.use(f"#{self._pypods_number}.={name}")

    def __setattr__(self, name: str, value: Any) -> None:
        rows = self._pypods_rows
        if rows is not None:
            rows.set_attribute(name, value)
            return
        self._pypods_method("__setattr__")(name, value)

    def __delattr__(self, name: str) -> None:
        self._pypods_method("__delattr__")(name)

    def __repr__(self) -> str:
        pod_name = self._pypods_mirrors.pod_name
        try:
            text = str(self._pypods_method("__repr__")())
        except PodError as exc:
            cls = type(self)
            text = f"{cls.__module__}.{cls.__qualname__} ({type(exc).__name__})"
        return f"<{text.removeprefix('<').removesuffix('>')} in pod '{pod_name}'>"


class PodModule(_InPod, ModuleType):  # noqa: D101 - see the property
    # A module that is imported in a pod; what it has is asked of the pod when it is used.

    def __init__(self, mirrors: Mirrors, number: int, name: str) -> None:
        super().__init__(name)
        for unknown in ("__doc__", "__package__", "__loader__", "__spec__"):
            vars(self).pop(unknown, None)
        vars(self).update(_pypods_mirrors=mirrors, _pypods_number=number, _pypods_count=1)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return _doc_of(self._pypods_method)

    def __getattr__(self, name: str) -> Any:
        if is_the_languages(name):
            raise AttributeError(f"module {self.__name__!r} of a pod has no attribute {name!r}")
        value = self._pypods_method("=" + name)()
        if isinstance(value, (PodModule, type)) or _is_function(value):
            vars(self)[name] = value  # Such a name keeps its meaning, as a rule.
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("__"):
            super().__setattr__(name, value)  # The import system's own.
            return
        self._pypods_method("__setattr__")(name, value)
        vars(self).pop(name, None)

    def __delattr__(self, name: str) -> None:
        self._pypods_method("__delattr__")(name)
        vars(self).pop(name, None)

    def __repr__(self) -> str:
        mirrors = self._pypods_mirrors
        return f"<module '{self.__name__}' in pod '{mirrors.pod_name}' {mirrors.state}>"


def is_the_languages(name: str) -> bool:
    return name.startswith("_pypods_") or (
        name.startswith("__") and name.endswith("__") and name not in _ASKED
    )


def _is_function(value: Any) -> bool:
    return isinstance(type(value), PodObjectType) and type(value).__name__ in FUNCTION_CLASSES


#: The names of classes of functions and methods; what crosses of them has all the ways to call.
FUNCTION_CLASSES = frozenset(
    {"function", "method", "builtin_function_or_method", "cython_function_or_method"}
)


# Special methods ---------------------------------------------------------------------------------


def _make_special(name: str) -> Callable[..., Any]:
    special: Callable[..., Any]
    if name == "__exit__":

        def leave(self: Any, kind: Any, error: Any, _: Any) -> Any:
            return self._pypods_method(name)(*_told(self, kind, error))

        special = leave
    elif name == "__aexit__":

        async def leave_and_await(self: Any, kind: Any, error: Any, _: Any) -> Any:
            return await self._pypods_method(name).aio(*_told(self, kind, error))

        special = leave_and_await
    elif name in _ASYNCHRONOUS:

        async def call_and_await(self: Any, *args: Any) -> Any:
            return await self._pypods_method(name).aio(*args)

        special = call_and_await
    elif name in _BINARY:

        def operate(self: Any, *args: Any) -> Any:
            try:
                return self._pypods_mirrors.use(f"#{self._pypods_number}.{name}", args)
            except ValueTransferError:  # What cannot be sent is equal to nothing there.
                return NotImplemented

        special = operate
    elif name == "__await__":

        def wait(self: Any) -> Any:
            return self._pypods_method(name).aio().__await__()

        special = wait
    else:

        def call(self: Any, /, *args: Any, **kwargs: Any) -> Any:
            return self._pypods_mirrors.use(f"#{self._pypods_number}.{name}", args, kwargs)

        special = call
    special.__name__ = special.__qualname__ = name
    return special


def _told(proxy: Any, kind: Any, error: Any) -> tuple[Any, ...]:
    """Return what is told of the exception with which a block is left: nothing if there is none.

    One that the same worker raised is told by its own class, any other by the nearest builtin.
    """
    if kind is None:
        return ()
    books = proxy._pypods_mirrors
    own = [each for each in kind.__mro__ if vars(each).get("_pypods_books") is books]
    return (nearest_builtin(kind), str(error), *own[:1])


#: The special methods that a class in a pod may have, as its proxies' class has them.
SPECIAL: dict[str, Any] = {
    name: _make_special(name)
    for name in sorted(_SYNCHRONOUS | _BINARY | _ASYNCHRONOUS | {"__await__"})
}
