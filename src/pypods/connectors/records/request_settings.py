"""The settings that all connectors have in common which send requests."""

from __future__ import annotations

from pypods.connectors.errors import SettingsError
from pypods.connectors.settings import Settings, setting

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

    from pypods.connectors.records.repeating import Waits

__all__ = ["RequestSettings", "basic_credentials", "make_waits"]

MAX_PAGE_BYTES = 256 * 2**20


class RequestSettings(Settings):
    """A connector's own settings, with ``auth`` among them, and those of its requests."""

    #: Ways to say who we are, and the settings that each needs.
    authentications: dict[str, tuple[str, ...]]
    #: Settings that are URLs.
    urls: tuple[str, ...] = ()

    def __init__(self, connector: str, *own: dict[str, Any]) -> None:
        super().__init__(
            connector,
            *own,
            setting("ledger", "path", "folder in which it is noted what has been sent; needed to "
                    "write"),
            setting("timeout", "number", "seconds to wait for the server", default=30),
            setting("retries", "integer", "how often a request is repeated", default=5),
            setting("backoff", "number", "seconds before the first repetition, doubled each time",
                    default=0.5),
            setting("longest_wait", "number", "most seconds to wait before a repetition, also "
                    "where the server asks for it", default=300),
            setting("max_pages", "integer", "pages of a stream, more are an error",
                    default=1_000_000),
            setting("max_page_bytes", "integer", "bytes of an answer, more are an error",
                    default=MAX_PAGE_BYTES),
            setting("ca_file", "path", "certificates to trust, instead of the usual ones"),
        )  # fmt: skip

    def check(self, connection: Any) -> dict[str, Any]:
        """Return the settings with defaults. Raises SettingsError; it never shows a value."""
        checked = super().check(connection)
        for name in self.urls:
            self._check_url(name, checked[name])
        self.check_choice(checked, "auth", self.authentications)
        for name in self.authentications[checked["auth"]]:
            if not checked[name]:
                raise SettingsError(
                    f"auth {checked['auth']} of {self.connector} needs the setting {name!r}"
                )
        for name in ("timeout", "max_pages", "max_page_bytes"):
            if checked[name] <= 0:
                raise SettingsError(f"setting {name!r} of {self.connector} is more than 0")
        for name in ("retries", "backoff", "longest_wait"):
            if checked[name] < 0:
                raise SettingsError(f"setting {name!r} of {self.connector} is 0 or more")
        return checked

    def check_choice(self, checked: dict[str, Any], name: str, known: Any) -> None:
        """Raise SettingsError for a setting that is none of what is known."""
        if checked[name] not in known:
            raise SettingsError(
                f"setting {name!r} of {self.connector} is one of {', '.join(known)}"
            )

    def _check_url(self, name: str, url: str | None) -> None:
        """Raise SettingsError for a URL with a password, before anything quotes it."""
        if url and "://" in url and "@" in url:
            raise SettingsError(
                f"setting {name!r} of {self.connector} holds a password; give it as 'user' and "
                f"'password', with auth basic"
            )


def basic_credentials(user: Any, password: str) -> str:
    """Return both as HTTP's basic authentication has them, in UTF-8."""
    from base64 import b64encode

    return b64encode(f"{user or ''}:{password}".encode()).decode("ascii")


def make_waits(settings: dict[str, Any], *, sleep: Any, random: Any) -> Waits:
    """Return how long to wait before repetitions, as the settings say."""
    import time

    from pypods.connectors.records.repeating import Waits

    return Waits(
        retries=settings["retries"], backoff=settings["backoff"], longest=settings["longest_wait"],
        sleep=sleep, random=random, now=time.time,
    )  # fmt: skip
