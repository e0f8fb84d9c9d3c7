"""MongoDB: its settings, its collections, and which module does what with them."""

from __future__ import annotations

from contextlib import contextmanager

import pyarrow as pa
import pyarrow.types as is_
import pymongo
from bson.codec_options import CodecOptions
from pymongo import errors

from pypods.connectors.connector import CAPABILITIES
from pypods.connectors.errors import (
    AuthenticationError,
    ConnectorError,
    DataError,
    SchemaError,
    SettingsError,
    UnreachableError,
)
from pypods.connectors.files.ledger import FileLedger
from pypods.connectors.names import only_columns
from pypods.connectors.settings import Settings, setting
from pypods.connectors.stores.described import Described, StoreStream, one_name
from pypods.connectors.stores.notes import noted_schema
from pypods.connectors.stores.store_connector import StoreConnector
from pypods.connectors.types import UINT64_DIGITS, declared_fields, with_kind

from . import mongodb_query, mongodb_writing
from .mongodb_notes import COLLECTION, MongodbNotes
from .mongodb_values import OBJECT_ID, from_bson, infer_fields, to_bson

ID = "_id"
SAMPLE = 1000
READ_ROWS = 1000
AUTHENTICATION_FAILED, UNAUTHORIZED = 18, 13


class MongodbSession:
    """A client's database, and the notes that it keeps for us."""

    def __init__(self, client, settings):
        self.client = client
        # Datetimes as they are, without a zone; documents in their order.
        self.database = client.get_database(
            settings["database"], codec_options=CodecOptions(tz_aware=False)
        )
        self.notes = MongodbNotes(self.database)


