"""Calls of a SOAP service: the WSDL, authentication, requests that are repeated, faults."""

from __future__ import annotations

import logging
from pathlib import Path
from urllib.parse import urlsplit

import requests
import requests.auth
import zeep
import zeep.exceptions
import zeep.wsdl
from lxml import etree
from zeep.loader import parse_xml
from zeep.transports import Transport
from zeep.wsse.username import UsernameToken

from pypods.connectors.errors import (
    AuthenticationError,
    ConnectorError,
    DataError,
    SettingsError,
    UnreachableError,
)
from pypods.connectors.records.repeating import is_worth_repeating, retry_after_seconds
from pypods.connectors.records.request_settings import basic_credentials

from .soap_settings import no_operation

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["SoapClient", "translate"]

OK, UNAUTHORIZED, FORBIDDEN, INTERNAL_ERROR = 200, 401, 403, 500
MAX_SHOWN_CHARACTERS = 300
#: Faults of WS-Security that say who we are is not believed.
_NOT_LET_IN = ("FailedAuthentication", "InvalidSecurity", "InvalidSecurityToken",
               "SecurityTokenUnavailable")  # fmt: skip

# They write whole envelopes, with the password in them.
for _name in ("zeep", "urllib3"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class RepeatingTransport(Transport):
    """Transport of zeep that repeats what may be, and reads answers as far as they may go."""

    def __init__(self, settings: dict[str, Any], waits: Any, session: Any) -> None:
        super().__init__(
            timeout=settings["timeout"], operation_timeout=settings["timeout"], session=session
        )
        self.settings = settings
        self.waits = waits
        #: Whether the request under way may be done twice.
        self.repeatable = True

    def post(self, address: str, message: Any, headers: Any) -> Any:
        """Post, and return the answer. Raises UnreachableError and AuthenticationError."""
        shown = f"POST {_without_query(address)}"
        repetition = 0
        while True:
            try:
                response = self.session.post(
                    address, data=message, headers=headers, timeout=self.operation_timeout,
                    stream=True, allow_redirects=False,
                )  # fmt: skip
                self._read(response, shown)
            except (requests.ConnectionError, requests.Timeout) as exc:
                # What was not sent can be sent; of the rest nobody knows whether it was done.
                was_sent = not isinstance(exc, requests.ConnectTimeout) and not _was_refused(exc)
                if repetition >= self.waits.retries or (was_sent and not self.repeatable):
                    raise _unreachable(
                        shown, exc, in_doubt=was_sent and not self.repeatable
                    ) from None
                asked = None
            else:
                status = response.status_code
                if status in (UNAUTHORIZED, FORBIDDEN):
                    raise AuthenticationError(f"{shown} was answered with {status}")
                if status in range(300, 400):
                    raise SettingsError(
                        f"{shown} was redirected ({status}); correct the setting 'address'"
                    )
                asked = retry_after_seconds(
                    response.headers.get("Retry-After"), response.headers.get("Date"),
                    self.waits.now(),
                )  # fmt: skip
                # A fault is answered with 500, and is no reason to ask again.
                if status == INTERNAL_ERROR or not is_worth_repeating(
                    status, repeatable=self.repeatable, asks_to_wait=asked is not None
                ):
                    return response
                if repetition >= self.waits.retries:
                    raise UnreachableError(
                        f"{shown} was answered with {status}, {repetition + 1} times"
                    )
            self.waits.wait(repetition, asked, shown)
            repetition += 1

    def _read(self, response: Any, shown: str) -> None:
        most = self.settings["max_page_bytes"]
        parts, size = [], 0
        try:
            for part in response.iter_content(65536):
                size += len(part)
                if size > most:
                    raise DataError(
                        f"the answer to {shown} has more than {most} bytes; ask for smaller "
                        f"pages, or raise max_page_bytes"
                    )
                parts.append(part)
        finally:
            response.close()
        # Where requests keeps what it has read.
        response._content = b"".join(parts)


class _Basic(requests.auth.AuthBase):
    """Says who we are to the servers that the settings name, and to no other.

    Where that is not asked for it says nothing, and keeps requests from saying what a .netrc has.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self.header = ""
        self.origins: set[Any] = set()
        if settings["auth"] == "basic":
            # As UTF-8: requests would write it in Latin-1, which not every password is.
            self.header = f"Basic {basic_credentials(settings['user'], settings['password'])}"

    def __call__(self, request: Any) -> Any:
        if self.header and _origin(request.url) in self.origins:
            request.headers["Authorization"] = self.header
        return request


class SoapClient:
    """A service of a WSDL; ``documents`` keeps what was read of WSDLs."""

    def __init__(self, settings: dict[str, Any], waits: Any, documents: Any) -> None:
        self.settings = settings
        self.session = requests.Session()
        if settings["ca_file"]:
            if not Path(settings["ca_file"]).is_file():
                raise SettingsError(f"setting 'ca_file' of soap: no file {settings['ca_file']}")
            self.session.verify = settings["ca_file"]
        self.session.auth = _Basic(settings)
        self.transport = RepeatingTransport(settings, waits, self.session)
        self._documents = documents
        self._binding: Any = None
        self._client: Any = None
        self._address = ""
        #: Whether the WSDL is not one that was kept.
        self._is_new = False

    def __enter__(self) -> SoapClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    # --- what the WSDL says --------------------------------------------------------------------

    def load(self, *, anew: bool = False) -> None:
        """Read the WSDL, if that was not done a moment ago."""
        if self._client is not None and not anew:
            return
        settings = self.settings
        wsse = None
        if settings["auth"].startswith("usernametoken"):
            wsse = UsernameToken(
                settings["user"], settings["password"],
                use_digest=settings["auth"] == "usernametoken_digest",
            )  # fmt: skip
        self.session.auth.origins = {_origin(settings["wsdl"])} - {None}
        about = zeep.Settings(forbid_dtd=True, forbid_entities=True, raw_response=True)
        document = self._documents.get(settings, self.transport, about, anew=anew)
        self._is_new = anew
        self._client = zeep.Client(
            document, wsse=wsse, transport=self.transport, settings=about,
        )  # fmt: skip
        try:
            proxy = self._client.bind(settings["service"], settings["port"])
        except (ValueError, zeep.exceptions.Error) as exc:
            services = ", ".join(
                f"{service.name} ({', '.join(service.ports)})"
                for service in document.services.values()
            )
            raise SettingsError(f"{exc}; the WSDL has the services {services}") from None
        self._binding = proxy._binding
        self._address = settings["address"] or proxy._binding_options["address"]
        named = _origin(settings["wsdl"])
        is_told = settings["auth"] != "none" and not settings["address"]
        if is_told and named is not None and _origin(self._address) != named:
            raise SettingsError(
                f"the WSDL names the address {_without_query(self._address)}, of another server; "
                f"set 'address' to it if that is to be told who we are"
            )
        self.session.auth.origins.add(_origin(self._address))

    def renew(self) -> bool:
        """Read the WSDL anew, unless that was done; return whether it may have changed."""
        was_kept = not self._is_new
        if was_kept:
            self.load(anew=True)
        return was_kept

    @property
    def address(self) -> str:
        """Where the service is."""
        self.load()
        return _without_query(self._address)

    def operations(self) -> dict[str, Any]:
        """Return the operations by name."""
        self.load()
        found: dict[str, Any] = self._binding.all()
        return found

    def operation(self, name: str) -> Any:
        """Return an operation. Raises StreamNotFoundError."""
        there = self.operations()
        # It may have come since the WSDL was read.
        if name not in there and self.renew():
            there = self.operations()
        if name not in there:
            raise no_operation(name, there)
        return there[name]

    def arguments_type(self, name: str) -> Any:
        """Return the type of what an operation is told; None where it is told nothing."""
        given = self.operation(name).input
        return None if given is None or given.body is None else given.body.type

    def answer_type(self, name: str) -> Any:
        """Return the type of what an operation answers; None where it answers nothing."""
        output = self.operation(name).output
        return None if output is None or output.body is None else output.body.type

    # --- calling -------------------------------------------------------------------------------

    def check_arguments(self, name: str, arguments: dict[str, Any]) -> None:
        """Raise DataError for arguments that the operation does not take."""
        operation = self.operation(name)
        try:
            operation.create(**arguments)
        except (zeep.exceptions.Error, TypeError, ValueError, AttributeError) as exc:
            raise DataError(f"operation {name!r} does not take that: {exc}") from None

    def call(self, name: str, arguments: dict[str, Any], *, repeatable: bool) -> Any:
        """Return the element that an operation answers with. Raises DataError for a fault."""
        self.operation(name)
        self.transport.repeatable = repeatable
        try:
            response = self._binding.send(
                self._client, {"address": self._address}, name, (), arguments
            )
        except (zeep.exceptions.ValidationError, TypeError, ValueError, AttributeError) as exc:
            raise SettingsError(f"operation {name!r} does not take that: {exc}") from None
        return self._body(name, response)

    def _body(self, name: str, response: Any) -> Any:
        shown = f"the answer of operation {name!r}"
        if not response.content:
            if response.status_code < 300:
                return etree.Element("nothing")
            raise UnreachableError(f"{shown} is {response.status_code}", retry=False)
        kind = response.headers.get("Content-Type", "")
        if kind.startswith("multipart/"):
            raise DataError(f"{shown} has attachments ({kind.split(';')[0]}), which are not read")
        try:
            document = parse_xml(response.content, self.transport, settings=self._client.settings)
        except (zeep.exceptions.Error, etree.XMLSyntaxError, ValueError) as exc:
            text = response.content[:MAX_SHOWN_CHARACTERS].decode("utf-8", "replace")
            raise DataError(
                f"{shown} ({response.status_code}) is no XML ({type(exc).__name__} {exc}): {text!r}"
            ) from None
        body = next((each for each in document if _local(each) == "Body"), None)
        if body is None:
            what = _local(document)
            raise DataError(
                f"{shown} is an envelope without a body"
                if what == "Envelope"
                else f"{shown} is no SOAP envelope, but {what!r}"
            )
        content = [each for each in body if isinstance(each.tag, str)]
        if content and _local(content[0]) == "Fault":
            self._raise_fault(name, document)
        if response.status_code != OK:
            raise UnreachableError(f"{shown} has the status {response.status_code}", retry=False)
        return content[0] if content else etree.Element("nothing")

    def _raise_fault(self, name: str, document: Any) -> None:
        try:
            self._binding.process_error(document, self.operation(name))
        except zeep.exceptions.Fault as fault:
            code, text = fault.code or "no code", fault.message or "no text"
        message = f"operation {name!r} answered with a fault, {code}: {text}"
        if code.rpartition(":")[2] in _NOT_LET_IN:
            raise AuthenticationError(message)
        raise DataError(message)


class Documents:
    """WSDLs that were read, for some minutes."""

    LAST_SECONDS = 300.0
    MOST = 8

    def __init__(self, now: Any) -> None:
        self._known: dict[Any, tuple[Any, float]] = {}
        self._now = now

    def get(self, settings: dict[str, Any], transport: Any, about: Any, *, anew: bool) -> Any:
        """Return what a WSDL says. Raises UnreachableError, AuthenticationError, SettingsError."""
        name = (settings["wsdl"], settings["auth"], settings["user"], settings["password"])
        document, end = self._known.get(name, (None, 0.0))
        if document is None or anew or self._now() >= end:
            document = _read(settings["wsdl"], transport, about)
            if len(self._known) >= self.MOST:
                self._known.clear()
            self._known[name] = document, self._now() + self.LAST_SECONDS
        return document


def _read(wsdl: str, transport: Any, about: Any) -> Any:
    shown = _without_query(wsdl)
    try:
        return zeep.wsdl.Document(wsdl, transport, settings=about)
    except requests.HTTPError as exc:
        status = exc.response.status_code
        if status in (UNAUTHORIZED, FORBIDDEN):
            raise AuthenticationError(f"the WSDL {shown} was answered with {status}") from None
        if status >= 500:
            raise UnreachableError(f"the WSDL {shown} was answered with {status}") from None
        raise SettingsError(f"the WSDL {shown} was answered with {status}") from None
    except (requests.ConnectionError, requests.Timeout) as exc:
        raise _unreachable(f"the WSDL {shown}", exc, in_doubt=False) from None
    except OSError as exc:
        raise UnreachableError(
            f"the WSDL {shown} cannot be read: {exc.strerror or exc}; correct the setting 'wsdl'",
            retry=False,
        ) from None
    except (zeep.exceptions.Error, etree.LxmlError, ValueError, KeyError) as exc:
        raise SettingsError(f"the WSDL {shown} is none: {type(exc).__name__} {exc}") from None


def _unreachable(shown: str, exc: Exception, *, in_doubt: bool) -> ConnectorError:
    what = "no answer in time" if isinstance(exc, requests.Timeout) else _innermost(exc)
    if in_doubt:
        return UnreachableError(
            f"{shown}: {what}; it is not known whether it was done: look before it is sent again",
            retry=False,
        )
    return UnreachableError(f"{shown}: {what}")


def _innermost(exc: BaseException) -> str:
    """Return what the system said; requests wraps it, with its URL, in three others."""
    reason = getattr(exc.args[0], "reason", None) if exc.args else None
    text = str(reason or exc)
    return text.rpartition(": ")[2] or type(exc).__name__


def _was_refused(exc: Exception) -> bool:
    """Whether no connection was made at all."""
    reason = getattr(exc.args[0], "reason", None) if exc.args else None
    return type(reason).__name__ in ("NewConnectionError", "NameResolutionError")


def _origin(url: str) -> Any:
    """Return scheme, host and port of a URL; None of a file's path."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        return None
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}[parts.scheme]


def _without_query(url: str) -> str:
    return url.partition("?")[0]


def _local(element: Any) -> str:
    return str(etree.QName(element).localname)


def translate(error: Exception) -> ConnectorError | None:
    """Return what an error of the libraries is for everybody; None for what is none of theirs."""
    if isinstance(error, requests.RequestException) and isinstance(error, ValueError):
        return SettingsError(f"a URL cannot be: {error}")
    if isinstance(error, requests.RequestException):
        return UnreachableError(_innermost(error))
    if isinstance(error, zeep.exceptions.Error):
        return DataError(f"{type(error).__name__}: {error}")
    return None
