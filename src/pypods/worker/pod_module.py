"""``pod.py`` as the module ``pods.<name>.pod``; nothing of how it is called."""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

from pypods.wire.rebuilding import Classes

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = ["PodClasses", "import_pod", "offered_functions", "register_pod", "run_as_script"]

#: Tells a child of the pod that runs our bootstrap again where the pod lies.
FOLDER_VARIABLE = "PYPODS_POD_FOLDER"
_FUNCTION_TYPES = (FunctionType, BuiltinFunctionType, MethodType)


def register_pod(name: str, folder: str) -> None:
    """Make ``pods.<name>`` importable from its folder, whatever the current directory is.

    Other pods beside it are not importable. A plain ``import helpers`` finds the pod's own files
    too, after everything that is installed. A pod whose code is one file of another name has that
    file's path for a folder; one without any code "", and an empty module.
    """
    pods = ModuleType("pods", "The pods; in this process, one.")
    pods.__path__ = []
    os.environ[FOLDER_VARIABLE] = folder
    sys.modules["pods"] = pods
    if not folder or folder.endswith(".py"):
        package = ModuleType("pods." + name)
        package.__path__ = []
        sys.modules["pods." + name] = package
        setattr(pods, name, package)
        if folder:
            sys.path.append(os.path.dirname(folder))
            sys.meta_path.append(_FileFinder("pods." + name + ".pod", folder))
        else:
            sys.modules["pods." + name + ".pod"] = ModuleType("pods." + name + ".pod")
        return
    if folder not in sys.path:
        sys.path.append(folder)
    initial = os.path.join(folder, "__init__.py")
    if os.path.exists(initial):
        # A folder whose name differs from the pod's (a link, a copy) is this pod all the same.
        from importlib.util import module_from_spec, spec_from_file_location

        spec = spec_from_file_location("pods." + name, initial, submodule_search_locations=[folder])
        assert spec is not None
        assert spec.loader is not None
        package = module_from_spec(spec)
        sys.modules["pods." + name] = package
        setattr(pods, name, package)
        spec.loader.exec_module(package)
    else:
        package = ModuleType("pods." + name)
        package.__path__ = [folder]
        sys.modules["pods." + name] = package
        setattr(pods, name, package)


class _FileFinder:
    """Finds one module, in a file of any name."""

    def __init__(self, module: str, file: str) -> None:
        self.module = module
        self.file = file

    def find_spec(self, module: str, path: Any = None, target: Any = None) -> Any:  # noqa: ARG002
        """Return where the module is, None for any other, as the import system asks."""
        if module != self.module:
            return None
        from importlib.util import spec_from_file_location

        return spec_from_file_location(module, self.file)


def _code_file(folder: str) -> str:
    return folder if folder.endswith(".py") else os.path.join(folder, "pod.py")


def import_pod(name: str, folder: str) -> Any:
    """Import ``pod.py`` and return its module. Raises whatever its code raises."""
    register_pod(name, folder)
    sys.argv[:] = [_code_file(folder)] if folder else [""]
    __import__("pods." + name + ".pod")
    return sys.modules["pods." + name + ".pod"]


def run_as_script(name: str, folder: str, arguments: list[str]) -> None:
    """Run ``pod.py`` as ``__main__``, with stdin and stdout as they are."""
    from runpy import run_path

    register_pod(name, folder)
    path = _code_file(folder)
    sys.argv[:] = [path, *arguments]
    run_path(path, run_name="__main__")


def offered_functions(module: Any) -> dict[str, Callable[..., Any]]:
    """Return what a pod offers: the functions in ``pod.py``'s global scope, by name.

    ``__all__`` narrows them, and may name any other callable that is no class. Names that begin
    with an underscore are never offered.
    """
    namespace = vars(module)
    chosen = namespace.get("__all__")
    offered = {}
    for name in namespace if chosen is None else chosen:
        if name.startswith("_") or name not in namespace:
            continue
        value = namespace[name]
        if isinstance(value, type):
            continue
        if _is_function(value) if chosen is None else callable(value):
            offered[name] = value
    return offered


def other_names(module: Any, functions: Any) -> list[str]:
    """Return what else a pod offers by name: modules, classes, constants; as its functions are."""
    namespace = vars(module)
    chosen = namespace.get("__all__")
    return [
        name
        for name in (namespace if chosen is None else chosen)
        if isinstance(name, str)
        and not name.startswith("_")
        and name in namespace
        and name not in functions
        and name.isidentifier()
        and type(namespace[name]).__module__ != "__future__"
    ]


def _is_function(value: Any) -> bool:
    """Whether a value is a function, or a callable that wraps one (a decorator's, a partial)."""
    if isinstance(value, _FUNCTION_TYPES):
        return True
    if not callable(value) or isinstance(value, ModuleType):
        return False
    cls = type(value)
    return hasattr(value, "__wrapped__") or (cls.__module__, cls.__name__) == (
        "functools",
        "partial",
    )


class PodClasses(Classes):
    """The classes that a value from the host may become here: those already loaded in the pod."""

    trusts = True
    arrow_libraries = ("polars", "pyarrow")

    def __init__(self, pod_module: Any = None) -> None:
        self.pod_module = pod_module
        #: What the host holds of this pod (``pypods.worker.references``).
        self.references: Any = None
        #: Asks the host, for the functions and iterators that it passed.
        self.ask: Any = None
        #: The host's functions that are held here, from the first one on; and those of which it
        #: is to be told that they are not any more.
        self.functions: Any = None
        self.let_go: list[Any] = []
        self._lock = allocate_lock()

    def find(self, module: str, qualname: str) -> type | None:
        """Return a loaded class by module and qualified name, or ``pod.py``'s own of that name."""
        for place in (sys.modules.get(module), self.pod_module):
            found = place
            for part in qualname.split("."):
                found = getattr(found, part, None)
            if isinstance(found, type):
                return found
        return None

    def take_handle(self, kind: int, content: dict[str, Any]) -> object:
        """Return what stands for a function or an iterator of the host."""
        if kind == ord("O"):
            return self.references.find(content)
        if kind == ord("k"):
            return (self._begin_functions() if self.functions is None else self.functions).take(
                content
            )
        if kind == ord("h"):
            from pypods.worker.host_values import HostIterator

            return HostIterator(self.ask, content)
        return super().take_handle(kind, content)

    def _begin_functions(self) -> Any:
        from pypods.worker.host_functions import HostFunctions

        with self._lock:  # Several threads may get a first one at once.
            if self.functions is None:
                self.functions = HostFunctions(self.ask, self.let_go)
                self.references.functions = self.functions
        return self.functions
