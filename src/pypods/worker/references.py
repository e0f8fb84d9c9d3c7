"""What stays in the pod and is used from the host by a number: objects, modules, classes."""

from __future__ import annotations

import operator
from _thread import allocate_lock
from types import ModuleType

from pypods.wire.context import current
from pypods.wire.envelopes import DROP
from pypods.worker.cursor_classes import is_cursor, ways_of
from pypods.worker.cursors import Cursors

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = ["References"]

NO_SUCH_OBJECT = "the host holds no such object of this pod"
#: As much as is said of a class; the host takes no more.
MAX_NAME_CHARACTERS = 500
MAX_METHODS = 10_000
MAX_BASES = 100
MAX_REMEMBERED_FUNCTIONS = 1024
_BINARY: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "matmul": operator.matmul,
    "truediv": operator.truediv,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "divmod": divmod,
    "pow": pow,
    "lshift": operator.lshift,
    "rshift": operator.rshift,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
}
_OTHERS: dict[str, Any] = {
    "__call__": lambda value, *args, **kwargs: value(*args, **kwargs),
    "__getattribute__": getattr,
    "__setattr__": setattr,
    "__delattr__": delattr,
    "__dir__": dir,
    "__repr__": repr,
    "__str__": str,
    "__bytes__": bytes,
    "__format__": format,
    "__hash__": hash,
    "__bool__": bool,
    "__int__": int,
    "__float__": float,
    "__complex__": complex,
    "__index__": operator.index,
    "__round__": round,
    "__len__": len,
    "__iter__": lambda value: _iterate(value),  # noqa: PLW0108 - it comes further down
    "__next__": next,
    "__reversed__": lambda value: _iterate(reversed(value)),
    "__contains__": operator.contains,
    "__getitem__": operator.getitem,
    "__setitem__": operator.setitem,
    "__delitem__": operator.delitem,
    "__neg__": operator.neg,
    "__pos__": operator.pos,
    "__abs__": abs,
    "__invert__": operator.invert,
    "__eq__": operator.eq,
    "__ne__": operator.ne,
    "__lt__": operator.lt,
    "__le__": operator.le,
    "__gt__": operator.gt,
    "__ge__": operator.ge,
    "__instancecheck__": lambda cls, value: isinstance(value, cls),
    "__subclasscheck__": lambda cls, other: issubclass(other, cls),
    "__await__": lambda value: _await(value),  # noqa: PLW0108
    "__exit__": lambda value, *told: value.__exit__(*_error_of(*told)),
    "__aexit__": lambda value, *told: value.__aexit__(*_error_of(*told)),
}


