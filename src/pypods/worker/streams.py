"""Generators that the pod returned, and the host takes from, batch by batch; no frames."""

from __future__ import annotations

from _thread import allocate_lock, get_ident
from time import monotonic

from pypods.errors import ValueTransferError
from pypods.wire.failures import check_crosses, describe_failure
from pypods.wire.weights import LIGHT, MAX_BATCH_BYTES, weight_of

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = ["Streams"]

#: A batch that has something in it is handed over after this long, however few it is.
BATCH_SECONDS = 0.02
_GENERATOR = type(_ for _ in ())


async def _async_generator() -> Any:
    yield None


_ASYNC_GENERATOR = type(_async_generator())


class Streams:
    """The generators that the host holds, by number. Each runs only when the host asks for more.

    So a generator without end takes no memory but that of one batch on its way and one in use.
    """

    def __init__(self, about: Callable[[BaseException], Any] | None = None) -> None:
        #: Returns what is said of an exception's class.
        self._about = about
        #: How many requests for more the host may have under way, where they are taken in turns.
        self.ahead = 2
        self._generators: dict[int, Any] = {}
        #: Which thread exported each of them.
        self._threads: dict[int, int] = {}
        #: Heavy items that ended a batch, and are the next one.
        self._held_back: dict[int, Any] = {}
        self._next_number = 1
        self._lock = allocate_lock()

    def export(self, value: Any) -> tuple[bytes, dict[str, Any]] | None:
        """Return the kind and content of a generator, which the host then holds; else None."""
        cls = type(value)
        if cls is not _GENERATOR and cls is not _ASYNC_GENERATOR:
            return None
        with self._lock:  # Several threads may export at once.
            number = self._next_number
            self._next_number += 1
        self._generators[number] = value
        self._threads[number] = get_ident()
        ahead = self.ahead if cls is _GENERATOR else 1
        return b"G", {"stream": number, "name": value.__qualname__, "ahead": ahead}

    def more(self, number: int, count: int) -> Any:
        """Return the next items, at most ``count``, as a document; of an async one, a coroutine."""
        generator = self._generators.get(number)
        if generator is None:
            # It has ended, and this was asked for before that was known: nobody looks at it. If
            # somebody does, the stream must not seem to be all there was.
            lost = LookupError("the pod has no such stream any more")
            return _batch([], done=True, error=describe_failure(lost))
        if type(generator) is _ASYNC_GENERATOR:
            return self._more_async(number, generator, count)
        if number in self._held_back:
            return _batch([self._held_back.pop(number)], full=True)
        items: list[Any] = []
        until = 0.0
        weight = 0
        try:
            for item in generator:
                if type(item) not in LIGHT:
                    weight += weight_of(item)
                    if weight >= MAX_BATCH_BYTES:
                        return self._end_batch(number, items, item)
                items.append(item)
                if len(items) >= count:
                    return _batch(items, full=True)
                if not until:
                    until = monotonic() + BATCH_SECONDS
                elif monotonic() >= until:
                    return _batch(items)
        except BaseException as exc:  # noqa: BLE001 - it arrives at its place in the stream
            self._remove(number)
            return _batch(items, done=True, error=self._describe_failure(exc))
        self._remove(number)
        return _batch(items, done=True)

    async def _more_async(self, number: int, generator: Any, count: int) -> Any:
        if number in self._held_back:
            return _batch([self._held_back.pop(number)], full=True)
        items: list[Any] = []
        until = monotonic() + BATCH_SECONDS
        weight = 0
        try:
            async for item in generator:
                weight += weight_of(item)
                if weight >= MAX_BATCH_BYTES:
                    return self._end_batch(number, items, item)
                items.append(item)
                if len(items) >= count or monotonic() >= until:
                    return _batch(items, full=len(items) >= count)
        except BaseException as exc:  # noqa: BLE001 - it arrives at its place in the stream
            self._remove(number)
            return _batch(items, done=True, error=self._describe_failure(exc))
        self._remove(number)
        return _batch(items, done=True)

    def _end_batch(self, number: int, items: list[Any], item: Any) -> dict[str, Any]:
        """Return a batch that an item makes heavy; one that is heavy alone is the next."""
        if items and weight_of(item) >= MAX_BATCH_BYTES:
            self._held_back[number] = item
        else:
            items.append(item)
        return _batch(items, full=True)

    def _describe_failure(self, error: BaseException) -> dict[str, Any]:
        return describe_failure(error, self._about)

    def close(self, number: int) -> Any:
        """Close a generator, so that its ``finally`` runs; of an async one, a coroutine."""
        generator = self._remove(number)
        if generator is None:
            return None
        if type(generator) is _ASYNC_GENERATOR:
            return _close_async(generator)
        generator.close()
        return None

    def forget_since(self, number: int) -> None:
        """Let go of what this thread exported from a number on: its answer could not be sent."""
        thread = get_ident()
        for each, its_thread in list(self._threads.items()):
            if each >= number and its_thread == thread:
                self.forget(each)

    def cut_short(self, number: int, items: list[Any]) -> dict[str, Any]:
        """Return the batch of those items that can cross, up to the first that cannot.

        That one's error follows them, and the stream ends there.
        """
        for index, item in enumerate(items):
            try:
                check_crosses(item)
            except ValueTransferError as exc:
                self.forget(number)
                place = f"item[{index}]" + exc.place[len("value") :]
                error = ValueTransferError(exc.reason, place)
                return _batch(items[:index], done=True, error=describe_failure(error))
        return _batch(items)

    def forget(self, number: int) -> None:
        """Let go of a generator that nobody can take from any more, which closes it.

        If it runs on another thread just now, that is when it stops. What its ``finally`` raises
        is nobody's, so Python prints it.
        """
        self._remove(number)

    def _remove(self, number: int) -> Any:
        self._held_back.pop(number, None)
        self._threads.pop(number, None)
        return self._generators.pop(number, None)

    @property
    def next_number(self) -> int:
        """The number that the next generator will get."""
        return self._next_number


async def _close_async(generator: Any) -> None:
    await generator.aclose()


def _batch(
    items: list[Any], *, done: bool = False, full: bool = False, error: Any = None
) -> dict[str, Any]:
    return {"items": items, "done": done, "full": full, "error": error}
