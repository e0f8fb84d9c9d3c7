"""The settings of a connection to a SOAP service, and the streams that they declare."""

from __future__ import annotations

from pypods.connectors.errors import SettingsError, StreamNotFoundError
from pypods.connectors.records.declarations import (
    check_declaration,
    check_where,
    column_names,
)
from pypods.connectors.records.json_text import parse_path
from pypods.connectors.records.paging import check_pagination
from pypods.connectors.records.request_settings import RequestSettings, basic_credentials
from pypods.connectors.settings import setting

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Column", "Operation", "SoapSettings"]

#: Ways to say who we are, and the settings that each needs.
AUTHENTICATIONS = {
    "none": (),
    "basic": ("user", "password"),
    "usernametoken": ("user", "password"),
    "usernametoken_digest": ("user", "password"),
}
_KNOWN = {
    "operation": str, "arguments": dict, "result": (str, list), "columns": dict,
    "key": (str, list), "sorted_by": (str, list), "where": dict, "pagination": dict,
    "write": dict, "upsert": dict,
}  # fmt: skip
_COLUMN = {"type": str, "path": (str, list)}
_WRITING = {"operation": str, "arguments": dict, "columns": dict, "identity": (str, list),
            "into": (str, list)}  # fmt: skip


class SoapSettings(RequestSettings):
    """What the connector takes as ``connection``."""

    authentications = AUTHENTICATIONS
    urls = ("wsdl", "address")

    def __init__(self) -> None:
        super().__init__(
            "soap",
            setting("wsdl", "text", "URL or file of the service's description", required=True),
            setting("service", "text", "of those in the WSDL; the first one"),
            setting("port", "text", "of those of the service; the first one"),
            setting("address", "text", "URL of the service, if not the one in the WSDL"),
            setting("operations", "mapping", "streams by name: operation, arguments, result, key, "
                    "pagination and so on; what is not declared is an operation without arguments",
                    default={}),
            setting("auth", "text", f"one of {', '.join(AUTHENTICATIONS)}", default="none"),
            setting("user", "text", "who we are"),
            setting("password", "text", "the user's password", secret=True),
            setting("check_stream", "text", "stream of which check reads a page; without it, it "
                    "reads the WSDL only"),
        )  # fmt: skip

    def secrets(self, connection: dict[str, Any]) -> list[str]:
        """Return all texts that no message may show, in the forms in which they are sent."""
        from xml.sax.saxutils import escape

        password = connection.get("password")
        if not password:
            return []
        pair = basic_credentials(connection.get("user"), password)
        return [password, escape(password), pair]


class Column:
    """A column as it is declared: its type, and the elements that lead to it from a record's own.

    Without a type it is the element's, without a path the element of its name.
    """

    def __init__(self, shown: str, given: Any) -> None:
        declared = {"type": given} if isinstance(given, str) else given
        check_declaration(shown, declared, _COLUMN)
        self.type: str | None = declared.get("type")
        self.path = parse_path(declared.get("path"))


class Operation:
    """A stream: the operation that is called for it, with what, and where its records are."""

    def __init__(self, settings: dict[str, Any], name: str) -> None:
        declared = settings["operations"].get(name, {})
        shown = f"stream {name!r}"
        self.name = name
        self.declared = name in settings["operations"]
        check_declaration(shown, declared, _KNOWN)
        self.operation: str = declared.get("operation", name)
        self.arguments: dict[str, Any] = dict(declared.get("arguments") or {})
        self.result = parse_path(declared.get("result"))
        #: Columns that are wanted otherwise than the XSD has them, or that it leaves open.
        self.columns = {
            name: Column(f"{shown}: column {name!r}", given)
            for name, given in (declared.get("columns") or {}).items()
        }
        self.key = column_names(declared.get("key"))
        self.sorted_by = column_names(declared.get("sorted_by"))
        self.where = check_where(shown, declared.get("where"))
        self.pagination = check_pagination(
            shown,
            declared.get("pagination") or {"kind": "none"},
            ("none", "page", "offset", "cursor"),
        )
        #: What columns are in the operation's answer, once that is known.
        self.answer: Any = None
        self._write = {mode: declared.get(mode) for mode in ("write", "upsert")}

    def writing(self, what: str) -> dict[str, Any]:
        """Return how rows are written. Raises SettingsError where that is not declared."""
        given = self._write[what]
        if given is None:
            mode = "append" if what == "write" else what
            raise SettingsError(
                f"stream {self.name!r} has no {what!r}, so mode {mode} is not possible; declare "
                f'it, as {what}: {{"operation": "AddThing"}}'
            )
        shown = f"stream {self.name!r}: {what}"
        check_declaration(shown, given, _WRITING)
        if "operation" not in given:
            raise SettingsError(f"{shown} needs 'operation'")
        columns = {
            column: parse_path(path) for column, path in (given.get("columns") or {}).items()
        }
        if any(not path for path in columns.values()):
            raise SettingsError(f"{shown}: a column goes to the path of an argument")
        return {
            "operation": given["operation"],
            "arguments": given.get("arguments") or {},
            "columns": columns,
            "identity": parse_path(given.get("identity")),
            "into": parse_path(given.get("into")),
        }


def no_operation(name: str, there: Any) -> StreamNotFoundError:
    """Return the error for an operation that the service does not have."""
    return StreamNotFoundError(
        f"the service has no operation {name!r}; it has {', '.join(sorted(there))}"
    )
