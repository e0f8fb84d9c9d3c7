"""The settings of a connection to a web service, and which of their texts are secrets."""

from __future__ import annotations

from pypods.connectors.errors import SettingsError
from pypods.connectors.records.request_settings import RequestSettings, basic_credentials
from pypods.connectors.settings import setting

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["AUTHENTICATIONS", "RestSettings"]

#: Ways to say who we are, and the settings that each needs.
AUTHENTICATIONS = {
    "none": (),
    "basic": ("user", "password"),
    "bearer": ("token",),
    "header": ("api_key",),
    "query": ("api_key",),
    "oauth2": ("token_url", "client_id", "client_secret"),
}
DECIMALS = ("number", "text")
CLIENT_AUTHENTICATIONS = ("basic", "body")
SCHEMES = ("http://", "https://")


class RestSettings(RequestSettings):
    """What the connector takes as ``connection``."""

    authentications = AUTHENTICATIONS
    urls = ("base_url", "token_url")

    def __init__(self) -> None:
        super().__init__(
            "rest",
            setting("base_url", "text", "what all paths begin with: https://host/api/v1",
                    required=True),
            setting("endpoints", "mapping", "streams by name: path, records, schema, key, "
                    "pagination and so on; '*' is for all others", default={}),
            setting("auth", "text", f"one of {', '.join(AUTHENTICATIONS)}", default="none"),
            setting("user", "text", "of auth basic"),
            setting("password", "text", "of auth basic", secret=True),
            setting("token", "text", "of auth bearer", secret=True),
            setting("api_key", "text", "of auth header and query", secret=True),
            setting("api_key_name", "text", "the header or parameter that has it",
                    default="X-API-Key"),
            setting("token_url", "text", "where auth oauth2 gets tokens for client credentials"),
            setting("client_id", "text", "of auth oauth2"),
            setting("client_secret", "text", "of auth oauth2", secret=True),
            setting("client_auth", "text", "how the client says who it is to token_url: "
                    f"{' or '.join(CLIENT_AUTHENTICATIONS)}", default="basic"),
            setting("scope", "text", "of auth oauth2"),
            setting("headers", "mapping", "sent with each request; no message shows their values",
                    secret=True),
            setting("check_path", "text", "path that check asks for", default=""),
            setting("decimals", "text", f"how decimals are written: {' or '.join(DECIMALS)}",
                    default="number"),
            setting("idempotency_header", "text", "header that tells a request from another one; "
                    "none if empty: then no POST is repeated", default="Idempotency-Key"),
        )  # fmt: skip

    def check(self, connection: Any) -> dict[str, Any]:
        """Return the settings with defaults. Raises SettingsError; it never shows a value."""
        from urllib.parse import urlsplit

        checked = super().check(connection)
        for name in self.urls:
            url = checked[name]
            if url is not None and not (url.lower().startswith(SCHEMES) and _has_host(url)):
                raise SettingsError(
                    f"setting {name!r} of rest begins with http:// or https:// and a host"
                )
        if urlsplit(checked["base_url"]).query:
            raise SettingsError("setting 'base_url' of rest has a query; give it as 'params'")
        self.check_choice(checked, "decimals", DECIMALS)
        self.check_choice(checked, "client_auth", CLIENT_AUTHENTICATIONS)
        for name, value in (checked["headers"] or {}).items():
            if not isinstance(value, str):
                raise SettingsError(f"header {name!r} of rest is text")
        # Tokens that we get on the way; what is known here is never shown.
        checked["tokens"] = []
        return checked

    def secrets(self, connection: dict[str, Any]) -> list[str]:
        """Return all texts that no message may show, in the forms in which they are sent."""
        from urllib.parse import quote, quote_plus

        names = ("password", "token", "api_key", "client_secret")
        plain = [connection.get(name) for name in names]
        plain += [*(connection.get("headers") or {}).values(), *connection.get("tokens", ())]
        found = [each for each in plain if each and isinstance(each, str)]
        for user, password in (("user", "password"), ("client_id", "client_secret")):
            if connection.get(password):
                found.append(basic_credentials(connection.get(user), connection[password]))
        return [form for each in found for form in (each, quote(each, safe=""), quote_plus(each))]


def _has_host(url: str) -> bool:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # A port that is no number.
        return False
