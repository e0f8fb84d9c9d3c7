"""Web services that speak JSON, as the contract wants them."""

from __future__ import annotations

import random
import re
import time

from pypods.connectors.errors import DataError, SettingsError
from pypods.connectors.files.store import LocalStore
from pypods.connectors.records.declarations import passed_on
from pypods.connectors.records.json_text import parse_json
from pypods.connectors.records.record_connector import (
    RECORD_CAPABILITIES,
    RecordConnector,
    RecordStream,
)
from pypods.connectors.records.request_settings import make_waits

from .rest_endpoints import ANY, find_endpoint
from .rest_settings import RestSettings

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterator

__all__ = ["RestConnector"]

_STATEMENT = re.compile(r"\s*(GET|HEAD|POST|PUT|PATCH|DELETE)\s+(/\S*)\s*(.*)", re.DOTALL)


class RestConnector(RecordConnector):
    """Endpoints of a web service. ``sleep`` waits before a request is repeated."""

    name = "rest"
    title = "REST"
    verified = "with services of the tests"
    settings = RestSettings()
    capabilities = {
        **RECORD_CAPABILITIES,
        "delivery": "at least once; once where the service honours the idempotency header",
    }

    def __init__(self, *, sleep: Any = time.sleep, random: Any = random.random) -> None:
        from .rest_tokens import Tokens

        self._sleep = sleep
        self._random = random
        self._tokens = Tokens()

    def driver(self) -> str:
        import httpx

        return f"httpx {httpx.__version__}"

    def open(self, settings: dict[str, Any], *, writing: bool = False) -> Any:
        from .rest_client import RestClient

        waits = make_waits(settings, sleep=self._sleep, random=self._random)
        return RestClient(settings, waits, self._tokens)

    def translate(self, error: Exception, settings: dict[str, Any]) -> Any:
        from .rest_client import translate

        if isinstance(error, OSError):  # Of the ledger's folder.
            return LocalStore(settings["ledger"] or "").translate(error)
        return translate(error)

    def server(self, session: Any) -> str:
        """Ask for check_path; that it is not there is no error, for many have nothing there."""
        answer = session.request("GET", session.settings["check_path"])
        if answer.status >= 400 and session.settings["check_path"]:
            raise SettingsError(f"{answer.shown} was answered with {answer.reason()}")
        server = answer.headers.get("server")
        return f"{session.base} ({server})" if server else str(session.base)

    def list_streams(self, session: Any, settings: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the endpoints that are declared; each declaration is looked through."""
        names = [name for name in settings["endpoints"] if name != ANY]
        for name in names:
            find_endpoint(settings, name)
        return [{"name": name, "kind": "endpoint", "rows": None} for name in names]

    # --- reading -------------------------------------------------------------------------------

    def find(
        self, session: Any, settings: dict[str, Any], stream: str, *, look: bool = False
    ) -> RecordStream:
        endpoint = find_endpoint(settings, stream)
        made = RecordStream(
            stream, schema=endpoint.schema, paths=endpoint.paths, key=endpoint.key,
            sorted_by=endpoint.sorted_by, about=endpoint,
        )  # fmt: skip
        if look:
            next(iter(self.pages(session, made, None)), None)
        return made

    def pages(self, session: Any, stream: RecordStream, chosen: Any) -> Iterator[Any]:
        from .rest_pages import read_pages

        params = {} if chosen is None else _params_of(stream, chosen)
        return read_pages(session, stream.about, params, max_pages=session.settings["max_pages"])

    # --- changing ------------------------------------------------------------------------------

    def sender(
        self, session: Any, settings: dict[str, Any], stream: str, *, mode: str, key: list[str]
    ) -> Any:
        from .rest_writing import RestSender

        return RestSender(session, settings, find_endpoint(settings, stream), mode=mode, key=key)

    def execute(self, connection: dict[str, Any], statement: str) -> dict[str, Any]:
        """Send one request, ``POST /path {"json": true}``; return its status and what it says."""

        def send(session: Any, _: dict[str, Any]) -> dict[str, Any]:
            method, path, body = _parsed(statement)
            answer = session.request(method, path, body=body)
            if answer.status >= 400:
                raise DataError(f"{answer.shown} was answered with {answer.reason()}")
            document = None
            if answer.body.strip():
                document = answer.json()
            return {"rows": None, "status": answer.status, "json": document}

        return self.using(connection, send, writing=True)


def _parsed(statement: Any) -> tuple[str, str, str | None]:
    found = _STATEMENT.fullmatch(statement) if isinstance(statement, str) else None
    if found is None:
        raise SettingsError(
            'a statement is a method, a path from base_url on and perhaps JSON: POST /things {"a": '
            "1}"
        )
    method, path, body = found.groups()
    if body:
        try:
            parse_json(body, "the statement's body")
        except DataError as exc:
            raise SettingsError(str(exc)) from None
    return method, path, body or None


def _params_of(stream: RecordStream, chosen: Any) -> dict[str, Any]:
    """Return parameters for the conditions that the endpoint declares some for."""
    params: dict[str, Any] = {}
    told = passed_on(stream.about.where, stream.sorted_by, chosen)
    for name, (column, operator, value) in told.items():
        values = value if operator == "in" else [value]
        texts = [_text(each, chosen.schema.field(column)) for each in values]
        # One that has a comma in it could not be told from two.
        if operator != "in" or (texts and not any("," in each for each in texts)):
            params[name] = ",".join(texts)
    return params


def _text(value: Any, field: Any) -> str:
    """Return a value as parameters have it: as its JSON text, without quotes."""
    import pyarrow as pa
    import pyarrow.types as is_

    from pypods.connectors.text_forms import text_from_array

    array = pa.array([value.as_py()], field.type)
    text = str(text_from_array(array, field)[0].as_py())
    return text.replace(" ", "T") if is_.is_timestamp(field.type) else text
