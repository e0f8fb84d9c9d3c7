"""What a user holds: a pod, and its functions as attributes; how calls travel is elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from pypods.errors import PodDiedError, ValueTransferError

if TYPE_CHECKING:
    import inspect

    from pypods.pods.description import FunctionDescription
    from pypods.pods.futures import LoopInbox, PodFuture
    from pypods.pods.imports import PodImports
    from pypods.pods.session import Session

__all__ = ["Pod", "PodFunction", "describe"]


class SessionSource(Protocol):
    """What a pod needs of its loader: a running session, and how it stands."""

    pod_name: str
    timeout: float | None

    def session(self) -> Session:
        """Return the running session, starting one if there is none."""

    @property
    def state(self) -> str:
        """``STOPPED``, ``RUNNING`` or ``DIED``."""

    @property
    def pid(self) -> int | None:
        """The worker's process id, None if none runs."""


class Pod:
    """A loaded pod: what it offers are attributes: its functions, classes, modules, constants.

    Every other attribute begins with an underscore, so that a pod may offer any name; but for
    ``import_module`` and ``imports``, which give way to a function of that name only.
    """

    def __init__(self, source: SessionSource) -> None:
        self._pypods_source = source
        self._pypods_offer: tuple[str, ...] = ()

    def _pypods_set_offer(self, names: list[str]) -> None:
        """Take over what the worker says it offers; functions that stay keep their identity."""
        for name in self._pypods_offer:
            if name not in names:
                del self.__dict__[name]
        for name in names:
            if name not in self.__dict__:
                self.__dict__[name] = PodFunction(self._pypods_source, name)
        self._pypods_offer = tuple(names)

    def __getattr__(self, name: str) -> Any:
        # Only reached for what is not there.
        source = self.__dict__.get("_pypods_source")
        if source is None or name.startswith("__"):
            raise AttributeError(name)
        session = source.session()
        if name in session.names:
            return session.offered(name)
        offer = ", ".join(sorted({*self._pypods_offer, *session.names})) or "nothing"
        raise AttributeError(
            f'pod "{source.pod_name}" offers no {name!r}; it offers: {offer}', name=name, obj=self
        )

    def import_module(self, name: str) -> Any:
        """Import a module in the pod and return what stands for it here.

        A function of this name that the pod offers comes first.
        """
        return self._pypods_source.session().import_module(name)

    def imports(self, *names: str, shadow: bool = False) -> PodImports:
        """Let ``import`` of these names give the pod's modules, until the result is undone.

        ``with`` undoes it. More and errors: ``pypods.install_imports``. A function of this name
        that the pod offers comes first.
        """
        from pypods.pods.imports import install_imports

        return install_imports(*names, pod=self, shadow=shadow)

    def __dir__(self) -> list[str]:
        source = self._pypods_source
        names = source.session().names if source.pid is not None else []
        return sorted({*self._pypods_offer, *names})

    def __repr__(self) -> str:
        source = self._pypods_source
        pid = "" if source.pid is None else f" pid={source.pid}"
        return f"<Pod {source.pod_name} {source.state}{pid}>"


