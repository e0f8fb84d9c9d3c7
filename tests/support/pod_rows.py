"""What a connector's calls return and raise, as tests compare it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa


def rows_of(
    connector: Any, connection: Any, stream: Any = "t", **options: Any
) -> list[dict[str, Any]]:
    """Return the rows of a stream."""
    return [
        row
        for batch in connector.read(connection, stream, **options)
        for row in pa.record_batch(batch).to_pylist()
    ]


def is_error(caught: Any, kind: str) -> bool:
    """Whether what was caught of a pod's call is one of the contract's errors, by its name."""
    return str(caught.value.type_name).endswith(f".{kind}")
