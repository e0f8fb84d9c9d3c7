"""What ``import`` finds while names of modules are a pod's: the finder, its loader, the modules.

One finder stands first in ``sys.meta_path`` while there are such names. What it finds goes into
``sys.modules``, as with every import, and is taken out again with its name.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from threading import RLock
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pypods.errors import PodError
from pypods.pods.proxies import PodModule, is_the_languages

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.metadata import Distribution

    from pypods.pods.imports import PodImports

__all__ = ["FINDER", "ImportedModule", "is_below"]

_NOTHING: Any = object()


class ImportedModule(PodModule):  # noqa: D101 - a docstring would be that of its instances
    # A module of a pod that was imported by its name: in a pod that is started anew, the new one.
    __doc__: Any = vars(PodModule)["__doc__"]

    def __init__(self, imports: PodImports, name: str) -> None:
        ModuleType.__init__(self, name)
        vars(self).pop("__doc__")
        vars(self).update(_pypods_imports=imports, _pypods_current=(None, None))

    @property
    def _pypods_module(self) -> PodModule:
        session, module = self._pypods_current
        now = self._pypods_imports.session()
        if session is not now:
            module = now.import_module(self.__name__)
            vars(self)["_pypods_current"] = (now, module)
        return module  # type: ignore[no-any-return]

    @property
    def _pypods_mirrors(self) -> Any:  # type: ignore[override]
        return self._pypods_module._pypods_mirrors

    @property
    def _pypods_number(self) -> int:  # type: ignore[override]
        return self._pypods_module._pypods_number

    def __getattr__(self, name: str) -> Any:
        if name == "__file__" or is_the_languages(name):  # That is set here, or not there.
            raise AttributeError(f"module {self.__name__!r} of a pod has no attribute {name!r}")
        try:
            value = getattr(self._pypods_module, name)
        except AttributeError:
            if name != "__all__":
                raise
            # Else "import *" would look into this object, and silently find nothing.
            return [each for each in dir(self) if not each.startswith("_")]
        if type(value) is PodModule and self._pypods_imports.covers(value.__name__):
            return self._pypods_imported(value)
        return value

    def _pypods_imported(self, module: PodModule) -> PodModule:
        """Return what ``import`` gives of a module of the pod that is an attribute here."""
        imports = self._pypods_imports
        known = sys.modules.get(module.__name__)
        if isinstance(known, ImportedModule) and vars(known)["_pypods_imports"] is imports:
            return known
        found: ModuleType | None = None
        if imports.is_installed:
            with suppress(ImportError):  # One that something made, and nobody can import.
                found = importlib.import_module(module.__name__)
        return found if isinstance(found, PodModule) else module

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, ImportedModule) and value.__name__ == f"{self.__name__}.{name}":
            vars(self)[name] = value  # The import system's, of a module below this one.
        elif name.startswith("__"):
            vars(self)[name] = value
        else:
            setattr(self._pypods_module, name, value)
            vars(self).pop(name, None)

    def __delattr__(self, name: str) -> None:
        if vars(self).pop(name, _NOTHING) is _NOTHING:
            delattr(self._pypods_module, name)

    def __del__(self) -> None:
        # It is no reference itself: the module that it holds is.
        return

    def __repr__(self) -> str:
        imports = self._pypods_imports
        return f"<module '{self.__name__}' in pod '{imports.pod_name}' {imports.state}>"


class _PodModuleLoader(Loader):
    """Makes what stands for one module of a pod."""

    def __init__(self, imports: PodImports) -> None:
        self._imports = imports

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return ImportedModule(self._imports, spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Import the module in the pod, or, where it is here already, reload it there."""
        namespace = vars(module)
        session, known = namespace["_pypods_current"]
        try:
            current: PodModule = module._pypods_module
            if known is current:
                session.import_module("importlib").reload(current)
                for name in [each for each in vars(current) if not each.startswith("_")]:
                    del vars(current)[name]  # Classes and functions are others now.
        except ImportError as exc:
            self._imports.tell(exc, module.__name__)
            raise
        # Asked once: whoever looks through sys.modules, as inspect does, asks every module.
        namespace.pop("__file__", None)
        file = getattr(current, "__file__", None)
        if type(file) is str:
            namespace["__file__"] = file
        if not self._imports.is_installed:
            raise ImportError(
                f"{module.__name__!r} was being imported when {self._imports!r} was undone",
                name=module.__name__,
            )


