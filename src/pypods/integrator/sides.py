"""The two ends of an integration: their connectors' pods, loaded, asked and stopped."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from pypods.errors import OperationError, PodTimeoutError

if TYPE_CHECKING:
    from pypods.integrator.operation import Endpoint
    from pypods.pods.loader import PodLoader

__all__ = ["OpenPod", "Side", "measure_memory"]

#: What a pod has to offer to be a connector at all.
MARK = "describe_connector"

#: From a connector's name to a loader of its pod, not loaded yet.
OpenPod = Callable[[str], "PodLoader"]


class Side:
    """One end: its connector's workers by number, each a process of its own.

    For the connector ``memory`` the one worker is the object that holds the tables.
    """

    def __init__(
        self,
        role: str,
        endpoint: Endpoint,
        connection: Mapping[str, Any],
        open_pod: OpenPod,
        *,
        timeout: float | None = None,
    ) -> None:
        self.role = role
        #: How long a connector may be silent, in seconds.
        self.timeout = timeout
        self.connector = endpoint.connector
        self.stream: Any = getattr(endpoint, "stream", None)
        self.connection = dict(connection)
        self._memory = endpoint.memory
        self._open_pod = open_pod
        self._loaders: dict[int, PodLoader] = {}
        self._lock = Lock()
        self._about: dict[str, Any] | None = None

    @property
    def label(self) -> str:
        """The connector and the stream, for people."""
        stream = self.stream
        name = (
            "query" if stream is None else stream if isinstance(stream, str) else ".".join(stream)
        )
        return f"{self.connector} {name}"

    def worker(self, index: int = 0) -> Any:
        """Return a worker's pod, loaded; one that died is started anew by the next call.

        Raises PodNotFoundError, PodEnvironmentError, PodStartError, and OperationError for a pod
        that is no connector.
        """
        if self._memory is not None:
            return self._memory
        with self._lock:
            loader = self._loaders.get(index)
            if loader is None:
                loader = self._loaders[index] = self._open_pod(self.connector)
        pod = loader.load_pod()
        if MARK not in dir(pod):
            raise OperationError(
                f'pod "{self.connector}" is no connector: it has no function {MARK}(); '
                '"pypods connectors list" lists those that are'
            )
        return pod

    def is_running(self, index: int) -> bool:
        """Tell whether a worker is there and has not died."""
        if self._memory is not None:
            return True
        loader = self._loaders.get(index)
        return loader is not None and loader.pid is not None

    @property
    def about(self) -> dict[str, Any]:
        """What the connector says of itself."""
        if self._about is None:
            about = self._answer(MARK, 0, (), {})
            if not isinstance(about, dict) or not isinstance(about.get("capabilities"), dict):
                raise OperationError(
                    f'pod "{self.connector}": {MARK}() returns no description with capabilities'
                )
            self._about = about
        return self._about

    def can(self, capability: str, *, default: bool = False) -> bool:
        """Tell whether the connector claims a capability."""
        return bool(self.about["capabilities"].get(capability, default))

    def call(self, function: str, *args: Any, worker: int = 0, **options: Any) -> Any:
        """Call a function of the connector with its connection.

        Raises PodTimeoutError where nothing came of it in time, and ends the worker; of a stream,
        for each batch. ``write`` is watched by who hands it the batches.
        """
        return self._answer(function, worker, (self.connection, *args), options)

    def _answer(self, function: str, worker: int, args: Any, options: dict[str, Any]) -> Any:
        call = getattr(self.worker(worker), function)
        if self.timeout is None or self._memory is not None or function == "write":
            return call(*args, **options)
        try:
            return call.options(timeout=self.timeout)(*args, **options)
        except PodTimeoutError as exc:
            self.end_worker(worker)
            raise self.silence() from exc

    def end_worker(self, index: int) -> None:
        """Stop a worker; who waits for it gets an error, and the next call starts another one."""
        with self._lock:
            loader = self._loaders.pop(index, None)
        if loader is not None:
            loader.unload_pod()

    def silence(self) -> PodTimeoutError:
        """Return the error for a worker of which nothing came."""
        return PodTimeoutError(
            f"nothing came of the connector {self.connector} for {self.timeout:g} s "
            "(timeout_seconds), and its pod was ended"
        )

    @property
    def pids(self) -> list[int]:
        """The processes of the workers that run."""
        with self._lock:
            loaders = list(self._loaders.values())
        return [pid for loader in loaders for pid in loader.pids]

    def close(self) -> None:
        """Stop the workers."""
        with self._lock:
            loaders, self._loaders = list(self._loaders.values()), {}
        for loader in loaders:
            loader.unload_pod()


def measure_memory(pids: list[int]) -> int | None:
    """Return the memory that processes take together, in bytes; None where nobody says.

    What they share counts once: each takes its proportional part.
    """
    total = None
    for pid in pids:
        with contextlib.suppress(OSError, ValueError, IndexError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total = (total or 0) + int(line.split()[1]) * 1024
                    break
    return total
