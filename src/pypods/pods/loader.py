"""Pods loaded and unloaded: environment, worker and namespace brought together."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from pypods.pods.folder import PodFolder, check_pod_name, create_pod_folder, find_pod_folder
from pypods.pods.pod import Pod
from pypods.wire.arena import DEFAULT_MAX_SHARED_BYTES
from pypods.wire.frames import DEFAULT_MAX_FRAME_BYTES, MINIMUM_FRAME_BYTES

if TYPE_CHECKING:
    from pypods.pods.environment import Environment
    from pypods.pods.lock import Use
    from pypods.pods.progress import Progress
    from pypods.pods.session import Session
    from pypods.wire.messages import Hello

__all__ = ["PodLoader"]

DEFAULT_START_TIMEOUT_SECONDS = 120.0
#: More than there are addresses for, on most machines.
MAX_SHARED_BYTES_LIMIT = 2**46

#: More would be no faster.
MAX_PREFETCH_ROWS = 100_000

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
    qualified name. ``threads`` is how many calls run side by side in the pod; 0 is one at a time,
    on its main thread, as drivers and libraries with signal handlers expect. ``workers`` is how
    many processes of the pod share its calls, each going to the least busy; see ``sticky`` for
    state that must stay in one. ``prefetch_rows`` is how many rows of a database cursor that lives
    in the pod are read ahead at the most, while a program takes one after the other; 0 is none.
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
        threads: int = 0,
        workers: int = 1,
        prefetch_rows: int = 1024,
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
        if threads < 0:
            raise ValueError(f"threads is 0 (one call at a time) or more, not {threads}")
        if workers < 1:
            raise ValueError(f"workers is 1 or more, not {workers}")
        if not 0 <= prefetch_rows <= MAX_PREFETCH_ROWS:
            raise ValueError(
                f"prefetch_rows is between 0 (none) and {MAX_PREFETCH_ROWS}, not {prefetch_rows}"
            )
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
        self._threads = threads
        self._prefetch_rows = prefetch_rows
        self._progress = progress
        self._sessions: list[Session | None] = [None] * workers
        self._starting = RLock()
        self._finalizers: list[weakref.finalize[Any, Any] | None] = [None] * workers
        #: How many ``sticky`` blocks keep to each worker.
        self._kept_to = [0] * workers
        #: What keeps a folder in the user's cache from being pruned, while the pod is loaded.
        self._use: Use | None = None
        _loaders.add(self)

    # State -------------------------------------------------------------------------------------

    @property
    def folder(self) -> PodFolder:
        """The pod's folder: the project's own, else of a connector that comes with pypods.

        Raises PodNotFoundError if there is none yet.
        """
        from pypods.errors import PodNotFoundError

        try:
            return find_pod_folder(self.pod_name, pods_directory=self._pods_directory)
        except PodNotFoundError:
            from pypods.pods.shipped import find_shipped_pod

            shipped = find_shipped_pod(self.pod_name)
            if shipped is None:
                raise
            return shipped

    @property
    def state(self) -> str:
        """``STOPPED``, ``RUNNING`` or ``DIED`` (the next call starts it anew)."""
        started = [session for session in self._sessions if session is not None]
        if not started:
            return "STOPPED"
        return "DIED" if all(session.has_died() for session in started) else "RUNNING"

    @property
    def pid(self) -> int | None:
        """The worker's process id (of several, the first's); None if none runs."""
        return next(iter(self.pids), None)

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers that run."""
        return [session.pid for session in self._living()]

    @property
    def hello(self) -> Hello | None:
        """What a running worker said of itself: its Python, platform and pid."""
        return next((session.hello for session in self._living()), None)

    def _living(self) -> list[Session]:
        return [each for each in self._sessions if each is not None and not each.has_died()]

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
                try:
                    for index in range(len(self._sessions)):
                        self._start(pod, index)
                except BaseException:
                    self.unload_pod()
                    raise
                self.pod = pod
            if self.namespace is not None:
                self.namespace[self.pod_name] = self.pod
            return self.pod

    def unload_pod(self) -> None:
        """Stop the worker and take the name out of the namespace; nothing happens if unloaded."""
        with self._starting:
            pod, self.pod = self.pod, None
            sessions, self._sessions = self._sessions, [None] * len(self._sessions)
            for finalizer in self._finalizers:
                if finalizer is not None:
                    finalizer.detach()
            if self.namespace is not None and self.namespace.get(self.pod_name) is pod is not None:
                del self.namespace[self.pod_name]
            for session in sessions:
                if session is not None:
                    session.stop()
            use, self._use = self._use, None
            if use is not None:
                use.end()

    def __enter__(self) -> Pod:
        return self.load_pod()

    def __exit__(self, *_: object) -> None:
        self.unload_pod()

    def session(self) -> Session:
        """Return the least busy session; one that died, or was never started, is started."""
        sessions = self._sessions
        session = sessions[0]
        if len(sessions) > 1:
            index = self._least_busy()
            session = sessions[index]
        else:
            index = 0
        if session is not None and session.is_alive:
            return session
        return self.session_at(index)

    def running_sessions(self) -> list[Session]:
        """Return the sessions of the workers that run."""
        return [each for each in self._sessions if each is not None and each.is_alive]

    def _least_busy(self, *, kept_to: bool = False) -> int:
        """Return the index of the worker with the fewest calls; a dead one counts as idle.

        With ``kept_to``, of those to which the fewest ``sticky`` blocks keep.

        A call made in answering a worker is that worker's: it does it at once. Behind the calls
        of another, two callbacks could wait for each other.
        """
        for index, session in enumerate(self._sessions):
            if session is not None and session.is_alive and session.is_answered_here():
                return index

        def calls(index: int) -> tuple[int, int]:
            session = self._sessions[index]
            count = session.calls_under_way if session is not None and session.is_alive else 0
            return self._kept_to[index] if kept_to else 0, count

        return min(range(len(self._sessions)), key=calls)

    def session_at(self, index: int) -> Session:
        """Return the session of one of the workers, started if it does not run."""
        session = self._sessions[index]
        if session is not None and session.is_alive:
            return session
        with self._starting:
            session = self._sessions[index]
            if session is not None and session.is_alive:
                return session
            if self.pod is None:
                from pypods.errors import PodError

                raise PodError(f'pod "{self.pod_name}" is not loaded; call load_pod()')
            return self._start(self.pod, index)

    @contextmanager
    def sticky(self) -> Iterator[Pod]:
        """Give the pod, with every call going to one of its workers: the least busy now.

        For what a worker keeps between calls, an open connection say. As many such blocks as there
        are workers have one each; calls of others are not kept away from it.
        """
        if self.pod is None:
            self.load_pod()
        with self._starting:
            index = self._least_busy(kept_to=True)
            self._kept_to[index] += 1
        try:
            one = OneWorker(self, index)
            pod = Pod(one)
            pod._pypods_set_offer(one.session().functions)
            yield pod
        finally:
            with self._starting:
                self._kept_to[index] -= 1

    def one_worker(self) -> PodLoader | OneWorker:
        """Return the source of one worker's sessions: of several workers the least busy now."""
        return self if len(self._sessions) == 1 else OneWorker(self, self._least_busy())

    def _start(self, pod: Pod, index: int) -> Session:
        environment = self._prepare()
        # Only here, so that importing this module stays light.
        from pypods.pods.codec import HostClasses
        from pypods.pods.startup import start_session

        session = start_session(
            self.pod_name,
            self._code(),
            environment.python,
            timeout=self._start_timeout,
            max_frame_bytes=self._max_frame_bytes,
            max_shared_bytes=self._max_shared_bytes,
            writable_arrays=self._writable_arrays,
            environment_variables=self._environment_variables,
            classes=HostClasses(self._types),
            threads=self._threads,
        )
        finalizer = self._finalizers[index]
        if finalizer is not None:
            finalizer.detach()
        # At the loader's end or at the interpreter's, whichever comes first.
        self._finalizers[index] = weakref.finalize(self, session.stop)
        self._sessions[index] = session
        session.timeout = self.timeout
        session.prefetch_rows = self._prefetch_rows
        pod._pypods_set_offer(session.functions)
        return session

    def _code(self) -> str:
        """Return what the worker imports: the pod's folder, for its ``pod.py``."""
        return os.fspath(self.folder.path)

    def _prepare(self) -> Environment:
        """Return a whole environment, making the pod's folder and the environment if needed."""
        from pypods.errors import PodNotFoundError
        from pypods.pods.cache import CachedFolder
        from pypods.pods.environment import ensure_environment
        from pypods.pods.lock import Use

        try:
            folder = self.folder
        except PodNotFoundError:
            folder = create_pod_folder(self.pod_name, pods_directory=self._pods_directory)
        if isinstance(folder, CachedFolder):
            with suppress(OSError):  # Who may not write there, may not remove anything either.
                self._keep_in_use(Use(folder.use_file))
            folder = self.folder  # Somebody may have removed it before it was in use.
        return ensure_environment(
            folder, python=self._python, installer=self._installer, progress=self._progress
        )

    def _keep_in_use(self, use: Use) -> None:
        """Keep the folder in the cache until the pod is unloaded, or another use takes over."""
        before, self._use = self._use, use
        if before is not None:
            before.end()

    def _forget(self) -> None:
        """In a forked child: the worker is the parent's; the next call here starts its own."""
        self._sessions = [None] * len(self._sessions)
        self._starting = RLock()
        for finalizer in self._finalizers:
            if finalizer is not None:
                finalizer.detach()


class OneWorker:
    """What a pod needs of its loader, for one of the loader's workers."""

    def __init__(self, loader: PodLoader, index: int) -> None:
        self.loader = loader
        self._index = index
        self.pod_name = loader.pod_name
        self.timeout = loader.timeout

    def session(self) -> Session:
        """Return the worker's session, started anew if it died."""
        return self.loader.session_at(self._index)

    @property
    def state(self) -> str:
        """How the worker stands."""
        return "STOPPED" if self.pid is None else "RUNNING"

    @property
    def pid(self) -> int | None:
        """The worker's process id, None if it does not run."""
        session = self.loader._sessions[self._index]
        return None if session is None or session.has_died() else session.pid


def _forget_all() -> None:
    for loader in list(_loaders):
        loader._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
