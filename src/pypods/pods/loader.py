"""Pods loaded and unloaded: environment, worker and namespace brought together."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from pypods.pods.folder import PodFolder, check_pod_name, create_pod_folder, find_pod_folder
from pypods.pods.pod import Pod
from pypods.wire.arena import DEFAULT_MAX_SHARED_BYTES
from pypods.wire.frames import DEFAULT_MAX_FRAME_BYTES, MINIMUM_FRAME_BYTES

if TYPE_CHECKING:
    from types import TracebackType

    from pypods.pods.environment import Environment
    from pypods.pods.progress import Progress
    from pypods.pods.session import Session
    from pypods.wire.messages import Hello

__all__ = ["PodLoader"]

DEFAULT_START_TIMEOUT_SECONDS = 120.0
#: More than there are addresses for, on most machines.
MAX_SHARED_BYTES_LIMIT = 2**46

_loaders: weakref.WeakSet[PodLoader] = weakref.WeakSet()


class PodLoader:
    """Loads one pod: makes its environment, launches its interpreter once, calls into it.

    >>> with PodLoader("hello") as hello:  # doctest: +SKIP
    ...     hello.hello("Ada")

    ``pod_name`` is an identifier, the name of the folder in ``pods_directory``. ``namespace``, such
    as ``globals()``, receives the pod under its name while it is loaded. ``python`` is a version
    ("3.8"), a specifier (">=3.9,<3.12") or a path. ``timeout`` is the seconds any call may take and
    ``start_timeout`` those the import of ``pod.py`` may take; None is for ever. ``installer`` is
    "uv" or "pip". ``max_frame_bytes`` bounds one message, and so the memory a pod can make the host
    set aside. ``max_shared_bytes`` is the size of the memory shared with the pod in each direction,
    through which large values go; 0 does without. Arrays and views that arrive, on either side, are
    read-only unless ``writable_arrays``. ``environment_variables`` are added to the host's.
    ``types`` are the enum and dataclass classes that the pod's values may become here, by their
    qualified name.
    """

    def __init__(
        self,
        pod_name: str,
        namespace: dict[str, Any] | None = None,
        *,
        pods_directory: str | os.PathLike[str] = "pods",
        python: str | os.PathLike[str] | None = None,
        timeout: float | None = None,
        start_timeout: float | None = DEFAULT_START_TIMEOUT_SECONDS,
        installer: str = "uv",
        max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES,
        max_shared_bytes: int = DEFAULT_MAX_SHARED_BYTES,
        writable_arrays: bool = False,
        environment_variables: Mapping[str, str] | None = None,
        types: Iterable[type] = (),
        progress: Progress | None = None,
    ) -> None:
        check_pod_name(pod_name)
        if max_frame_bytes < MINIMUM_FRAME_BYTES or max_frame_bytes >= 2**31:
            raise ValueError(
                f"max_frame_bytes is between {MINIMUM_FRAME_BYTES} and 2**31 - 1 (BSON's own "
                f"limit), not {max_frame_bytes}"
            )
        if not 0 <= max_shared_bytes <= MAX_SHARED_BYTES_LIMIT:
            raise ValueError(f"max_shared_bytes is between 0 and 2**46, not {max_shared_bytes}")
        for option, seconds in (("timeout", timeout), ("start_timeout", start_timeout)):
            if seconds is not None and not seconds > 0:
                raise ValueError(f"{option} is in seconds and positive, not {seconds!r}")
        self.pod_name = pod_name
        self.namespace = namespace
        self.timeout = timeout
        self.pod: Pod | None = None
        self._pods_directory = Path(pods_directory).absolute()
        self._python = None if python is None else os.fspath(python)
        self._start_timeout = start_timeout
        self._installer = installer
        self._max_frame_bytes = max_frame_bytes
        self._max_shared_bytes = max_shared_bytes
        self._writable_arrays = writable_arrays
        self._environment_variables = dict(environment_variables or {})
        self._types = tuple(types)
        self._progress = progress
        self._session: Session | None = None
        self._starting = RLock()
        self._finalizer: weakref.finalize[Any, Any] | None = None
        _loaders.add(self)

    # State -------------------------------------------------------------------------------------

    @property
    def folder(self) -> PodFolder:
        """The pod's folder. Raises PodNotFoundError if there is none yet."""
        return find_pod_folder(self.pod_name, pods_directory=self._pods_directory)

    @property
    def state(self) -> str:
        """``STOPPED``, ``RUNNING`` or ``DIED`` (the next call starts it anew)."""
        if self._session is None:
            return "STOPPED"
        return "DIED" if self._session.has_died() else "RUNNING"

    @property
    def pid(self) -> int | None:
        """The worker's process id; None if none runs."""
        session = self._session
        return session.pid if session is not None and not session.has_died() else None

    @property
    def hello(self) -> Hello | None:
        """What the running worker said of itself: its Python, platform and pid."""
        session = self._session
        return session.hello if session is not None and not session.has_died() else None

    def __repr__(self) -> str:
        pid = "" if self.pid is None else f" pid={self.pid}"
        return f"<PodLoader {self.pod_name} {self.state}{pid}>"

    # Loading -----------------------------------------------------------------------------------

    def load_pod(self) -> Pod:
        """Launch the pod and return it, creating its folder and environment where needed.

        A pod that is loaded already is returned as it is. Raises PodEnvironmentError,
        PodStartError, PodTimeoutError or ProtocolError.
        """
        with self._starting:
            if self.pod is None:
                pod = Pod(self)
                self._start(pod)
                self.pod = pod
            if self.namespace is not None:
                self.namespace[self.pod_name] = self.pod
            return self.pod

    def unload_pod(self) -> None:
        """Stop the worker and take the name out of the namespace; nothing happens if unloaded."""
        with self._starting:
            pod, self.pod = self.pod, None
            session, self._session = self._session, None
            if self._finalizer is not None:
                self._finalizer.detach()
            if self.namespace is not None and self.namespace.get(self.pod_name) is pod is not None:
                del self.namespace[self.pod_name]
            if session is not None:
                session.stop()

    def __enter__(self) -> Pod:
        return self.load_pod()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.unload_pod()

    def session(self) -> Session:
        """Return the running session; a pod that died, or was not started here, is started."""
        session = self._session
        if session is not None and session.is_alive:
            return session
        with self._starting:
            session = self._session
            if session is not None and session.is_alive:
                return session
            if self.pod is None:
                from pypods.errors import PodError

                raise PodError(f'pod "{self.pod_name}" is not loaded; call load_pod()')
            return self._start(self.pod)

    def _start(self, pod: Pod) -> Session:
        environment = self._prepare()
        # Only here, so that importing this module stays light.
        from pypods.pods.codec import HostClasses
        from pypods.pods.startup import start_session

        session = start_session(
            self.pod_name,
            self.folder.path,
            environment.python,
            timeout=self._start_timeout,
            max_frame_bytes=self._max_frame_bytes,
            max_shared_bytes=self._max_shared_bytes,
            writable_arrays=self._writable_arrays,
            environment_variables=self._environment_variables,
            classes=HostClasses(self._types),
        )
        if self._finalizer is not None:
            self._finalizer.detach()
        # At the loader's end or at the interpreter's, whichever comes first.
        self._finalizer = weakref.finalize(self, session.stop)
        self._session = session
        pod._pypods_set_offer(session.functions)
        return session

    def _prepare(self) -> Environment:
        """Return a whole environment, making the pod's folder and the environment if needed."""
        from pypods.errors import PodNotFoundError
        from pypods.pods.environment import ensure_environment

        try:
            folder = self.folder
        except PodNotFoundError:
            folder = create_pod_folder(self.pod_name, pods_directory=self._pods_directory)
        return ensure_environment(
            folder, python=self._python, installer=self._installer, progress=self._progress
        )

    def _forget(self) -> None:
        """In a forked child: the worker is the parent's; the next call here starts its own."""
        self._session = None
        self._starting = RLock()
        if self._finalizer is not None:
            self._finalizer.detach()


def _forget_all() -> None:
    for loader in list(_loaders):
        loader._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
