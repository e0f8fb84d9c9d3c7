"""Names of modules that ``import`` finds in a pod; the import system's side is in ``finder``."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, Any

from pypods.errors import PodCallError, PodError
from pypods.pods.finder import FINDER, is_below
from pypods.pods.loader import OneWorker, PodLoader
from pypods.pods.pod import Pod

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pypods.pods.session import Session

__all__ = ["PodImports", "install_imports"]


def install_imports(*names: str, pod: str | PodLoader | Pod, shadow: bool = False) -> PodImports:
    """Let ``import`` of these names, and of modules below them, give the modules of a pod.

    ``pod`` is a name, a loader or a loaded pod; what is not loaded is loaded now, and unloaded when
    the result is undone: by ``undo()``, or by ``with``. What is installed here as well comes first
    unless ``shadow``. Raises ModuleNotFoundError for a name that the pod has not, PodError for one
    that is installed here, and what loading a pod raises.
    """
    if isinstance(pod, Pod):
        source: Any = pod._pypods_source
        return PodImports(source, names, shadow=shadow)
    loader = PodLoader(pod) if isinstance(pod, str) else pod
    if not isinstance(loader, PodLoader):
        raise TypeError(f"a pod is a name, a PodLoader or a loaded pod, not {pod!r}")
    was_loaded = loader.pod is not None
    loader.load_pod()
    try:
        return PodImports(loader, names, shadow=shadow, unloads=not was_loaded)
    except BaseException:
        if not was_loaded:
            loader.unload_pod()
        raise


class PodImports:
    """Names that ``import`` finds in a pod, until ``undo()`` or the end of a ``with``."""

    def __init__(
        self,
        source: PodLoader | OneWorker,
        names: Iterable[str],
        *,
        shadow: bool = False,
        unloads: bool = False,
    ) -> None:
        self.names = tuple(dict.fromkeys(names))
        for name in self.names:
            if not all(map(str.isidentifier, name.split("."))):
                raise ValueError(f"{name!r} is no name of a module")
        if not self.names:
            raise ValueError("give the name of a module that is to be imported from the pod")
        self.pod_name = source.pod_name
        self._loader = source if isinstance(source, PodLoader) else source.loader
        # Classes are a worker's own, so all modules have to be of the same one.
        self._source = source.one_worker() if isinstance(source, PodLoader) else source
        self._unloads = unloads
        #: The names, and the packages above them that only the pod has.
        self.roots = self.names
        for name in self.names:
            if self.find_in_pod(name) is None:
                raise ModuleNotFoundError(
                    f'pod "{self.pod_name}" has no module {name!r}; see its requirements.txt',
                    name=name,
                )
        FINDER.add(self, shadow=shadow)

    def undo(self) -> None:
        """Let ``import`` be as it was; modules that were imported work on for who has them."""
        if FINDER.remove(self) and self._unloads:
            self._loader.unload_pod()

    def __enter__(self) -> PodImports:
        if not self.is_installed:
            raise PodError(f"{self!r} is undone; install the names anew")
        return self

    def __exit__(self, *error: object) -> None:
        self.undo()

    @property
    def is_installed(self) -> bool:
        """Whether it is not undone yet."""
        return self in FINDER.installed

    def __repr__(self) -> str:
        state = "installed" if self.is_installed else "undone"
        return f"<PodImports {', '.join(self.names)} of pod {self.pod_name!r} {state}>"

    def covers(self, name: str) -> bool:
        """Whether a module is to be had from the pod: it has one of the names, or is below."""
        return any(is_below(name, root) for root in self.roots)

    def session(self) -> Session:
        """Return the session in which the modules are; one that died is started anew."""
        return self._source.session()

    @property
    def state(self) -> str:
        """How the pod stands."""
        return self._source.state

    def find_in_pod(self, name: str) -> bool | None:
        """Return whether a module of the pod is a package; None if there is no such module.

        Raises what a package above it raises when it is imported.
        """
        finder = self.session().import_module("importlib.util")
        above = name.rpartition(".")[0]
        try:
            spec = finder.find_spec(name)
        except ModuleNotFoundError as exc:
            missing = exc.name if isinstance(exc.name, str) else ""
            if missing == name or is_below(above, missing):
                return None
            self.tell(exc, above)
            raise
        except ImportError as exc:
            self.tell(exc, above)
            raise
        except ValueError:  # A module that something made without a specification.
            return hasattr(self.session().import_module(name), "__path__")
        return None if spec is None else spec.submodule_search_locations is not None

    def tell(self, error: ImportError, name: str) -> None:
        """Let an error of the pod's imports say in its first line where it happened."""
        if isinstance(error, PodCallError):
            error.text = f'{name!r} in pod "{self.pod_name}": {error}'

    def distributions(self, name: str) -> Iterator[importlib.metadata.Distribution]:
        """Yield what is installed in the pod by that name and has one of the modules."""
        folders = self._loader.folder.path.glob("venv/lib*/python*/site-packages")
        context = importlib.metadata.DistributionFinder.Context(
            name=name, path=list(map(str, folders))
        )
        for found in importlib.metadata.MetadataPathFinder.find_distributions(context):
            if any(root.partition(".")[0] in _top_levels(found) for root in self.roots):
                yield found


def _top_levels(distribution: importlib.metadata.Distribution) -> set[str]:
    """Return the names that a distribution lets one import."""
    said = (distribution.read_text("top_level.txt") or "").split()
    return set(said) or {each.parts[0].partition(".")[0] for each in distribution.files or ()}
