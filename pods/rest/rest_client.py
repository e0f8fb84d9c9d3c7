"""Requests to a web service: authenticated, repeated where that does no harm, of bounded size."""

from __future__ import annotations

import logging
import ssl
from functools import lru_cache

import httpx

from pypods.connectors.errors import (
    AuthenticationError,
    ConnectorError,
    DataError,
    SettingsError,
    StreamNotFoundError,
    UnreachableError,
)
from pypods.connectors.records.json_text import MISSING, parse_json, value_at
from pypods.connectors.records.repeating import is_worth_repeating, retry_after_seconds

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Answer", "RestClient"]

MAX_REDIRECTS = 5
MAX_REASON_CHARACTERS = 300
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, GONE = 401, 403, 404, 410
#: A redirect that keeps the method; the others are followed for what only reads.
_REDIRECTS = (301, 302, 303, 307, 308)
#: Methods that may be done twice.
_REPEATABLE = ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")
_DEFAULT_PORTS = {"http": 80, "https": 443}

# They write whole URLs, with what is secret in them.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Answer:
    """What came back: status, headers, and all of the body."""

    def __init__(self, shown: str, url: Any, status: int, headers: Any, body: bytes) -> None:
        self.shown = shown
        self.url = url
        self.status = status
        self.headers = headers
        self.body = body

    def json(self) -> Any:
        """Return what the body says. Raises DataError."""
        return parse_json(self.body, f"the answer to {self.shown}")

    def reason(self) -> str:
        """Return why it was refused, as far as the server says."""
        text = ""
        try:
            document = self.json()
        except DataError:
            text = self.body[: 4 * MAX_REASON_CHARACTERS].decode("utf-8", "replace")
        else:
            for path in (["message"], ["error", "message"], ["error"], ["detail"], ["title"]):
                found = value_at(document, path)
                if found is not MISSING and isinstance(found, str) and found:
                    text = found
                    break
            else:
                text = self.body.decode("utf-8", "replace")
        text = " ".join(text.split())
        if len(text) > MAX_REASON_CHARACTERS:
            text = text[:MAX_REASON_CHARACTERS] + "…"
        return f"{self.status}: {text}" if text else str(self.status)


