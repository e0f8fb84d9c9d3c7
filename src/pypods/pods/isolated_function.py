"""`@pypods.isolated`: a function that runs in a pod made for it; what is sent is elsewhere."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from pypods.pods.cache import AskedEnvironment
from pypods.pods.cached_loader import CachedLoader
from pypods.pods.function_source import FunctionSource, read_function
from pypods.pods.pod import PodFunction

if TYPE_CHECKING:
    from pypods.pods.progress import Progress
    from pypods.pods.session import Session
    from pypods.wire.messages import Define

__all__ = ["IsolatedFunction", "isolated"]

P = ParamSpec("P")
R = TypeVar("R")

#: The pods that functions share, by what they ask for. What a function returned may live in its
#: pod, so none ends with the function.
_loaders: dict[Any, CachedLoader] = {}
_sharing = Lock()
_next_number = count(1).__next__


@overload
def isolated(function: Callable[P, R], /) -> IsolatedFunction[P, R]: ...


@overload
def isolated(
    *,
    requirements: Iterable[str] = (),
    python: str | os.PathLike[str] | None = None,
    name: str | None = None,
    timeout: float | None = None,
    workers: int = 1,
    threads: int = 0,
    environment_variables: Mapping[str, str] | None = None,
    types: Iterable[type] = (),
    writable_arrays: bool = False,
    installer: str = "uv",
    progress: Progress | None = None,
) -> Callable[[Callable[P, R]], IsolatedFunction[P, R]]: ...


def isolated(
    function: Callable[..., Any] | None = None,
    /,
    *,
    requirements: Iterable[str] = (),
    python: str | os.PathLike[str] | None = None,
    name: str | None = None,
    timeout: float | None = None,
    workers: int = 1,
    threads: int = 0,
    environment_variables: Mapping[str, str] | None = None,
    types: Iterable[type] = (),
    writable_arrays: bool = False,
    installer: str = "uv",
    progress: Progress | None = None,
) -> Any:
    """Run a function in a pod with these requirements and this Python; as a decorator.

    ``requirements`` are texts such as "pandas<2"; ``python`` is a version ("3.9"), a specifier
    (">=3.9,<3.12") or a path, without it the program's own. The environment is made at the first
    call, kept in a cache, and shared by all who ask for the same. Functions with the same options
    share one pod, which starts at the first call and ends with the program or with ``close()``;
    another ``name`` is another pod. ``timeout`` is the seconds a call may take. The other options
    are those of ``PodLoader``.

    The function's source is sent, so it imports what it uses inside. Constants around it (numbers,
    texts, dates, tuples of such) are sent along, as they are when it is called; anything else that
    it uses from around it is a ValueTransferError here, at once, which names it. ValueError for
    options that cannot be.
    """
    asked = AskedEnvironment.read(requirements, python=python, installer=installer)
    if timeout is not None and not timeout > 0:
        raise ValueError(f"timeout is in seconds and positive, not {timeout!r}")
    pod_name = name or "_".join(filter(None, ("isolated", asked.label)))
    options = {
        "workers": workers,
        "threads": threads,
        "environment_variables": dict(environment_variables or {}),
        "types": tuple(types),
        "writable_arrays": writable_arrays,
        "progress": progress,
    }
    loader = _share_loader(pod_name, asked, options)

    def decorate(function: Callable[..., Any]) -> IsolatedFunction[Any, Any]:
        qualname = getattr(function, "__qualname__", "function")
        source = read_function(function, f"{qualname} {_next_number()}")
        return IsolatedFunction(_FunctionHome(loader, source, timeout))

    return decorate if function is None else decorate(function)


def _share_loader(pod_name: str, asked: AskedEnvironment, options: dict[str, Any]) -> CachedLoader:
    variables = frozenset(options["environment_variables"].items())
    # What is told of the progress says nothing of the pod.
    others = tuple(
        value for key, value in options.items() if key not in ("environment_variables", "progress")
    )
    key = (pod_name, asked, variables, others)
    with _sharing:
        loader = _loaders.get(key)
        if loader is None:
            loader = _loaders[key] = CachedLoader(pod_name, asked, **options)
        return loader


class _FunctionHome:
    """What a function needs of its pod: a session that knows the function."""

    def __init__(self, loader: CachedLoader, source: FunctionSource, timeout: float | None) -> None:
        self.loader = loader
        self.source = source
        self.timeout = timeout
        self.pod_name = loader.pod_name
        self._defined: tuple[dict[str, Any], Define] | None = None

    @property
    def state(self) -> str:
        """How the pod stands."""
        return self.loader.state

    @property
    def pid(self) -> int | None:
        """The worker's process id, None if none runs."""
        return self.loader.pid

    def session(self) -> Session:
        """Return a session that knows the function as it is now."""
        definition = self._definition()
        session = self.loader.session()
        session.define(definition)
        return session

    def running_sessions(self) -> list[Session]:
        """Return the sessions of all workers; a call may go to each of them."""
        sessions = self.loader.running_sessions()
        for session in sessions:
            session.define(self._definition())
        return sessions

    def _definition(self) -> Define:
        defined = self._defined
        constants = self.source.constants() if self.source.names else {}
        # By identity: 1 is True, and 0.0 is -0.0.
        if defined is None or any(defined[0][name] is not constants[name] for name in constants):
            defined = self._defined = constants, self.source.define(constants)
        return defined[1]


class IsolatedFunction(PodFunction, Generic[P, R]):
    """A function of this program that runs in a pod: call it as if it ran here.

    ``submit``, ``aio``, ``map`` and ``options`` are those of every pod's function. Of an
    ``async def`` a call is awaited, as of any. ``__wrapped__`` is the function as it was written,
    to be called here.
    """

    _source: _FunctionHome

    def __init__(self, home: _FunctionHome, *, timeout: float | None = None) -> None:
        super().__init__(home, home.source.wire_name, timeout=timeout)
        function = home.source.function
        self._is_async = inspect.iscoroutinefunction(function)
        functools.update_wrapper(
            self, function, assigned=("__module__", "__name__", "__qualname__", "__annotations__")
        )
        if self._is_async and hasattr(inspect, "markcoroutinefunction"):
            inspect.markcoroutinefunction(self)

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function in its pod, which is started, and its environment made, if need be.

        Raises what it raised, as PodCallError and as the builtin exception it was;
        PodEnvironmentError, PodStartError, PodDiedError, PodTimeoutError, ValueTransferError.
        """
        if self._is_async:
            result: Any = self.aio(*args, **kwargs)
        else:
            result = super().__call__(*args, **kwargs)
        returned: R = result
        return returned

    def options(self, *, timeout: float | None = None) -> IsolatedFunction[P, R]:
        """Return the same function with other options; ``timeout`` in seconds."""
        same: Any = super().options(timeout=timeout)
        function: IsolatedFunction[P, R] = same
        return function

    def close(self) -> None:
        """End the pod, for all functions that share it; a later call starts it anew."""
        self._source.loader.unload_pod()

    def __enter__(self) -> IsolatedFunction[P, R]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _with_timeout(self, timeout: float | None) -> IsolatedFunction[P, R]:
        return IsolatedFunction(self._source, timeout=timeout)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._source.source.function)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self._source.source.function.__doc__

    def __reduce__(self) -> str:
        """Be pickled as functions are, by name."""
        return self.__qualname__

    def __repr__(self) -> str:
        home = self._source
        pid = "" if home.pid is None else f" pid={home.pid}"
        return f"<isolated function {self.__qualname__} in pod {home.pod_name!r} {home.state}{pid}>"
