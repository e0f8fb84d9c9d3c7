"""Rows that a target refused, copied from its dead-letter table into a Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypods.errors import OperationError, PodCallError, PodNotFoundError

if TYPE_CHECKING:
    from pypods.integrator.operation import Integration
    from pypods.integrator.sides import OpenPod, Side

__all__ = ["bad_rows_stream", "check_bad_rows", "copy_bad_rows", "count_bad_rows"]

SUFFIX = "__bad_rows"
#: The connector that writes them, and what it calls its folder.
WRITER = "parquet"


def bad_rows_stream(stream: Any) -> Any:
    """Return the dead-letter table of a stream."""
    if not isinstance(stream, str):
        return [*stream[:-1], stream[-1] + SUFFIX]
    return f'{stream[:-1]}{SUFFIX}"' if stream.endswith('"') else stream + SUFFIX


def check_bad_rows(integration: Integration, open_pod: OpenPod) -> None:
    """Raise OperationError, before anything runs, where bad rows could not go where they should."""
    bad_rows = integration.bad_rows
    if bad_rows == "fail" or bad_rows.to == "table":
        return
    folder = Path(bad_rows.to).absolute().parent
    if not folder.is_dir():
        raise OperationError(
            f'integration "{integration.name}": there is no folder {folder} for bad rows in '
            f"{bad_rows.to}; make it"
        )
    try:
        open_pod(WRITER)
    except PodNotFoundError as exc:
        raise OperationError(
            f'integration "{integration.name}": bad rows in {bad_rows.to} need the connector '
            f"{WRITER}, and there is no such pod; write `to: table`"
        ) from exc


def count_bad_rows(target: Side, run: str) -> int:
    """Return how many rows of a run the target has set aside, as far as it can say so."""
    if not target.can("count"):
        return 0
    try:
        stream = bad_rows_stream(target.stream)
        return int(target.call("count", stream, where=[["run", "=", run]]))
    except PodCallError as exc:
        if not exc.type_name.endswith(".StreamNotFoundError"):
            raise
        return 0  # None were ever set aside.


def copy_bad_rows(path: str, target: Side, run: str, open_pod: OpenPod) -> int:
    """Write the bad rows of a run into a file that is replaced; return how many there were."""
    file = Path(path).absolute()
    rows = target.call("read", bad_rows_stream(target.stream), where=[["run", "=", run]])
    loader = open_pod(WRITER)
    try:
        done = loader.load_pod().write_all(
            {"folder": str(file.parent)}, file.name, rows, mode="replace"
        )
    finally:
        loader.unload_pod()
    return int(done["rows"])
