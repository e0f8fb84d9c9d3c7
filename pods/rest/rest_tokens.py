"""Tokens of OAuth2 for client credentials (RFC 6749, 4.4), kept until they end."""

from __future__ import annotations

import time

import httpx

from pypods.connectors.errors import AuthenticationError, UnreachableError
from pypods.connectors.names import short_hash
from pypods.connectors.records.json_text import parse_json

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Tokens"]

#: A token is not used in its last seconds: it could end on its way.
MARGIN_SECONDS = 30.0


class Tokens:
    """The tokens of this process, by who they are for."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, float]] = {}

    def get(self, client: Any, settings: dict[str, Any]) -> str:
        """Return a token that has not ended. Raises AuthenticationError and UnreachableError."""
        name = _name(settings)
        token, end = self._known.get(name, ("", 0.0))
        if not token or time.monotonic() >= end:
            token, end = self._known[name] = _fetch(client, settings)
        if token not in settings["tokens"]:
            settings["tokens"].append(token)
        return token

    def forget(self, settings: dict[str, Any]) -> bool:
        """Forget a token that the server refused; return whether there was one."""
        return self._known.pop(_name(settings), None) is not None


def _name(settings: dict[str, Any]) -> str:
    names = ("token_url", "client_id", "client_secret", "scope")
    return short_hash(*(str(settings[name]) for name in names))


def _fetch(client: Any, settings: dict[str, Any]) -> tuple[str, float]:
    form = {"grant_type": "client_credentials"}
    if settings["scope"]:
        form["scope"] = settings["scope"]
    auth: Any = None
    if settings["client_auth"] == "basic":
        auth = httpx.BasicAuth(settings["client_id"], settings["client_secret"])
    else:
        form.update(client_id=settings["client_id"], client_secret=settings["client_secret"])
    try:
        response = client.post(settings["token_url"], data=form, auth=auth, follow_redirects=False)
    except httpx.TransportError as exc:
        raise UnreachableError(f"token_url: {exc or type(exc).__name__}") from None
    if response.status_code >= 500:
        raise UnreachableError(f"token_url was answered with {response.status_code}")
    if response.status_code != 200:
        raise AuthenticationError(
            f"token_url was answered with {response.status_code}: {response.text[:200]}"
        )
    document = parse_json(response.content, "the answer of token_url")
    token = document.get("access_token") if isinstance(document, dict) else None
    if not isinstance(token, str) or not token:
        raise AuthenticationError("the answer of token_url has no access_token")
    try:
        lasts = float(document.get("expires_in") or 0)
    except (TypeError, ValueError):
        lasts = 0.0
    # One that says nothing of its end is asked for anew with each call.
    return token, time.monotonic() + max(lasts - MARGIN_SECONDS, 0.0)
