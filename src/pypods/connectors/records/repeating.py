"""When a request is sent again, and after how many seconds; nothing of HTTP clients here."""

from __future__ import annotations

from pypods.connectors.errors import UnreachableError

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = ["Waits", "is_worth_repeating", "retry_after_seconds"]

TOO_MANY_REQUESTS = 429
UNAVAILABLE = 503
#: Of the server's errors, those that another try does not change.
_FOR_GOOD = (501, 505)
_TRY_AGAIN = (408, 425, TOO_MANY_REQUESTS)


def is_worth_repeating(status: int, *, repeatable: bool, asks_to_wait: bool) -> bool:
    """Whether a request with that answer may be sent again.

    ``repeatable``: whether it does no harm if the server has done it already. A server that says
    it has too many, or when to come back, has not.
    """
    if status == TOO_MANY_REQUESTS or (status == UNAVAILABLE and asks_to_wait):
        return True
    return repeatable and (status in _TRY_AGAIN or (status >= 500 and status not in _FOR_GOOD))


def retry_after_seconds(value: str | None, date: str | None, now: float) -> float | None:
    """Return how long the header Retry-After asks to wait; None where it says nothing.

    It is seconds, or a date; that one is compared with the answer's own ``date``, so that clocks
    may differ, or with ``now``.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isdigit():
        return float(value)
    then = _timestamp(value)
    if then is None:
        return None
    here = None if date is None else _timestamp(date)
    return max(then - (now if here is None else here), 0.0)


def _timestamp(text: str) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


class Waits:
    """How long to wait before each repetition of a request.

    ``random`` gives numbers from 0 to 1, ``sleep`` waits so many seconds, ``now`` is the time in
    seconds since 1970.
    """

    def __init__(
        self,
        *,
        retries: int,
        backoff: float,
        longest: float,
        sleep: Callable[[float], Any],
        random: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        self.retries = retries
        self.backoff = backoff
        self.longest = longest
        self.sleep = sleep
        self.random = random
        self.now = now

    def seconds(self, repetition: int, asked: float | None) -> float:
        """Return the wait before a repetition, from 0: doubled each time, by chance half of it.

        What the server asks for is kept.
        """
        if asked is not None:
            return asked
        # No more doubling than a float has room for.
        whole = min(self.backoff * 2.0 ** min(repetition, 60), self.longest)
        return whole * (0.5 + self.random() / 2)

    def wait(self, repetition: int, asked: float | None, shown: str) -> None:
        """Wait before a repetition. Raises UnreachableError if the server asks for too long."""
        seconds = self.seconds(repetition, asked)
        if seconds > self.longest:
            raise UnreachableError(
                f"{shown} asks to come back in {seconds:.0f} s, and longest_wait is "
                f"{self.longest:g} s"
            )
        self.sleep(seconds)
