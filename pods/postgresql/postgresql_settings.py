"""The settings of a connection to PostgreSQL, and what libpq is told of them; no driver."""

from __future__ import annotations

from pypods.connectors.settings import Settings, setting

SETTINGS = Settings(
    "postgresql",
    setting("host", "text", "name or address of the server", default="127.0.0.1"),
    setting("port", "integer", "its port", default=5432),
    setting("database", "text", "the database", required=True),
    setting("user", "text", "who comes in", default="postgres"),
    setting("password", "text", "with which password", secret=True),
    setting("sslmode", "text", "as libpq has it: prefer, require, verify-full, …",
            default="prefer"),
    setting("connect_timeout", "integer", "seconds to wait for the server", default=10),
)  # fmt: skip

#: What makes text forms the same everywhere.
OPTIONS = (
    "-c timezone=UTC -c datestyle=ISO,YMD -c intervalstyle=postgres -c bytea_output=hex "
    "-c extra_float_digits=3"
)


def libpq_parameters(settings):
    """Return what libpq's text for a connection is made of."""
    return {
        "host": settings["host"],
        "port": settings["port"],
        "dbname": settings["database"],
        "user": settings["user"],
        "password": settings["password"],
        "sslmode": settings["sslmode"],
        "connect_timeout": settings["connect_timeout"],
        "application_name": "pypods",
        "client_encoding": "UTF8",
        "options": OPTIONS,
    }
