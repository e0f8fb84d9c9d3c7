"""Many calls of one function, a bounded number ahead of whoever takes the results."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

__all__ = ["map_calls"]

#: Calls on their way at once: enough that the pod never waits for the host.
MAX_CALLS_AHEAD = 64


def map_calls(
    submit: Callable[[Any], Future[Any]], calls: Iterable[Any], *, ordered: bool
) -> Iterator[Any]:
    """Iterate over the results of calls; those on their way are cancelled if that ends early."""
    under_way: deque[Future[Any]] = deque()
    calls = iter(calls)
    try:
        for call in calls:
            under_way.append(submit(call))
            if len(under_way) >= MAX_CALLS_AHEAD:
                yield _take(under_way, ordered=ordered)
        while under_way:
            yield _take(under_way, ordered=ordered)
    finally:
        for future in under_way:
            future.cancel()


def _take(under_way: deque[Future[Any]], *, ordered: bool) -> Any:
    if ordered:
        return under_way.popleft().result()
    done, _ = wait(under_way, return_when=FIRST_COMPLETED)
    future = next(future for future in under_way if future in done)
    under_way.remove(future)
    return future.result()
