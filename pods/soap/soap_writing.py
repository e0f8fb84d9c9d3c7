"""Rows sent to an operation, one call for each."""

from __future__ import annotations

import copy

from pypods.connectors.errors import DataError, SchemaError, SettingsError, without_secrets
from pypods.connectors.records.json_text import put_at
from pypods.connectors.records.sending import ROWS_PER_CHECKPOINT, Sender
from pypods.connectors.types import text_of

from .soap_texts import element_values, takes
from .soap_types import member_at, members

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
        self.repeatable = self.is_upsert or bool(self.how["identity"])
        if self.repeatable:
            self.rows_per_request = ROWS_PER_CHECKPOINT
        self.shown = f"operation {self.how['operation']!r}"
        self.known: dict[str, Any] = {}
        self._look()

    def _look(self) -> None:
        self.known = members(self.client.arguments_type(self.how["operation"]))

    def check_columns(self, schema: Any) -> None:
        """Raise SchemaError for columns that the operation does not take, or not of their types."""
        problems = self._problems(schema)
        if problems and self.client.renew():
            self._look()
            problems = self._problems(schema)
        if problems:
            raise SchemaError(f"{self.shown} does not take that: {'; '.join(problems)}")

    def _problems(self, schema: Any) -> list[str]:
        problems = []
        for field in schema:
            try:
                member = self._member(field.name)
            except SettingsError as error:
                problems.append(str(error))
                continue
            if not takes(member, field):
                what = member.text or "something with parts, which JSON says"
                problems.append(f"column {field.name!r} is {what}, not {text_of(field)}")
        return problems

    def check(self, batch: Any) -> None:
        """Raise DataError for the first row, from 0, that the operation does not take."""
        for at, row in enumerate(self._rows(batch)):
            try:
                self.client.check_arguments(self.how["operation"], self._arguments(row, "none"))
            except DataError as error:
                raise DataError(f"row {at} (from 0): {error}", position=at) from None

    def send(self, request: Any) -> None:
        """Call the operation with each row. Raises DataError for a fault, about its row."""
        rows = zip(self._rows(request.batch), request.identities)
        for at, (row, identity) in enumerate(rows):
            arguments = self._arguments(row, identity)
            try:
                self.client.call(self.how["operation"], arguments, repeatable=self.repeatable)
            except DataError as error:
                # It goes into the ledger, with the row.
                text = without_secrets(str(error), self.secrets)
                raise DataError(text, position=at) from None

    def _rows(self, batch: Any) -> list[dict[str, Any]]:
        """Return rows of what zeep is given. Raises DataError, with row and column."""
        names = batch.schema.names
        columns = [
            element_values(array, field, self._member(field.name))
            for array, field in zip(batch.columns, batch.schema)
        ]
        return [dict(zip(names, values)) for values in zip(*columns)]

    def _path(self, name: str) -> list[str]:
        path: list[str] = self.how["columns"].get(name, [*self.how["into"], name])
        return path

    def _member(self, name: str) -> Any:
        return member_at(self.known, self._path(name), f"column {name!r}", "among the arguments")

    def _arguments(self, row: dict[str, Any], identity: str) -> dict[str, Any]:
        arguments: dict[str, Any] = copy.deepcopy(self.how["arguments"])
        for name, value in row.items():
            put_at(arguments, self._path(name), value)
        if self.how["identity"]:
            put_at(arguments, self.how["identity"], identity)
        return arguments
