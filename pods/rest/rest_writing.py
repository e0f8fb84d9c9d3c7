"""Rows sent to an endpoint: one by one or in arrays, added or put at their keys."""

from __future__ import annotations

from pypods.connectors.errors import (
    DataError,
    SettingsError,
    StreamNotFoundError,
    without_secrets,
)
from pypods.connectors.names import short_hash
from pypods.connectors.records.json_text import dump_json, put_at
from pypods.connectors.records.json_writing import records_of_batch
from pypods.connectors.records.sending import ROWS_PER_CHECKPOINT, Sender

from .rest_client import GONE, NOT_FOUND
from .rest_endpoints import fill_path

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["RestSender"]

METHOD_NOT_ALLOWED = 405


class RestSender(Sender):
    """What sends rows into one endpoint in one mode."""

    def __init__(
        self, client: Any, settings: dict[str, Any], endpoint: Any, *, mode: str, key: list[str]
    ) -> None:
        self.client = client
        self.settings = settings
        self.endpoint = endpoint
        self.is_upsert = mode == "upsert"
        self.key = key
        how = endpoint.upsert if self.is_upsert else endpoint.write
        if how is None:
            name, example = (
                ("upsert", '{"path": "/things/{key}", "method": "PUT"}')
                if self.is_upsert
                else ("write", '{"path": "/things"}')
            )
            raise SettingsError(
                f"endpoint {endpoint.name!r} has no {name!r}, so mode {mode} is not possible; "
                f"declare it, as {name}: {example}"
            )
        self.how = how
        # Put twice at its key, a row is there once: so not each of them needs a checkpoint.
        self.rows_per_request = ROWS_PER_CHECKPOINT if self.is_upsert else how["rows"] or 1
        self.schema = endpoint.schema

    # --- checking ------------------------------------------------------------------------------

    def check(self, batch: Any) -> None:
        """Raise DataError for the first row, from 0, that cannot be sent."""
        self._records(batch)
        if self.is_upsert:
            for at, values in enumerate(self._keys(batch)):
                try:
                    self._path(values)
                except SettingsError as exc:
                    raise DataError(
                        f"row {at} (from 0), column {self.key[0]!r}: {exc}",
                        position=at,
                        column=self.key[0],
                    ) from None

    def _records(self, batch: Any) -> list[dict[str, Any]]:
        return records_of_batch(
            batch, self.endpoint.paths,
            decimals_as_text=self.settings["decimals"] == "text",
            omit_nulls=self.how["nulls"] == "omit",
        )  # fmt: skip

    def _keys(self, batch: Any) -> list[dict[str, str]]:
        from pypods.connectors.text_forms import text_from_array

        schema = batch.schema
        columns = [
            text_from_array(batch.column(name), schema.field(name)).to_pylist() for name in self.key
        ]
        return [dict(zip(self.key, values)) for values in zip(*columns)]

    def _path(self, values: dict[str, str]) -> str:
        if len(values) == 1:
            return fill_path(self.how["path"], {**values, "key": next(iter(values.values()))})
        # Commas of the values are encoded before they are joined.
        joined = ",".join(fill_path("{key}", {"key": each}) for each in values.values())
        path = self.how["path"].replace("{key}", joined)
        return fill_path(path, values)

    # --- sending -------------------------------------------------------------------------------

    def send(self, request: Any) -> None:
        """Send rows. Raises DataError, with the server's reason, where it refuses them."""
        records = self._records(request.batch)
        if not self.is_upsert:
            self._send(self.how["path"], self._document(records), request.identity)
            return
        rows = zip(records, self._keys(request.batch), request.identities)
        for at, (record, values, identity) in enumerate(rows):
            try:
                self._send(self._path(values), record, identity)
            except DataError as error:
                raise DataError(str(error), position=at) from None

    def _document(self, records: list[dict[str, Any]]) -> Any:
        if self.how["rows"] is None:
            return records[0]
        if not self.how["wrap"]:
            return records
        document: dict[str, Any] = {}
        put_at(document, self.how["wrap"], records)
        return document

    def _send(self, path: str, document: Any, identity: str) -> None:
        body = dump_json(document)
        headers, repeatable = {}, None
        name = self.settings["idempotency_header"]
        if name:
            # Other rows in the same place are another request: nothing of them may be lost.
            headers[name] = short_hash(identity, body)
            repeatable = True
        answer = self.client.request(
            self.how["method"], path, body=body, headers=headers, repeatable=repeatable
        )
        if answer.status == METHOD_NOT_ALLOWED:
            raise SettingsError(f"{answer.shown} was answered with {answer.reason()}")
        if answer.status in (NOT_FOUND, GONE) and not self.is_upsert:
            raise StreamNotFoundError(f"{answer.shown} was answered with {answer.reason()}")
        if answer.status >= 400:
            text = f"{answer.shown} was answered with {answer.reason()}"
            # It goes into the ledger, with the row.
            raise DataError(without_secrets(text, self.client.secrets()))