def _swapped(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda value, other: function(other, value)


#: What an operation does that is no plain method, by the method's name.
OPERATIONS: dict[str, Callable[..., Any]] = {
    **_OTHERS,
    **{f"__{name}__": function for name, function in _BINARY.items()},
    **{f"__r{name}__": _swapped(function) for name, function in _BINARY.items()},
}
#: Looked up on the class by the interpreter, so the host's class must have them too.
_SPECIAL = frozenset(OPERATIONS) - {
    "__getattribute__",
    "__setattr__",
    "__delattr__",
    "__dir__",
    "__repr__",
    "__instancecheck__",
    "__subclasscheck__",
} | {
    "__enter__",
    "__exit__",
    "__aenter__",
    "__aexit__",
    "__aiter__",
    "__anext__",
    "__fspath__",
    *(f"__i{name}__" for name in _BINARY if name != "divmod"),
}
#: The same as of every object: the host answers for itself.
_PLAIN = {name: getattr(object, name, None) for name in _SPECIAL}


def _iterate(value: Any) -> Any:
    """Return a generator over a value; of what is its own iterator, itself."""
    iterator = iter(value)
    if iterator is value:
        return value
    if is_cursor(type(value)):
        return map(_itself, iterator)  # Taken from one by one: nothing reads ahead of a cursor.
    return (item for item in iterator)


def _itself(item: Any) -> Any:
    return item


async def _await(value: Any) -> Any:
    return await value


def _error_of(builtin: str = "", text: str = "", cls: Any = None) -> tuple[Any, Any, None]:
    """Return the exception with which the host leaves a block: its own class, or the nearest."""
    if not builtin:
        return None, None, None
    import builtins

    cls = cls or getattr(builtins, builtin, Exception)
    try:
        error = cls(text)
    except Exception:  # noqa: BLE001 - a class that wants other arguments, and checks them
        error = cls.__new__(cls)
        error.args = (text,)
    return cls, error, None


class References:
    """The objects that the host holds by number, and the classes it was told of."""

    def __init__(self) -> None:
        self._objects: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}
        #: How often each was sent, and not yet dropped.
        self._counts: dict[int, int] = {}
        self._next_number = 1
        self._classes: dict[int, type] = {}
        self._class_numbers: dict[type, int] = {}
        #: Classes of which the host has used an object: it has their descriptions.
        self._known: set[int] = set()
        #: The host's own functions, which go back as such (``pypods.worker.host_functions``).
        self.functions: Any = None
        self._lock = allocate_lock()
        #: Of names that calls had, what they call: the last so many.
        self._functions: dict[str, Callable[..., Any]] = {}
        self.cursors = Cursors(self._objects, self.describe_error)

    def prepare_thread(self) -> None:
        """Let what is encoded on this thread hold references."""
        current.refer = self.export
        current.journal = {}
        current.given_back = []

    # To the host -------------------------------------------------------------------------------

    def export(self, value: Any) -> tuple[bytes, dict[str, Any]] | None:
        """Return the kind and content of an object that the host holds from now on."""
        cls = type(value)
        functions = self.functions
        if functions is not None and cls is functions.kind:
            given_back: tuple[bytes, dict[str, Any]] = functions.give_back(value)
            return given_back
        if cls.__name__ == "coroutine":
            return None  # It is awaited, and what it returns is sent.
        if issubclass(cls, type):
            return b"O", {"type": self._class_number(value), "about": self._about_once(value)}
        with self._lock:
            key = id(value)
            reference = self._numbers.get(key)
            if reference is None:
                reference = self._next_number
                self._next_number += 1
                self._objects[reference] = value
                self._numbers[key] = reference
                self._counts[reference] = 0
            self._counts[reference] += 1
        journal = current.journal
        journal[reference] = journal.get(reference, 0) + 1
        about = self._about_once(cls)
        content = {"ref": reference, "class": self._class_number(cls), "about": about}
        if issubclass(cls, ModuleType):
            content["module"] = str(value.__name__)[:MAX_NAME_CHARACTERS]
        return b"O", content

    @staticmethod
    def begin() -> None:
        """Begin to encode a frame on this thread."""
        if current.journal:
            current.journal.clear()
        if current.given_back:
            current.given_back.clear()

    def take_back(self) -> None:
        """Let go of what this thread has encoded since ``begin``: it is not sent."""
        if current.given_back:
            self.functions.take_back()
        sent = [item for item in current.journal.items() if item[0] > 0]
        current.journal.clear()
        self.drop(b"".join([DROP.pack(*item) for item in sent]))

    def _class_number(self, cls: type) -> int:
        number = self._class_numbers.get(cls)
        if number is None:
            with self._lock:
                number = self._class_numbers.setdefault(cls, len(self._class_numbers) + 1)
                self._classes[number] = cls
        return number

    def _about_once(self, cls: type) -> list[Any]:
        """Describe a class, unless it is in this frame already."""
        key = -self._class_number(cls)
        if key in current.journal:
            return []
        current.journal[key] = 1
        return self._about(cls)

    def _about(self, cls: type) -> list[Any]:
        """Describe a class and its bases, each after its own bases; nothing if that is known."""
        if self._class_number(cls) in self._known:
            return []
        numbers: dict[type, int] = {}
        described = []
        for each in reversed(cls.__mro__):
            if each is not object or cls is object:
                numbers[each] = self._class_number(each)
                described.append(describe_class(each, numbers))
        return described

    def describe_error(self, error: BaseException) -> dict[str, Any]:
        """Return what a failure says of an exception's class and attributes, besides the usual."""
        cls = type(error)
        return {"class": self._class_number(cls), "about": self._about(cls)}

    def offer(self, module: Any) -> None:
        """Give the pod's module the number 0, for good."""
        self._objects[0] = module

    # From the host -----------------------------------------------------------------------------

    def find(self, content: dict[str, Any]) -> Any:
        """Return the object or class that the host names. Raises LookupError."""
        if "type" in content:
            cls = self._classes[content["type"]]
            self._known.add(content["type"])
            return cls
        value = self._objects[content["ref"]]
        self._known.add(self._class_number(type(value)))
        return value

    def function(self, name: str) -> Callable[..., Any] | None:
        """Return what a call of ``#REF.METHOD`` or ``#tCLASS.METHOD`` calls; None for no such.

        It looks for the object when it is called, so that it may be kept and holds nothing.
        """
        if name[:1] != "#":
            return None
        function = self._functions.get(name)
        if function is None:
            function = self._find_function(name)
            if function is not None:
                if len(self._functions) >= MAX_REMEMBERED_FUNCTIONS:
                    self._functions.clear()
                self._functions[name] = function
        return function

    def _find_function(self, name: str) -> Callable[..., Any] | None:
        try:
            table, number, method = self._read(name)
            if method[:1] == "+":
                return self.cursors.function(number, method)
        except (LookupError, ValueError):
            return None
        if method == "import_module" and not number:
            from importlib import import_module

            return import_module
        if method[:1] == "=":
            attribute = method[1:]
            return lambda: getattr(_find(table, number), attribute)
        operation = OPERATIONS.get(method)
        if operation is not None:
            return lambda *args, **kwargs: operation(_find(table, number), *args, **kwargs)

        def call(*args: Any, **kwargs: Any) -> Any:
            return getattr(_find(table, number), method)(*args, **kwargs)

        return call

    def attribute(self, name: str) -> Any:
        """Return the function itself that ``#REF.METHOD`` names. Raises LookupError."""
        table, number, method = self._read(name)
        value = table[number]
        return value if method == "__call__" else getattr(value, method)

    def _read(self, name: str) -> tuple[dict[int, Any], int, str]:
        """Return where ``#REF.METHOD`` or ``#tCLASS.METHOD`` finds what it names, and the method.

        Raises LookupError where that is nothing, ValueError for no such name.
        """
        reference, _, method = name[1:].partition(".")
        if reference[:1] == "t":
            number = int(reference[1:])
            self.find({"type": number})
            return self._classes, number, method
        number = int(reference)
        self.find({"ref": number})
        return self._objects, number, method

    def drop(self, packed: bytes) -> None:
        """Let go of objects that the host holds no more, as often as it had received them."""
        dropped = []
        with self._lock:
            for number, count in DROP.iter_unpack(packed):
                left = self._counts.get(number)
                if left is None:
                    continue
                if left > count:
                    self._counts[number] = left - count
                    continue
                del self._counts[number]
                value = self._objects.pop(number)
                del self._numbers[id(value)]
                dropped += [value, self.cursors.forget(number)]
        del dropped  # Out of the lock: their finalizers may do anything.

    def __len__(self) -> int:
        return len(self._counts)