class PodFinder(MetaPathFinder):
    """Finds modules in pods: of those who have a name, the one who was installed last."""

    def __init__(self) -> None:
        #: Replaced and never changed: imports read it on any thread, without the lock.
        self.installed: tuple[PodImports, ...] = ()
        self._lock = RLock()
        #: What the host has under names that pods have now, and on the packages above them.
        self._displaced: dict[str, ModuleType] = {}
        self._displaced_attributes: dict[str, Any] = {}

    # Of the import system.

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - as the import system calls it
        target: Any = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Return the specification of a module that a pod has; None for any other."""
        imports = self._owner(fullname)
        if imports is None:
            return None
        is_package = imports.find_in_pod(fullname)
        if is_package is None:
            return None
        return ModuleSpec(
            fullname,
            _PodModuleLoader(imports),
            origin=f'pod "{imports.pod_name}"',
            is_package=is_package,
        )

    def find_distributions(self, context: Any = None) -> Iterator[Distribution]:
        """Yield the distribution of that name, where it is what a pod has a module from.

        Its files are read where the pod has them. To who lists all there are, none is added.
        """
        name = getattr(context, "name", None)
        if name is None:
            return
        for imports in reversed(self.installed):
            yield from imports.distributions(name)

    # Of the pods.

    def add(self, imports: PodImports, *, shadow: bool) -> None:
        """Take names up. Raises PodError for one that is the host's own, unless ``shadow``."""
        with self._lock:
            imports.roots = tuple(map(self._root_of, imports.names))
            for root in imports.roots:
                found = None if shadow else self._find_here(root)
                if found is not None:
                    raise PodError(
                        f'{root!r} is here already ({found}), so that of pod "{imports.pod_name}" '
                        "does not take its place; shadow=True asks for that of the pod"
                    )
            for root in imports.roots:
                self._displace(root)
            self.installed = (*self.installed, imports)
            if self not in sys.meta_path:
                sys.meta_path.insert(0, self)

    def remove(self, imports: PodImports) -> bool:
        """Let names go; return whether they were there."""
        with self._lock:
            if imports not in self.installed:
                return False
            self.installed = tuple(each for each in self.installed if each is not imports)
            for root in imports.roots:
                self._displace(root)
            self._restore()
            if not self.installed and self in sys.meta_path:
                sys.meta_path.remove(self)
            return True

    def _owner(self, name: str) -> PodImports | None:
        return next((each for each in reversed(self.installed) if each.covers(name)), None)

    def _root_of(self, name: str) -> str:
        """Return a name, or of the packages above it the highest that is not to be had here."""
        parts = name.split(".")
        for count in range(1, len(parts)):
            above = ".".join(parts[:count])
            if self._owner(above) is None and self._find_here(above) is None:
                return above
            importlib.import_module(above)
        return name

    def _find_here(self, name: str) -> str | None:
        """Return where the host has a module; None for nowhere. What is above is imported."""
        known = sys.modules.get(name, _NOTHING)
        if known is not _NOTHING and not isinstance(known, ImportedModule):
            return str(getattr(known, "__file__", None) or "imported")
        above = name.rpartition(".")[0]
        path = getattr(sys.modules[above], "__path__", ()) if above else None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path)
            if spec is not None:
                return str(spec.origin or next(iter(spec.submodule_search_locations or ()), ""))
        return None

    def _displace(self, name: str) -> None:
        """Take a module and those below it out of where ``import`` looks first."""
        for key in [each for each in list(sys.modules) if is_below(each, name)]:
            module = sys.modules.pop(key)
            if not isinstance(module, ImportedModule):
                self._displaced[key] = module
        above, _, child = name.rpartition(".")
        parent = sys.modules.get(above)
        value = vars(parent).pop(child, _NOTHING) if parent is not None else _NOTHING
        if value is not _NOTHING and not isinstance(value, ImportedModule):
            self._displaced_attributes[name] = value

    def _restore(self) -> None:
        """Put back what the host had under names that no pod has any more."""
        for name in [each for each in self._displaced if self._owner(each) is None]:
            module = self._displaced.pop(name)
            sys.modules.setdefault(name, module)
        for name in [each for each in self._displaced_attributes if self._owner(each) is None]:
            value = self._displaced_attributes.pop(name)
            above, _, child = name.rpartition(".")
            parent = sys.modules.get(above)
            if parent is not None and child not in vars(parent):
                setattr(parent, child, value)


def is_below(name: str, root: str) -> bool:
    """Whether a module is the root or one below it."""
    return name == root or name.startswith(root + ".")


#: The one there is: names of several pods have to know of each other.
FINDER = PodFinder()
