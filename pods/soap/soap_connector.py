"""Web services that speak SOAP, as the contract wants them."""

from __future__ import annotations

import copy
import random
import re
import time

from pypods.connectors.errors import DataError, SettingsError
from pypods.connectors.files.store import LocalStore
from pypods.connectors.records.declarations import passed_on
from pypods.connectors.records.json_text import MISSING, parse_json, put_at
from pypods.connectors.records.paging import Page, make_pager
from pypods.connectors.records.record_connector import (
    RECORD_CAPABILITIES,
    RecordConnector,
    RecordStream,
)
from pypods.connectors.records.request_settings import make_waits

from .soap_settings import Operation, SoapSettings

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterator

__all__ = ["SoapConnector"]

_STATEMENT = re.compile(r"\s*([\w.-]+)\s*(\{.*\})?\s*", re.DOTALL)


class SoapConnector(RecordConnector):
    """Operations of a SOAP service. ``sleep`` waits before a request is repeated."""

    name = "soap"
    title = "SOAP"
    verified = "with a service of spyne's"
    settings = SoapSettings()
    capabilities = {
        **RECORD_CAPABILITIES,
        # An operation takes what the WSDL says, and no other columns.
        "create": False,
        "delivery": "at least once; once where the operation knows calls by their identity",
    }

    def __init__(self, *, sleep: Any = time.sleep, random: Any = random.random) -> None:
        self._sleep = sleep
        self._random = random
        self._documents: Any = None

    def driver(self) -> str:
        import zeep

        return f"zeep {zeep.__version__}"

    def open(self, settings: dict[str, Any], *, writing: bool = False) -> Any:
        from .soap_client import Documents, SoapClient

        if self._documents is None:
            self._documents = Documents(time.monotonic)
        waits = make_waits(settings, sleep=self._sleep, random=self._random)
        return SoapClient(settings, waits, self._documents)

    def translate(self, error: Exception, settings: dict[str, Any]) -> Any:
        from .soap_client import translate

        known = translate(error)
        if known is None and isinstance(error, OSError):  # Of the ledger's folder.
            return LocalStore(settings["ledger"] or "").translate(error)
        return known

    def server(self, session: Any) -> str:
        """Read the WSDL anew, and a page of the stream that check is to read."""
        session.load(anew=True)
        name = session.settings["check_stream"]
        if name:
            found = self.find(session, session.settings, name)
            next(iter(self.pages(session, found, None)), None)
        return str(session.address)

    def list_streams(self, session: Any, settings: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the declared streams, and the service's operations."""
        declared = list(settings["operations"])
        for name in declared:
            self.find(session, settings, name)
        streams = [{"name": name, "kind": "stream", "rows": None} for name in declared]
        return streams + [
            {"name": name, "kind": "operation", "rows": None}
            for name in sorted(session.operations())
            if name not in declared
        ]

    # --- reading -------------------------------------------------------------------------------

    def find(
        self, session: Any, settings: dict[str, Any], stream: str, *, look: bool = False
    ) -> RecordStream:
        from pypods.connectors.names import check_columns

        declared = Operation(settings, stream)
        shown = f"stream {stream!r}"
        try:
            columns = _columns(session, declared, shown)
        except SettingsError:
            if not session.renew():
                raise
            columns = _columns(session, declared, shown)
        for names in (declared.key, declared.sorted_by):
            check_columns(names, columns.schema.names, shown)
        declared.answer = columns
        made = RecordStream(
            stream, schema=columns.schema, paths=columns.paths, key=declared.key,
            sorted_by=declared.sorted_by, about=declared,
        )  # fmt: skip
        if look:
            next(iter(self.pages(session, made, None)), None)
        return made

    def pages(self, session: Any, stream: RecordStream, chosen: Any) -> Iterator[Any]:
        from .soap_types import find_all, record_of

        declared = stream.about
        given = {} if chosen is None else _arguments_of(stream, chosen)
        pager = make_pager(stream.name, declared.pagination, look=_look)
        step = pager.first()
        number = 0
        while step is not None:
            number += 1
            if number > session.settings["max_pages"]:
                raise SettingsError(
                    f"{stream.name} has more than {session.settings['max_pages']} pages; raise "
                    f"max_pages if it may"
                )
            arguments = copy.deepcopy(declared.arguments)
            for path, value in {**given, **step[1]}.items():
                put_at(arguments, path.split("."), value)
            answer = session.call(declared.operation, arguments, repeatable=True)
            records = [
                record_of(each, declared.answer.record, stream.name)
                for each in find_all(answer, declared.result)
            ]
            yield records
            step = pager.next(Page(answer, answer, records))

    def column(self, stream: RecordStream, values: list[Any], field: Any, *, first_row: int) -> Any:
        from .soap_types import column_from_xml

        member = stream.about.answer.members[field.name]
        return column_from_xml(values, field, member, first_row)

    # --- changing ------------------------------------------------------------------------------

    def sender(
        self, session: Any, settings: dict[str, Any], stream: str, *, mode: str, key: list[str]
    ) -> Any:
        from .soap_writing import SoapSender

        return SoapSender(
            session, settings, Operation(settings, stream), mode=mode,
            secrets=self.settings.secrets(settings),
        )  # fmt: skip

    def execute(self, connection: dict[str, Any], statement: str) -> dict[str, Any]:
        """Call an operation, ``Name {"argument": 1}``; return what it answers, as JSON has it."""
        from .soap_types import json_of

        def call(session: Any, _: dict[str, Any]) -> dict[str, Any]:
            found = _STATEMENT.fullmatch(statement) if isinstance(statement, str) else None
            if found is None:
                raise SettingsError(
                    "a statement is an operation and perhaps its arguments as JSON: "
                    'Restart {"now": true}'
                )
            try:
                arguments = parse_json(found[2] or "{}", "the statement")
            except DataError as exc:
                raise SettingsError(str(exc)) from None
            answer = session.call(found[1], arguments, repeatable=False)
            document = json_of(answer, session.answer_type(found[1]))
            return {"rows": None, "status": 200, "json": document}

        return self.using(connection, call, writing=True)


def _columns(session: Any, declared: Operation, shown: str) -> Any:
    """Return the columns of an operation's records, as the WSDL has them."""
    from .soap_types import columns_of, type_at

    type_ = type_at(session.answer_type(declared.operation), declared.result, shown)
    return columns_of(type_, declared.columns, shown)


def _look(answer: Any, path: list[str]) -> Any:
    """Return the text at a path of an answer, or MISSING."""
    from .soap_types import find_all

    found = find_all(answer, path)
    return (found[0].text or "") if found else MISSING


def _arguments_of(stream: RecordStream, chosen: Any) -> dict[str, Any]:
    """Return arguments for the conditions that the stream declares some for."""
    told = passed_on(stream.about.where, stream.sorted_by, chosen)
    return {
        name: [each.as_py() for each in value] if operator == "in" else value.as_py()
        for name, (_, operator, value) in told.items()
    }
