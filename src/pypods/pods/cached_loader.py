"""A loader for code without a pod's folder: its environment comes from the cache."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypods.pods.cache import AskedEnvironment, use_environment
from pypods.pods.folder import PodFolder
from pypods.pods.loader import PodLoader

if TYPE_CHECKING:
    from pypods.pods.environment import Environment
    from pypods.pods.session import Session

__all__ = ["CachedLoader"]


class CachedLoader(PodLoader):
    """Loads a pod whose code is one file, or functions that are sent to it.

    ``asked`` finds its environment, which is in use, and so stays, while the pod is loaded. The
    options are those of ``PodLoader``. A call loads the pod where it is not loaded.
    """

    def __init__(
        self, pod_name: str, asked: AskedEnvironment, *, file: Path | None = None, **options: Any
    ) -> None:
        super().__init__(pod_name, **options)
        self._asked = asked
        self._file = file

    @property
    def folder(self) -> PodFolder:
        """The environment's folder in the cache."""
        return self._asked.folder(self.pod_name)

    def session(self) -> Session:
        """Return the least busy session; the pod is loaded where it is not."""
        if self.pod is None:
            self.load_pod()
        return super().session()

    def _code(self) -> str:
        return "" if self._file is None else os.fspath(self._file)

    def _prepare(self) -> Environment:
        environment, use = use_environment(self._asked, self.pod_name, progress=self._progress)
        self._keep_in_use(use)
        return environment