class MongodbConnector(StoreConnector):
    """Collections of one database."""

    name = "mongodb"
    title = "MongoDB"
    verified = "not verified against a real server"
    settings = Settings(
        "mongodb",
        setting("host", "text", "the server's name or address; several of a replica set with "
                "commas, as one:27017,other:27017", required=True),
        setting("port", "integer", "the server's port", default=27017),
        setting("database", "text", "the database", required=True),
        setting("user", "text", "who we are"),
        setting("password", "text", "the password", secret=True),
        setting("auth_database", "text", "the database that knows the user", default="admin"),
        setting("replica_set", "text", "the name of the replica set"),
        setting("tls", "boolean", "speak TLS with the server", default=False),
        setting("ca_file", "path", "certificates to trust in place of the system's"),
        setting("timeout", "number", "seconds to wait for the server", default=30),
        setting(
            "columns", "mapping", "types of columns by their names, as {id: int64, price: "
            '"decimal(12,2)"}: those are read; else those that were written here, else what the '
            "first documents have",
        ),
        setting("sample", "integer", "documents that are looked at for columns and types; 0: all",
                default=SAMPLE),
        setting("id_column", "text", "name of the column that has a document's _id; nothing: "
                "there is none", default=ID),
    )  # fmt: skip
    capabilities = {
        **CAPABILITIES,
        "where": True, "order": True, "after": True, "write": ["append", "replace", "upsert"],
        "atomic": True, "resume": True, "truncate": True, "parallel_write": True,
        "refused_in_names": [".", "$"],
    }  # fmt: skip

    # --- getting at the system -----------------------------------------------------------------

    def driver(self):
        return f"pymongo {pymongo.version}"

    @contextmanager
    def open(self, settings, *, writing=False):
        milliseconds = int(settings["timeout"] * 1000)
        options = {
            "username": settings["user"], "password": settings["password"],
            "authSource": settings["auth_database"] if settings["user"] is not None else None,
            "replicaSet": settings["replica_set"], "tlsCAFile": settings["ca_file"],
        }  # fmt: skip
        client = pymongo.MongoClient(
            settings["host"].split(","), settings["port"], tls=settings["tls"],
            serverSelectionTimeoutMS=milliseconds, connectTimeoutMS=milliseconds,
            socketTimeoutMS=milliseconds, appname="pypods", w="majority",
            **{name: value for name, value in options.items() if value is not None},
        )  # fmt: skip
        try:
            yield MongodbSession(client, settings)
        finally:
            client.close()

    def server(self, session):
        session.database.command("ping")
        return f"MongoDB {session.client.server_info()['version']}"

    def translate(self, error, settings):
        if not isinstance(error, errors.PyMongoError):
            return None
        where = f"MongoDB at {settings['host']}"
        code = getattr(error, "code", None)
        if code in (AUTHENTICATION_FAILED, UNAUTHORIZED):
            return AuthenticationError(f"{where} does not let us in, or do this: {error}")
        if isinstance(error, errors.ConfigurationError):
            return SettingsError(f"{where}: {error}")
        if isinstance(error, errors.ConnectionFailure):  # Also a server that is not selected.
            return UnreachableError(f"{where}: {error}")
        if isinstance(error, (errors.DocumentTooLarge, errors.WriteError, errors.BulkWriteError)):
            return DataError(f"{where} refuses a row: {_said(error)}")
        return ConnectorError(f"{where}: {error}")

    # --- what there is -------------------------------------------------------------------------

    def list_streams(self, session, settings):
        names = session.database.list_collection_names()
        return [
            {"name": name, "kind": "collection", "rows": None}
            for name in sorted(names)
            if not name.startswith((COLLECTION, "system."))
        ]

    def parse(self, settings, stream):
        name = one_name(stream, "a collection")
        if "$" in name or name.startswith((COLLECTION, "system.", ".")) or name.endswith("."):
            raise SettingsError(f"{name!r} is no collection's name, or one that is not for rows")
        return StoreStream(name, "collection")

    def written_schema(self, session, settings, stream):
        if stream.name not in session.database.list_collection_names():
            return None
        declared = declared_fields(settings["columns"])
        if declared:
            return pa.schema([*declared.values()])
        noted = noted_schema(FileLedger(session.notes, stream.name))
        if noted is not None:
            return noted
        sample = session.database[stream.name].find(limit=settings["sample"])
        return pa.schema([field for field in infer_fields(sample) if field.name != ID])

    def describe(self, session, settings, stream):
        schema = self.written_schema(session, settings, stream)
        if schema is None:
            return None
        name = settings["id_column"]
        if name and name not in schema.names:
            schema = pa.schema([self._id_field(session, stream, name), *schema])
        rows = session.database[stream.name].estimated_document_count()
        return Described(stream, schema, key=[name] if name else [], rows=rows)

    def _id_field(self, session, stream, name):
        """Return the column of ``_id``, by the first document's."""
        first = session.database[stream.name].find_one({}, {ID: 1})
        if first is None:
            return with_kind(pa.field(name, pa.utf8(), nullable=False), OBJECT_ID)
        return infer_fields([first])[0].with_name(name).with_nullable(False)

    def split(self, session, settings, found, count):
        return [{}]

    def rows(self, session, settings, found, asked):
        id_column = settings["id_column"]
        query, sort = {}, None
        # Documents call it otherwise.
        if id_column in ("", ID) or id_column not in asked.chosen.columns:
            query = mongodb_query.filter_of(asked)
            sort = mongodb_query.sort_of(found.schema, asked.order)
        cursor = session.database[found.stream.name].find(query, sort=sort, batch_size=READ_ROWS)
        if sort is not None:
            cursor = cursor.allow_disk_use(True)
        noted = noted_schema(FileLedger(session.notes, found.stream.name))
        is_sampled = noted is None and not settings["columns"]
        return self._batches(cursor, found, asked.columns, id_column, is_sampled), sort is not None

    def _batches(self, cursor, found, columns, id_column, is_sampled):
        schema = only_columns(found.schema, columns)
        known = {ID, *found.schema.names}
        documents, first = [], 0
        with cursor:
            for document in cursor:
                if is_sampled and not known.issuperset(document):
                    raise SchemaError(
                        f"the document {document[ID]!r} of {found.stream.name} has the field "
                        f"{min(set(document) - known)!r}, which the first {SAMPLE} have not; "
                        f"declare 'columns', or set 'sample' to 0"
                    )
                documents.append(document)
                if len(documents) == READ_ROWS:
                    yield _batch(documents, schema, id_column, first)
                    first += len(documents)
                    documents = []
        yield _batch(documents, schema, id_column, first)

    # --- writing -------------------------------------------------------------------------------

    def stored(self, field):
        """Return the field as which one is read again: BSON's integers are signed."""
        if is_.is_uint64(field.type):
            return field.with_type(pa.decimal128(UINT64_DIGITS, 0))
        return field

    def check_target(self, source, schema):
        for name in schema.names:
            if not mongodb_query.is_plain(name) or "$" in name:
                raise SchemaError(
                    f"column {name!r}: a field's name has neither a dot nor a dollar sign here, "
                    f"which queries could not tell from paths and operators; rename it"
                )

    def check_batch(self, settings, batch):
        for field, column in zip(batch.schema, batch.columns):
            to_bson(column, field)

    def check_run(self, staging, run, schema):
        mongodb_writing.check(staging, run)

    def apply(self, staging, run, schema):
        mongodb_writing.Writer(staging, run, schema).apply()


def _batch(documents, schema, id_column, first):
    arrays = []
    for field in schema:
        name = ID if field.name == id_column else field.name
        values = [document.get(name) for document in documents]
        arrays.append(from_bson(values, field, first_row=first))
    if not arrays:
        return pa.record_batch([pa.nulls(len(documents))], names=["rows"]).select([])
    return pa.record_batch(arrays, schema=schema)


def _said(error):
    details = getattr(error, "details", None) or {}
    wrong = details.get("writeErrors") or [{}]
    return wrong[0].get("errmsg") or str(error)
