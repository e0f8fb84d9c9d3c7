"""A connector of records in this process: JSON texts in memory, in pages, taken once each."""

from __future__ import annotations

from contextlib import contextmanager

from pypods.connectors.errors import DataError, SettingsError, StreamNotFoundError, UnreachableError
from pypods.connectors.records.json_text import dump_json, parse_json
from pypods.connectors.records.json_writing import records_of_batch
from pypods.connectors.records.record_connector import RecordConnector, RecordStream
from pypods.connectors.records.sending import Sender
from pypods.connectors.settings import Settings, setting
from pypods.connectors.types import schema_from_rows


class MemoryRecords(RecordConnector):
    """``systems`` are streams by the name of their system; a stream is a list of JSON texts."""

    name = title = "memory records"
    settings = Settings(
        "memory records",
        setting("system", "text", "which one", required=True),
        setting("streams", "mapping", "what is known of streams", default={}),
        setting("ledger", "path", "where runs are noted"),
        setting("rows_per_request", "integer", "rows of a request", default=10),
    )

    def __init__(self, page_rows=64):
        self.systems = {"here": {}}
        self.identities = set()
        self.page_rows = page_rows
        self.pages_read = 0
        self.requests = []
        self.before_send = lambda request: None

    def driver(self):
        return "none"

    def server(self, session):
        return "memory"

    @contextmanager
    def open(self, settings, *, writing=False):
        if settings["system"] not in self.systems:
            raise ConnectionError(settings["system"])
        yield self.systems[settings["system"]]

    def translate(self, error, settings):
        if isinstance(error, ConnectionError):
            return UnreachableError("nobody is there")
        return None

    def list_streams(self, session, settings):
        return [{"name": name, "kind": "records", "rows": None} for name in session]

    def find(self, session, settings, stream, *, look=False):
        about = settings["streams"].get(stream, {})
        if (look or not about) and stream not in session:
            raise StreamNotFoundError(f"there is no {stream}")
        schema = about.get("schema")
        return RecordStream(
            stream,
            schema=None if schema is None else schema_from_rows(schema),
            paths=about.get("paths"),
            key=about.get("key", ()),
            sorted_by=about.get("sorted_by", ()),
        )

    def pages(self, session, stream, chosen):
        if stream.name not in session:
            raise StreamNotFoundError(f"there is no {stream.name}")
        texts = list(session[stream.name])
        for start in range(0, max(len(texts), 1), self.page_rows):
            self.pages_read += 1
            yield [parse_json(each, "it") for each in texts[start : start + self.page_rows]]

    def sender(self, session, settings, stream, *, mode, key):
        if stream.startswith("read only"):
            raise SettingsError(f"{stream} is read only")
        return MemorySender(self, session, settings, stream, key if mode == "upsert" else None)


class MemorySender(Sender):
    def __init__(self, connector, session, settings, stream, key):
        self.connector = connector
        self.session = session
        self.stream = stream
        self.key = key
        self.rows_per_request = settings["rows_per_request"]
        about = settings["streams"].get(stream, {})
        schema = about.get("schema")
        self.schema = None if schema is None else schema_from_rows(schema)
        self.paths = about.get("paths") or {}

    def check(self, batch):
        records_of_batch(batch, self.paths)

    def send(self, request):
        self.connector.before_send(request)
        self.connector.requests.append(request)
        if request.identity in self.connector.identities:
            return
        rows = records_of_batch(request.batch, self.paths)
        if any(row.get("refuse") for row in rows):
            raise DataError("refused by the system")
        self.connector.identities.add(request.identity)
        texts = self.session.setdefault(self.stream, [])
        for row in rows:
            if self.key is None:
                texts.append(dump_json(row))
                continue
            old = [parse_json(each, "it") for each in texts]
            for at, each in enumerate(old):
                if [each[name] for name in self.key] == [row[name] for name in self.key]:
                    texts[at] = dump_json({**each, **row})
                    break
            else:
                texts.append(dump_json(row))
