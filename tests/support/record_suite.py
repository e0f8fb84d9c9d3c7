"""What connectors of records do not claim, and the checks of the suite that ask for it."""

from __future__ import annotations

NOT_OFFERED = {
    "snapshot": "partition, snapshot", "partitions": "partition", "query": "query",
    "replace": "write:replace", "delete_insert": "write:delete_insert",
    "schema_is_stable": "schema", "drift": "schema", "refused_rows": "query",
    "failure": "write:replace, atomic",
}  # fmt: skip