class RestClient:
    """One client; ``waits`` says when a request is repeated, ``tokens`` keeps OAuth2's."""

    def __init__(self, settings: dict[str, Any], waits: Any, tokens: Any) -> None:
        self.settings = settings
        self.waits = waits
        self.tokens = tokens
        self.base = settings["base_url"].rstrip("/")
        self.origin = _origin(httpx.URL(self.base))
        self.client = httpx.Client(
            timeout=settings["timeout"],
            verify=_trust(settings["ca_file"]),
            headers={"Accept": "application/json", "User-Agent": "pypods"},
        )

    def secrets(self) -> list[str]:
        """Return the texts that nobody may see."""
        from .rest_settings import RestSettings

        return RestSettings().secrets(self.settings)

    def __enter__(self) -> RestClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    # --- asking --------------------------------------------------------------------------------

    def read(self, method: str, url: str, **options: Any) -> Answer:
        """Ask for something. Raises an error for every status but 2xx."""
        answer = self.request(method, url, repeatable=True, **options)
        if answer.status in (NOT_FOUND, GONE):
            raise StreamNotFoundError(f"{answer.shown} was answered with {answer.reason()}")
        if answer.status >= 400:
            raise SettingsError(
                f"{answer.shown} was answered with {answer.reason()}; correct the endpoint's "
                f"declaration"
            )
        return answer

    def request(
        self,
        method: str,
        url: str,
        *,
        params: dict[str, Any] | None = None,
        body: str | None = None,
        headers: dict[str, str] | None = None,
        repeatable: bool | None = None,
    ) -> Answer:
        """Send a request and return its answer, of whatever status that is not the server's fault.

        ``url`` is a path after base_url, or all of a URL of the same server. Raises
        UnreachableError where the server does not answer, or not well, as often as it is asked,
        and AuthenticationError.
        """
        target = self._url(url, params)
        shown = f"{method} {_shown(target)}"
        if repeatable is None:
            repeatable = method in _REPEATABLE
        repetition, renewed, redirects = 0, False, 0
        while True:
            try:
                answer = self._send(method, target, shown, body, headers)
            except httpx.TransportError as exc:
                # What was not sent can be sent; of the rest nobody knows whether it was done.
                was_sent = not isinstance(
                    exc, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
                )
                if repetition >= self.waits.retries or (was_sent and not repeatable):
                    raise self._unreachable(shown, exc, was_sent, repeatable) from None
                self.waits.wait(repetition, None, shown)
                repetition += 1
                continue
            if answer.status in _REDIRECTS and "location" in answer.headers:
                redirects += 1
                target = self._redirected(answer, method, redirects)
                continue
            if answer.status == UNAUTHORIZED and self._renew(renewed):
                renewed = True
                continue
            if answer.status in (UNAUTHORIZED, FORBIDDEN):
                raise AuthenticationError(f"{shown} was answered with {answer.reason()}")
            asked = retry_after_seconds(
                answer.headers.get("retry-after"), answer.headers.get("date"), self.waits.now()
            )
            if not is_worth_repeating(
                answer.status, repeatable=repeatable, asks_to_wait=asked is not None
            ):
                if answer.status >= 500:
                    raise self._failed(shown, answer, repeatable)
                return answer
            if repetition >= self.waits.retries:
                raise UnreachableError(
                    f"{shown} was answered with {answer.reason()}, {repetition + 1} times"
                )
            self.waits.wait(repetition, asked, shown)
            repetition += 1

    def _failed(self, shown: str, answer: Answer, repeatable: bool) -> ConnectorError:
        text = f"{shown} was answered with {answer.reason()}"
        if repeatable:
            return UnreachableError(text, retry=False)
        return UnreachableError(
            f"{text}; it is not known whether it was done: look before it is sent again",
            retry=False,
        )

    def _unreachable(
        self, shown: str, exc: Exception, was_sent: bool, repeatable: bool
    ) -> ConnectorError:
        what = str(exc) or type(exc).__name__
        if isinstance(exc, httpx.TimeoutException):
            what = f"no answer within {self.settings['timeout']:g} s"
        text = f"{shown}: {what}"
        if was_sent and not repeatable:
            return UnreachableError(
                f"{text}; it is not known whether it was done: look before it is sent again",
                retry=False,
            )
        return UnreachableError(text)

    def _send(self, method: str, target: Any, shown: str, body: str | None, headers: Any) -> Answer:
        """Send it once, and read the answer as far as it may go."""
        most = self.settings["max_page_bytes"]
        given = {**(self.settings["headers"] or {}), **(headers or {})}
        content = None
        if body is not None:
            content = body.encode("utf-8")
            given["Content-Type"] = "application/json"
        target, auth = self._authenticated(target, given)
        request = self.client.build_request(method, target, content=content, headers=given)
        response = self.client.send(request, stream=True, auth=auth, follow_redirects=False)
        try:
            parts, size = [], 0
            for part in response.iter_bytes():
                size += len(part)
                if size > most:
                    raise DataError(
                        f"the answer to {shown} has more than {most} bytes; ask for smaller "
                        f"pages, or raise max_page_bytes"
                    )
                parts.append(part)
        except httpx.DecodingError as exc:
            raise DataError(f"the answer to {shown} is not packed as it says: {exc}") from None
        finally:
            response.close()
        return Answer(shown, target, response.status_code, response.headers, b"".join(parts))

    # --- who we are ----------------------------------------------------------------------------

    def _authenticated(self, target: Any, headers: dict[str, str]) -> tuple[Any, Any]:
        settings = self.settings
        kind = settings["auth"]
        auth: Any = None
        if kind == "basic":
            auth = httpx.BasicAuth(settings["user"], settings["password"])
        elif kind == "bearer":
            headers["Authorization"] = f"Bearer {settings['token']}"
        elif kind == "oauth2":
            headers["Authorization"] = f"Bearer {self.tokens.get(self.client, settings)}"
        elif kind == "header":
            headers[settings["api_key_name"]] = settings["api_key"]
        elif kind == "query":
            target = target.copy_set_param(settings["api_key_name"], settings["api_key"])
        return target, auth

    def _renew(self, renewed: bool) -> bool:
        """Whether another token may be let in: one that has not ended by our clock may have."""
        if self.settings["auth"] != "oauth2" or renewed:
            return False
        return bool(self.tokens.forget(self.settings))

    # --- where to ------------------------------------------------------------------------------

    def _url(self, url: str, params: dict[str, Any] | None) -> Any:
        if url.startswith("/"):
            url = self.base + url
        target = httpx.URL(url or self.base)
        self._check_origin(target)
        return target.copy_merge_params(params) if params else target

    def follow(self, answer: Answer, link: str) -> str:
        """Return a link of an answer as a whole URL. Raises SettingsError for another server's."""
        try:
            target = answer.url.join(link)
        except httpx.InvalidURL:
            raise DataError(f"{answer.shown} was answered with a link that is none") from None
        self._check_origin(target)
        return str(target)

    def _redirected(self, answer: Answer, method: str, count: int) -> Any:
        if count > MAX_REDIRECTS:
            raise SettingsError(f"{answer.shown} was redirected {count} times; correct base_url")
        if method not in ("GET", "HEAD"):
            raise SettingsError(
                f"{answer.shown} was redirected ({answer.status}), and what is sent is not sent "
                f"elsewhere; correct the path"
            )
        return httpx.URL(self.follow(answer, answer.headers["location"]))

    def _check_origin(self, target: Any) -> None:
        if _origin(target) != self.origin:
            raise SettingsError(
                f"the server names {target.scheme}://{target.host}, and nothing but "
                f"{self.base} is asked: it would be told who we are"
            )


@lru_cache(maxsize=8)
def _trust(ca_file: str | None) -> ssl.SSLContext:
    """Return what certificates are checked with; to read them all takes a while, so once."""
    if not ca_file:
        return httpx.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as exc:
        raise SettingsError(f"setting 'ca_file' of rest: {exc}") from None


def _origin(url: Any) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or _DEFAULT_PORTS.get(url.scheme)


def _shown(url: Any) -> str:
    """Return a URL without its query and whoever stands before its host."""
    return str(url.copy_with(query=None, fragment=None, username=None, password=None))


def translate(error: Exception) -> ConnectorError | None:
    """Return what an error of httpx is for everybody; None for what is none of it."""
    if isinstance(error, httpx.InvalidURL):
        return SettingsError(f"a URL cannot be: {error}")
    if isinstance(error, httpx.HTTPError):
        return UnreachableError(str(error) or type(error).__name__)
    return None
