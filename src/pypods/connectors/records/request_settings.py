"""The settings that all connectors have in common which send requests."""

from __future__ import annotations

from pypods.connectors.errors import SettingsError
from pypods.connectors.settings import setting

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

    from pypods.connectors.records.repeating import Waits

__all__ = ["check_choice", "check_request_settings", "check_url", "make_waits", "request_settings"]

MAX_PAGE_BYTES = 256 * 2**20


def request_settings() -> list[dict[str, Any]]:
    """Return them."""
    return [
        setting(
            "ledger", "path", "folder in which it is noted what has been sent; needed to write"
        ),
        setting("timeout", "number", "seconds to wait for the server", default=30),
        setting("retries", "integer", "how often a request is repeated", default=5),
        setting(
            "backoff", "number", "seconds before the first repetition, doubled each time",
            default=0.5,
        ),
        setting(
            "longest_wait", "number", "most seconds to wait before a repetition, also where the "
            "server asks for it", default=300,
        ),
        setting(
            "max_pages", "integer", "pages of a stream, more are an error", default=1_000_000
        ),
        setting(
            "max_page_bytes", "integer", "bytes of an answer, more are an error",
            default=MAX_PAGE_BYTES,
        ),
        setting("ca_file", "path", "certificates to trust, instead of the usual ones"),
    ]  # fmt: skip


def check_request_settings(connector: str, checked: dict[str, Any]) -> None:
    """Raise SettingsError for numbers that mean nothing."""
    for name in ("timeout", "max_pages", "max_page_bytes"):
        if checked[name] <= 0:
            raise SettingsError(f"setting {name!r} of {connector} is more than 0")
    for name in ("retries", "backoff", "longest_wait"):
        if checked[name] < 0:
            raise SettingsError(f"setting {name!r} of {connector} is 0 or more")


def check_choice(connector: str, name: str, checked: dict[str, Any], known: Any) -> None:
    """Raise SettingsError for a setting that is none of what is known."""
    if checked[name] not in known:
        raise SettingsError(f"setting {name!r} of {connector} is one of {', '.join(known)}")


def check_url(connector: str, name: str, url: str | None) -> None:
    """Raise SettingsError for a URL with a password, before anything looks at it and quotes it."""
    if url and "://" in url and "@" in url:
        raise SettingsError(
            f"setting {name!r} of {connector} holds a password; give it as 'user' and "
            f"'password', with auth basic"
        )


def make_waits(settings: dict[str, Any], *, sleep: Any, random: Any) -> Waits:
    """Return how long to wait before repetitions, as the settings say."""
    import time

    from pypods.connectors.records.repeating import Waits

    return Waits(
        retries=settings["retries"], backoff=settings["backoff"], longest=settings["longest_wait"],
        sleep=sleep, random=random, now=time.time,
    )  # fmt: skip