class PodFunction:
    """A function in a pod: call it as if it were imported.

    Its signature and docstring are asked of the pod when they are first looked at.
    """

    def __init__(self, source: SessionSource, name: str, *, timeout: float | None = None) -> None:
        from pypods.wire.envelopes import call_head

        self.__name__ = self.__qualname__ = name
        self.__module__ = f"pods.{source.pod_name}.pod"
        self._path = name
        self._source = source
        self._head = call_head(name)
        self._timeout = timeout
        self._description: FunctionDescription | None = None

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call the function in the pod.

        Raises what it raised, as PodCallError and as the builtin exception it was; PodDiedError,
        PodTimeoutError, ProtocolError, ValueTransferError.
        """
        source = self._source
        timeout = self._timeout
        if timeout is None:
            timeout = source.timeout
        session = None
        try:
            session = source.session()
            return session.call(self._head, args, kwargs, timeout)
        except (PodDiedError, ValueTransferError) as exc:
            session = self._another(exc, session, args, kwargs)
        return session.call(self._head, args, kwargs, timeout)

    def _another(
        self,
        error: PodDiedError | ValueTransferError,
        session: Session | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Session:
        """Return the session for a call that no pod has seen yet; raise the error if one may have.

        That is the next one where the pod had ended before, so this is no replay; or of several
        workers the one in which an argument lives.
        """
        if isinstance(error, PodDiedError):
            if error.delivered:
                raise error
            return self._source.session()
        home = self._home(args, kwargs)
        if home is None or home is session:
            raise error
        return home

    def _home(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Session | None:
        """Return the worker in which an argument lives, of several workers of this one pod."""
        from pypods.pods.references import home_of

        workers = getattr(self._source, "running_sessions", None)
        if workers is None or len(workers()) < 2:
            return None
        session = home_of([*args, *kwargs.values()])
        return session if session in workers() else None

    def _effective_timeout(self) -> float | None:
        return self._source.timeout if self._timeout is None else self._timeout

    def submit(self, /, *args: Any, **kwargs: Any) -> PodFuture:
        """Send the call and return its future, a ``concurrent.futures.Future``.

        Cancelling it keeps the call from starting, or interrupts it. Raises ValueTransferError
        for an argument that cannot cross; whatever else goes wrong is the future's.
        """
        return self._send(args, kwargs)

    def _send(self, args: Any, kwargs: Any, inbox: LoopInbox | None = None) -> PodFuture:
        timeout = self._effective_timeout()
        session = None
        try:
            session = self._source.session()
            future = session.submit(self._head, args, kwargs, timeout, inbox)
        except (PodDiedError, ValueTransferError) as exc:
            session = self._another(exc, session, args, kwargs)
            future = session.submit(self._head, args, kwargs, timeout, inbox)
        if session.mirrors.any_objects:
            future.keep(self, args, kwargs)
        return future

    async def aio(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call the function and await its result, under asyncio; errors as of a call.

        Cancelling the task that awaits cancels the call.
        """
        import asyncio

        if self._source.pid is None:
            await asyncio.to_thread(self._source.session)  # May make an environment.
        from pypods.pods.futures import await_future, inbox_of

        loop = asyncio.get_running_loop()
        return await await_future(self._send(args, kwargs, inbox_of(loop)), loop)

    def map(
        self, /, *iterables: Iterable[Any], chunksize: int = 1, ordered: bool = True
    ) -> Iterator[Any]:
        """Call the function for each item (with several iterables, for each row of them).

        Iterates over the results, in the items' order or, with ``ordered=False``, as they are
        there. Items are taken as results are, a bounded number ahead. ``chunksize`` items go to
        the pod at once; what one of them raises is raised here, after the results before it.
        """
        from pypods.pods.mapping import map_calls

        if chunksize < 1:
            raise ValueError(f"chunksize is 1 or more, not {chunksize}")
        calls = (list(call) for call in zip(*iterables, strict=False))
        if chunksize == 1:
            return map_calls(lambda call: self.submit(*call), calls, ordered=ordered)
        timeout = self._effective_timeout()
        chunks = iter(lambda: list(islice(calls, chunksize)), [])

        def submit_chunk(chunk: list[Any]) -> PodFuture:
            session = self._source.session()
            future = session.submit_chunk(self._path, chunk, timeout)
            if session.mirrors.any_objects:
                future.keep(self, chunk)
            return future

        batches = map_calls(submit_chunk, chunks, ordered=ordered)
        return self._items_of(batches)

    def _items_of(self, batches: Iterator[Any]) -> Iterator[Any]:
        for items, error in batches:
            yield from items
            if error is not None:
                raise error

    def options(self, *, timeout: float | None = None) -> PodFunction:
        """Return the same function with other options; ``timeout`` in seconds."""
        if timeout is not None and not timeout > 0:
            raise ValueError(f"timeout is in seconds and positive, not {timeout!r}")
        return self._with_timeout(timeout)

    def _with_timeout(self, timeout: float | None) -> PodFunction:
        return PodFunction(self._source, self.__name__, timeout=timeout)

    def _described(self) -> FunctionDescription:
        if self._description is None:
            (self._description,) = _describe(self._source, self._path)
        return self._description

    @property
    def __signature__(self) -> inspect.Signature:
        signature = self._described().signature
        if signature is None:
            raise AttributeError("__signature__")
        return signature

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self._described().doc

    def __get__(self, instance: object, owner: type | None = None) -> PodFunction:
        """Return itself: like a function of a module, it is bound to nothing.

        Having this makes ``inspect.isroutine`` true, so ``help()`` shows it as a function.
        """
        return self

    def __repr__(self) -> str:
        return f"<function {self.__name__} of {self._source.pod_name!r} {self._source.state}>"


def describe(pod: Pod) -> tuple[FunctionDescription, ...]:
    """Return name, signature and docstring of every function a pod offers, in one round trip."""
    return _describe(pod._pypods_source)


def _describe(source: SessionSource, name: str | None = None) -> tuple[FunctionDescription, ...]:
    try:
        return source.session().describe(name, source.timeout)
    except PodDiedError as exc:
        if exc.delivered:
            raise
    return source.session().describe(name, source.timeout)
