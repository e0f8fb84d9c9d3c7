"""A generator that runs in a pod, as an iterator here; how its batches travel is elsewhere."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Any, Protocol, TypeVar

from pypods.errors import PodError, ProtocolError

__all__ = ["Stream"]

#: How many items are asked for at once, at the most: it begins with one and doubles.
MAX_BATCH_ITEMS = 1024
#: A batch of more bytes than this is followed by a smaller one.
MAX_BATCH_BYTES = 512 * 1024
#: From this many items on batches are asked for before they are needed: two where the pod takes
#: requests in turns, so that it goes on while one is on its way.
PREFETCH_ITEMS = 16
MAX_AHEAD = 2

_Item_co = TypeVar("_Item_co", covariant=True)


class StreamSource(Protocol):
    """What a stream needs of the session that its generator runs in."""

    def ask_for_more(self, stream: int, count: int) -> int:
        """Ask for the next items without waiting; return the request's number."""

    def take_batch(self, number: int, timeout: float | None) -> tuple[dict[str, Any], int]:
        """Wait for the items asked for; return them and their bytes."""

    def stream_error(self, document: dict[str, Any]) -> BaseException:
        """Return the exception that ended a stream."""

    def give_up(self, pending: list[int]) -> None:
        """Note that nobody waits for these requests any more; sends nothing by itself."""

    def close_stream(self, stream: int, pending: list[int], timeout: float | None) -> None:
        """Close the generator, after the requests under way, and wait for it."""

    def drop_stream(self, stream: int, pending: list[int], exports: Any) -> None:
        """Note that nobody holds the stream any more; sends nothing by itself."""

    def stream_ended(self, exports: Any) -> None:
        """Let go of what the stream's call passed."""


class Stream(Iterator[_Item_co], AsyncIterator[_Item_co]):
    """Iterates over what a generator in a pod yields; ``async for`` works too.

    The generator runs when items are asked for, in batches that grow with its speed, so one that
    yields without end takes bounded memory. An exception arrives at its place. ``close()``, or
    leaving a ``with`` block, runs the generator's ``finally`` in the pod.
    """

    def __init__(
        self,
        source: StreamSource,
        stream: int,
        name: str,
        timeout: float | None = None,
        exports: Any = None,
        ahead: int = 1,
    ) -> None:
        self._ahead = min(ahead, MAX_AHEAD)
        self._source = source
        self._stream = stream
        self._name = name
        self._timeout = timeout
        self._exports = exports
        self._items: deque[_Item_co] = deque()
        self._count = 1
        self._done = False
        self._error: BaseException | None = None
        #: The requests under way, in a list that outlives this object for the finalizer.
        self._pending: list[int] = []
        self._finalizer = weakref.finalize(self, source.drop_stream, stream, self._pending, exports)
        self._finalizer.atexit = False

    def __iter__(self) -> Stream[_Item_co]:
        return self

    def __next__(self) -> _Item_co:
        while not self._items:
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            if self._done:
                raise StopIteration
            self._fill()
        return self._items.popleft()

    def _fill(self) -> None:
        """Wait for the next batch; ask for those after it if the generator is quick."""
        if not self._pending:
            self._pending.append(self._source.ask_for_more(self._stream, self._count))
        number = self._pending[0]
        try:
            batch, size = self._source.take_batch(number, self._timeout)
        except BaseException:
            self._pending.remove(number)
            self._finish()
            raise
        self._pending.remove(number)
        try:
            items, done, error = batch["items"], batch["done"], batch["error"]
            was_full = batch["full"]
            self._items.extend(items)
        except (KeyError, TypeError) as exc:
            raise ProtocolError(f"a malformed batch of a stream: {exc!r}") from exc
        if size > MAX_BATCH_BYTES:
            self._count = max(1, self._count // 2)
        elif was_full:
            self._count = min(self._count * 2, MAX_BATCH_ITEMS)
        if done:
            self._finish()
            if error is not None:
                self._error = self._source.stream_error(error)
        elif was_full and self._count > PREFETCH_ITEMS:
            try:
                while len(self._pending) < self._ahead:
                    self._pending.append(self._source.ask_for_more(self._stream, self._count))
            except PodError as exc:
                self._finish()
                self._error = exc  # After the items that are here.

    def _finish(self) -> None:
        self._done = True
        self._source.give_up(self._pending)
        self._pending.clear()
        if self._finalizer.detach() is not None:
            self._source.stream_ended(self._exports)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """Return a capsule of the record batches and tables that the generator yields.

        ``pyarrow.RecordBatchReader.from_stream(stream)`` and its like take them one by one. All
        are of the first one's schema. Raises TypeError if they are none, ValueError if there is no
        first one.
        """
        from pypods.wire.arrow.values import capsule_of_stream

        return capsule_of_stream(self)

    def close(self) -> None:
        """Close the generator in the pod, so that its ``finally`` runs; idempotent.

        Raises what that raises. Items that have arrived and were not taken are dropped.
        """
        self._items.clear()
        self._error = None
        if not self._done:
            pending = self._pending.copy()
            self._pending.clear()
            self._finish()
            self._source.close_stream(self._stream, pending, self._timeout)

    def __enter__(self) -> Stream[_Item_co]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Under asyncio -----------------------------------------------------------------------------

    def __aiter__(self) -> Stream[_Item_co]:
        return self

    async def __anext__(self) -> _Item_co:
        import asyncio

        while not self._items and not self._done:
            await asyncio.to_thread(self._fill)
        try:
            return next(self)
        except StopIteration:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        """Close the generator in the pod, as ``close`` does."""
        import asyncio

        await asyncio.to_thread(self.close)

    async def __aenter__(self) -> Stream[_Item_co]:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<Stream {self._name} {'ENDED' if self._done else 'OPEN'}>"
