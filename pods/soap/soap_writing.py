"""Rows sent to an operation, one call for each."""

from __future__ import annotations

import copy

from pypods.connectors.errors import DataError, without_secrets
from pypods.connectors.records.json_text import parse_json, put_at
from pypods.connectors.records.sending import Sender
from pypods.connectors.types import kind_of

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["SoapSender"]


class SoapSender(Sender):
    """What sends rows into one stream in one mode."""

    def __init__(
        self, client: Any, settings: dict[str, Any], declared: Any, *, mode: str, secrets: Any
    ) -> None:
        self.client = client
        self.settings = settings
        self.secrets = secrets
        self.is_upsert = mode == "upsert"
        self.how = declared.writing("upsert" if self.is_upsert else "write")
        client.operation(self.how["operation"])

    def check(self, batch: Any) -> None:
        """Raise DataError for the first row, from 0, that the operation does not take."""
        for at, row in enumerate(self._rows(batch)):
            try:
                self.client.check_arguments(self.how["operation"], self._arguments(row, "none"))
            except DataError as error:
                raise DataError(f"row {at} (from 0): {error}", position=at) from None

    def send(self, request: Any) -> None:
        """Call the operation with a row. Raises DataError for a fault, which is about the row."""
        (row,) = self._rows(request.batch)
        try:
            self.client.call(
                self.how["operation"], self._arguments(row, request.identity),
                repeatable=self.is_upsert or bool(self.how["identity"]),
            )  # fmt: skip
        except DataError as error:
            # It goes into the ledger, with the row.
            raise DataError(without_secrets(str(error), self.secrets)) from None

    def _rows(self, batch: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = batch.to_pylist()
        for field in batch.schema:
            kind = kind_of(field)
            if kind not in ("json", "uuid"):
                continue
            for row in rows:
                if row[field.name] is not None:
                    row[field.name] = _opened(row[field.name], kind, field.name)
        return rows

    def _arguments(self, row: dict[str, Any], identity: str) -> dict[str, Any]:
        arguments: dict[str, Any] = copy.deepcopy(self.how["arguments"])
        for name, value in row.items():
            path = self.how["columns"].get(name, [*self.how["into"], name])
            put_at(arguments, path, value)
        if self.how["identity"]:
            put_at(arguments, self.how["identity"], identity)
        return arguments


def _opened(value: Any, kind: str, name: str) -> Any:
    from uuid import UUID

    return str(UUID(bytes=value)) if kind == "uuid" else parse_json(value, f"column {name!r}")
