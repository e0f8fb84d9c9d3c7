"""Endpoints as the setting ``endpoints`` declares them: checked; nothing is sent here."""

from __future__ import annotations

import re

from pypods.connectors.errors import SchemaError, SettingsError, StreamNotFoundError
from pypods.connectors.names import check_columns
from pypods.connectors.records.declarations import (
    check_declaration,
    check_where,
    column_names,
)
from pypods.connectors.records.json_text import parse_path
from pypods.connectors.records.paging import check_pagination
from pypods.connectors.types import field_from_text

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Endpoint", "fill_path", "find_endpoint"]

ANY = "*"
READ_METHODS = ("GET", "POST")
WRITE_METHODS = ("POST", "PUT", "PATCH")
_PLACE = re.compile(r"\{([^{}]+)\}")
_NOT_NULL = re.compile(r"\s+not\s+null\s*$", re.IGNORECASE)
_KNOWN = {
    "path": str, "method": str, "params": dict, "body": dict, "records": (str, list),
    "single": bool, "schema": dict, "key": (str, list), "sorted_by": (str, list), "where": dict,
    "pagination": dict, "write": dict, "upsert": dict,
}  # fmt: skip
_WRITING = {"path": str, "method": str, "rows_per_request": int, "wrap": (str, list),
            "nulls": str}  # fmt: skip


def find_endpoint(settings: dict[str, Any], stream: str) -> Endpoint:
    """Return what a stream's name stands for. Raises StreamNotFoundError and SettingsError."""
    endpoints = settings["endpoints"]
    if stream in endpoints and stream != ANY:
        return Endpoint(stream, endpoints[stream])
    if ANY in endpoints:
        return Endpoint(stream, endpoints[ANY])
    known = ", ".join(map(repr, endpoints)) or "none"
    raise StreamNotFoundError(f"the connection has no endpoint {stream!r}; it has {known}")


def fill_path(path: str, values: dict[str, str]) -> str:
    """Return a path with values in place of ``{name}``, each encoded. Raises SettingsError."""
    from urllib.parse import quote

    def fill(found: Any) -> str:
        name = found[1]
        if name not in values:
            raise SettingsError(f"path {path!r} has {found[0]}, and known are {', '.join(values)}")
        value = values[name]
        if value in ("", ".", ".."):
            raise SettingsError(f"{value!r} cannot stand in the path {path!r}")
        return quote(value, safe="")

    return _PLACE.sub(fill, path)


class Endpoint:
    """One stream: where it is, how its pages are asked for, where in them the records lie."""

    def __init__(self, name: str, declared: Any) -> None:
        self.name = name
        shown = f"endpoint {name!r}"
        check_declaration(shown, declared, _KNOWN)
        self.path: str = _path(shown, declared.get("path", "/{stream}"), name)
        self.method: str = _one_of(shown, "method", declared.get("method", "GET"), READ_METHODS)
        self.params: dict[str, Any] = dict(declared.get("params") or {})
        self.body: dict[str, Any] | None = declared.get("body")
        if self.body is not None and self.method == "GET":
            raise SettingsError(f"{shown}: a GET has no body; declare method POST, or params")
        self.records = parse_path(declared.get("records"))
        self.single: bool = declared.get("single", False)
        self.schema, self.paths = _schema(shown, declared.get("schema"))
        self.key = _columns(shown, declared.get("key"), self.schema)
        self.sorted_by = _columns(shown, declared.get("sorted_by"), self.schema)
        self.where = check_where(shown, declared.get("where"))
        self.pagination = check_pagination(shown, declared.get("pagination") or {"kind": "none"})
        self.write = self._writing(shown, "write", declared, "POST", self.path)
        self.upsert = self._writing(shown, "upsert", declared, "PUT", self.path + "/{key}")

    def _writing(
        self, shown: str, what: str, declared: Any, method: str, path: str
    ) -> dict[str, Any] | None:
        given = declared.get(what)
        if given is None:
            return None
        shown = f"{shown}: {what}"
        check_declaration(shown, given, _WRITING)
        made = dict(given)
        if "path" in made:
            path = _PLACE.sub(
                lambda found: fill_path(found[0], {"stream": self.name})
                if found[1] == "stream" else found[0],
                made["path"],
            )  # fmt: skip
        made["path"] = path
        made["method"] = _one_of(shown, "method", made.get("method", method), WRITE_METHODS)
        made["nulls"] = _one_of(shown, "nulls", made.get("nulls", "send"), ("send", "omit"))
        rows = made["rows"] = made.pop("rows_per_request", None)
        if rows is not None and (rows < 1 or what == "upsert"):
            raise SettingsError(
                f"{shown}: rows_per_request is at least 1, and for write only; left out, each row "
                f"is a request of its own"
            )
        if made.get("wrap") is not None and rows is None:
            raise SettingsError(f"{shown}: wrap is for rows_per_request")
        made["wrap"] = parse_path(made.get("wrap"))
        return made


def _one_of(shown: str, what: str, value: Any, known: Any) -> str:
    if value not in known:
        raise SettingsError(f"{shown}: {what} is one of {', '.join(known)}, not {value!r}")
    return str(value)


def _path(shown: str, path: str, stream: str) -> str:
    if not path.startswith("/"):
        raise SettingsError(f"{shown}: a path begins with / and goes on from base_url")
    try:
        return fill_path(path, {"stream": stream})
    except SettingsError as exc:
        raise SettingsError(f"{shown}: {exc}") from None


def _schema(shown: str, declared: Any) -> tuple[Any, dict[str, list[str]]]:
    """Return the schema, and where columns lie that have another path than their name."""
    if declared is None:
        return None, {}
    fields, paths = [], {}
    for name, text in declared.items():
        if isinstance(text, dict):
            unknown = set(text) - {"type", "path"}
            if unknown or not isinstance(text.get("type"), str):
                raise SettingsError(f"{shown}: column {name!r} has a type, and perhaps a path")
            paths[name] = parse_path(text.get("path") or [name])
            text = text["type"]
        if not isinstance(text, str):
            raise SettingsError(f"{shown}: the type of column {name!r} is text, such as int64")
        try:
            plain = _NOT_NULL.sub("", text)
            fields.append(field_from_text(name, plain, nullable=plain == text))
        except SchemaError as exc:
            raise SettingsError(f"{shown}: {exc}") from None
    if not fields:
        raise SettingsError(f"{shown}: schema has no columns")
    return schema_from_fields(fields), paths


def schema_from_fields(fields: list[Any]) -> Any:
    """Return a schema."""
    import pyarrow as pa

    return pa.schema(fields)


def _columns(shown: str, declared: Any, schema: Any) -> list[str]:
    names = column_names(declared)
    return names if schema is None else check_columns(names, schema.names, shown)
