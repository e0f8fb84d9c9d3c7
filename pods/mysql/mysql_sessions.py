"""Connections to MySQL and MariaDB; what is sent as a file comes from memory; no catalog."""

from __future__ import annotations

import io
import re
import ssl
from contextlib import suppress
from decimal import Decimal

import pymysql
import pymysql.connections
import pymysql.converters

from pypods.connectors.errors import SettingsError, UnreachableError
from pypods.connectors.sql.session import Session

TLS = ("prefer", "off", "require", "verify")
#: Values that do not fit are errors, and 0 is no order to count up; all else is as by default.
SQL_MODE = (
    "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
)
#: Who reads may be busy for long before he takes the next rows.
READER_SECONDS = 86400
#: Longer than any key, so that what is sorted by one is in its order.
SORTED_BYTES = 4096
SHOWN_WARNINGS = 64
#: What is read at once of a long result; the driver itself reads 8 KiB.
READ_BYTES = 2**18
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


# --- files from memory --------------------------------------------------------------------------

#: What LOAD DATA LOCAL may have, by the name that stands in its statement.
_files: dict[str, object] = {}


def _open_file(name, *_: object, **__: object):
    """Open what was put there for a LOAD DATA; any other file that a server asks for is refused.

    A server may answer every statement by asking the driver for a file of this machine.
    """
    found = _files.get(name.decode() if isinstance(name, bytes) else name)
    if found is None:
        raise OSError("pypods sends no files")
    return io.BytesIO(found)


# Both the driver's versions that send a file, old and current, open it by this name.
pymysql.connections.open = _open_file


class MemoryFile:
    """Bytes that LOAD DATA LOCAL reads as a file of that ``name``, inside a with block."""

    def __init__(self, content) -> None:
        self.name = f"pypods-{id(self):x}"
        self.content = content

    def __enter__(self) -> MemoryFile:
        _files[self.name] = self.content
        return self

    def __exit__(self, *_: object) -> None:
        del _files[self.name]


# --- connections --------------------------------------------------------------------------------


def _tls(settings):
    """Return what the driver takes as ``ssl``."""
    wanted = settings["tls"]
    if wanted not in TLS:
        raise SettingsError(f"tls is one of {', '.join(TLS)}, not {wanted!r}")
    if wanted in ("prefer", "off"):
        return None
    context = ssl.create_default_context(cafile=settings["tls_ca"])
    if wanted == "require":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class _Connection(pymysql.connections.Connection):
    """The driver's, which would read all the system's certificates for each connection anew."""

    context = None

    def _create_ssl_ctx(self, sslp):
        if sslp:
            return super()._create_ssl_ctx(sslp)
        if _Connection.context is None:
            _Connection.context = super()._create_ssl_ctx(sslp)
        return _Connection.context


def _exactly(value, _) -> str:
    """Return a decimal as SQL has it: with an exponent, or in quotes, it is compared as a float."""
    return format(value, "f")


_CONVERSIONS = {**pymysql.converters.conversions, Decimal: _exactly}


def connect(settings, *, local_infile: bool):
    """Return a connection of the driver's."""
    options = {"ssl": _tls(settings)}
    if settings["tls"] == "off" and _VERSION.match(pymysql.__version__)[1] != "0":
        options["ssl_disabled"] = True
    if settings["socket"]:
        options["unix_socket"] = settings["socket"]
    return _Connection(
        host=settings["host"],
        port=settings["port"],
        user=settings["user"],
        password=settings["password"] or "",
        database=settings["database"],
        connect_timeout=settings["connect_timeout"],
        charset="utf8mb4",
        sql_mode=SQL_MODE,
        autocommit=True,
        local_infile=local_infile,
        program_name="pypods",
        conv=_CONVERSIONS,
        **options,
    )


class MysqlSession(Session):
    """A session in strict mode, in UTC."""

    def __init__(self, settings, database, *, writing: bool) -> None:
        self.settings = settings
        super().__init__(
            connect(settings, local_infile=writing and settings["local_infile"]), database
        )
        try:
            self._begin(settings)
        except BaseException:
            self.connection.close()
            raise

    def _begin(self, settings) -> None:
        if settings["tls"] in ("require", "verify"):
            # Some versions of the driver go on without where the server has none.
            rows = self.rows("show session status like 'Ssl_cipher'")
            if not rows or not rows[0][1]:
                raise UnreachableError(
                    "the connection is not encrypted, and tls asks for that", retry=False
                )
        seconds = settings["lock_timeout"]
        self.run(
            "set session time_zone = '+00:00', sql_quote_show_create = 1, "
            f"max_error_count = {SHOWN_WARNINGS}, max_sort_length = {SORTED_BYTES}, "
            f"net_write_timeout = {READER_SECONDS}, net_read_timeout = {READER_SECONDS}, "
            f"lock_wait_timeout = {seconds:d}, innodb_lock_wait_timeout = {seconds:d}"
        )
        self.run("set session transaction isolation level repeatable read")
        ((self.version,),) = self.rows("select version()")
        self.is_mariadb = "mariadb" in self.version.lower()
        self.version_numbers = tuple(map(int, _VERSION.search(self.version).groups()))

    def rollback(self) -> None:
        """End the transaction, without its changes; a connection that is lost has none."""
        with suppress(pymysql.OperationalError, pymysql.InterfaceError):
            self.connection.rollback()

    def close(self) -> None:
        """Close what is open."""
        if self.connection.open:
            self.connection.close()

    def read_much(self) -> None:
        """Take what arrives in large pieces from now on; no answer may be under way."""
        connection = self.connection
        connection._rfile.close()
        connection._rfile = connection._sock.makefile("rb", READ_BYTES)

    def cut(self, cursor) -> None:
        """Close the connection in the middle of a result; the driver would read all of it first."""
        result = getattr(cursor, "_result", None)
        if result is not None:
            result.unbuffered_active = False
        cursor.connection = None
        self.close()
