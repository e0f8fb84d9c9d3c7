"""Redis: its settings, its streams, and which module does what with them."""

from __future__ import annotations

from contextlib import contextmanager

import pyarrow as pa
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pypods.connectors.connector import CAPABILITIES
from pypods.connectors.errors import (
    AuthenticationError,
    ConflictError,
    ConnectorError,
    SchemaError,
    SettingsError,
    UnreachableError,
)
from pypods.connectors.files.ledger import FileLedger
from pypods.connectors.settings import Settings, setting
from pypods.connectors.stores.described import Described, StoreStream, one_name
from pypods.connectors.stores.notes import noted_schema
from pypods.connectors.stores.store_connector import StoreConnector
from pypods.connectors.types import declared_fields

from . import redis_reading, redis_writing
from .redis_notes import OURS, RedisNotes

HASHES, STREAM = "table of hashes", "stream"


class RedisSession:
    """A client, and the notes that Redis keeps for us."""

    def __init__(self, client):
        self.client = client
        self.notes = RedisNotes(client)


class RedisConnector(StoreConnector):
    """Tables of hashes, ``customers:*``, and Redis Streams."""

    name = "redis"
    title = "Redis"
    settings = Settings(
        "redis",
        setting("host", "text", "the server's name or address", required=True),
        setting("port", "integer", "the server's port", default=6379),
        setting("database", "integer", "the database's number", default=0),
        setting("user", "text", "who we are, where the server has users"),
        setting("password", "text", "the password", secret=True),
        setting("tls", "boolean", "speak TLS with the server", default=False),
        setting("ca_file", "path", "certificates to trust in place of the system's"),
        setting("timeout", "number", "seconds to wait for the server", default=30),
        setting(
            "columns", "mapping", "types of columns by their names, as {id: int64, price: "
            '"decimal(12,2)"}: those are read; else all, with the types they were written with, '
            "or as text",
        ),
        setting(
            "key_column", "text", "name of the column that has what follows the prefix in a "
            "hash's key, or the id of a stream's entry; nothing: there is none", default="key",
        ),
    )  # fmt: skip
    capabilities = {
        **CAPABILITIES,
        "where": True, "order": True, "after": True, "write": ["append", "replace", "upsert"],
        "atomic": True, "resume": True, "truncate": True, "parallel_write": True,
    }  # fmt: skip

    # --- getting at the system -----------------------------------------------------------------

    def driver(self):
        return f"redis-py {redis.__version__}"

    @contextmanager
    def open(self, settings, *, writing=False):
        client = redis.Redis(
            host=settings["host"], port=settings["port"], db=settings["database"],
            username=settings["user"], password=settings["password"], ssl=settings["tls"],
            ssl_ca_certs=settings["ca_file"], socket_timeout=settings["timeout"],
            socket_connect_timeout=settings["timeout"], client_name="pypods",
            # Once, for a connection that was idle too long; more is the integrator's business.
            retry=Retry(NoBackoff(), 1),
        )  # fmt: skip
        try:
            yield RedisSession(client)
        finally:
            client.close()

    def server(self, session):
        return f"Redis {session.client.info('server')['redis_version']}"

    def translate(self, error, settings):
        if not isinstance(error, redis.RedisError):
            return None
        where = f"{settings['host']}:{settings['port']}"
        known = (redis.AuthenticationError, redis.exceptions.NoPermissionError)
        if isinstance(error, known) or str(error).startswith(("WRONGPASS", "NOAUTH")):
            return AuthenticationError(f"Redis at {where} does not let us in, or do this: {error}")
        if isinstance(error, redis.WatchError):
            return ConflictError("somebody else applies the same run; prepare it again", retry=True)
        if isinstance(error, (redis.ConnectionError, redis.TimeoutError)):
            return UnreachableError(f"Redis at {where}: {error}")
        if "DB index is out of range" in str(error):
            return SettingsError(f"Redis at {where} has no database {settings['database']}")
        if "WRONGTYPE" in str(error):
            return SchemaError(f"a key is of another type than it has to be: {error}")
        return ConnectorError(f"Redis at {where}: {error}")

    # --- what there is -------------------------------------------------------------------------

    def list_streams(self, session, settings):
        prefixes = {}
        for key in redis_reading.scan(session.client, "", "hash"):
            prefix = key[: key.rfind(b":") + 1]
            if prefix:
                prefixes[prefix] = prefixes.get(prefix, 0) + 1
        found = [(prefix + b"*", HASHES, rows) for prefix, rows in prefixes.items()]
        streams = redis_reading.scan(session.client, "", "stream")
        found += [(key, STREAM, session.client.xlen(key)) for key in streams]
        return [
            {"name": name.decode("utf-8", "backslashreplace"), "kind": kind, "rows": rows}
            for name, kind, rows in sorted(found)
        ]

    def parse(self, settings, stream):
        name = one_name(stream, "a stream, or a prefix of keys and a star, as customers:*")
        if name.startswith(OURS):
            raise SettingsError(f"what begins with {OURS} is the connector's own")
        return StoreStream(name, HASHES if name.endswith("*") else STREAM)

    def written_schema(self, session, settings, stream):
        """Return the columns that hashes or entries have, None where there is nothing."""
        noted = noted_schema(FileLedger(session.notes, stream.name))
        declared = declared_fields(settings["columns"])
        if noted is None and not redis_reading.is_there(session.client, stream, HASHES):
            return None
        if declared:
            return pa.schema([*declared.values()])
        if noted is not None:
            return noted
        names = redis_reading.field_names(session.client, stream, HASHES)
        return pa.schema([pa.field(name, pa.utf8()) for name in names])

    def describe(self, session, settings, stream):
        schema = self.written_schema(session, settings, stream)
        if schema is None:
            return None
        key = settings["key_column"]
        if key and key not in schema.names:
            schema = pa.schema([pa.field(key, pa.utf8(), nullable=False), *schema])
            return Described(stream, schema, key=[key])
        return Described(stream, schema, key=[key] if key in (settings["columns"] or {}) else [])

    def split(self, session, settings, found, count):
        return [{}]

    def rows(self, session, settings, found, asked):
        read = redis_reading.read_hashes if found.stream.kind == HASHES else (
            redis_reading.read_stream
        )  # fmt: skip
        return read(session.client, settings["key_column"], found, asked)

    # --- writing -------------------------------------------------------------------------------

    def modes(self, stream):
        return self.capabilities["write"] if stream.kind == HASHES else ["append", "replace"]

    def check_target(self, source, schema):
        if source.stream.kind == HASHES:
            return
        key = source.settings["key_column"]
        if key in schema.names:
            raise SchemaError(
                f"column {key!r} would be the entry's id, which Redis gives; leave it out, or "
                f"give the setting 'key_column' another name"
            )
        kind = source.session.client.type(source.stream.name)
        if kind not in (b"none", b"stream"):
            raise ConflictError(f"the key {source.stream.name!r} is a {kind.decode()}, no stream")

    def check_batch(self, settings, batch):
        """Say nothing: every value of a column has a text."""

    def check_run(self, staging, run, schema):
        if run.key and run.mode != "append" and staging.stream.kind == HASHES:
            staging.refuse_twice(run)

    def apply(self, staging, run, schema):
        kind = redis_writing.HashWriter if staging.stream.kind == HASHES else (
            redis_writing.StreamWriter
        )  # fmt: skip
        kind(staging, run, schema).apply()