def _find(table: dict[int, Any], number: int) -> Any:
    try:
        return table[number]
    except KeyError:
        raise LookupError(NO_SUCH_OBJECT) from None


def describe_class(cls: type, numbers: dict[type, int]) -> dict[str, Any]:
    """Return what the host needs to stand in for a class; it knows the others with a number."""
    methods, special = [], []
    for name, member in vars(cls).items():
        if name in _SPECIAL and member is not None and member is not _PLAIN[name]:
            special.append(name)
        elif not name.startswith("__") and len(name) < MAX_NAME_CHARACTERS and _is_method(member):
            methods.append(name)
    builtin = ""
    if issubclass(cls, BaseException):
        from pypods.wire.failures import nearest_builtin

        builtin = nearest_builtin(cls)
    return {
        "id": numbers[cls],
        "module": str(cls.__module__)[:MAX_NAME_CHARACTERS],
        "name": str(cls.__qualname__)[:MAX_NAME_CHARACTERS],
        # A class may choose its own order of bases, and leave some out.
        "bases": [numbers[base] for base in cls.__bases__ if base in numbers][:MAX_BASES],
        "methods": methods[:MAX_METHODS],
        "special": special,
        "builtin": builtin,
        "checks": type(cls).__instancecheck__ is not type.__instancecheck__,
        "rows": ways_of(cls),
    }


def _is_method(member: Any) -> bool:
    if isinstance(member, (staticmethod, classmethod)):
        return True
    return callable(member) and not isinstance(member, type) and hasattr(type(member), "__get__")
