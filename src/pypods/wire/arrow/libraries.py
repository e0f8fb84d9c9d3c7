"""From an Arrow value to an object of the library that it came from; nothing of how it crossed."""

from __future__ import annotations

from pypods.errors import PodError, ValueTransferError
from pypods.wire.installed import find_library

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["in_its_library", "made_by"]


def in_its_library(value: Any, classes: Any) -> Any:
    """Return the value as what it was, where this side has the library and wants that."""
    origin = value.origin
    library = origin.partition(".")[0]
    make = _MAKERS.get(library)
    if make is None:
        return value
    if library not in classes.arrow_libraries:
        module, _, name = origin.rpartition(".")
        wanted = classes.find(module, name)
        if wanted is None or wanted.__module__.partition(".")[0] != library:
            return value
    module = find_library(library)
    if module is None:
        return value
    return made_by(module, value, make)


def made_by(library: Any, value: Any, make: Any) -> Any:
    """Return what ``make`` makes of a value. Raises ValueTransferError where that is refused."""
    try:
        return make(library, value)
    except (PodError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as exc:  # noqa: BLE001 - a panic of polars is no Exception
        raise ValueTransferError(
            f"a value of {value.origin} cannot arrive here: {library.__name__} "
            f"{getattr(library, '__version__', '?')} refuses it ({exc})"
        ) from None


def _make_polars(polars: Any, value: Any) -> Any:
    name = value.origin.rpartition(".")[2]
    if name == "DataFrame":
        return polars.DataFrame(value)
    if name == "Series":
        # As a column, for a type may be in the metadata of its field (Enum).
        return polars.DataFrame(value.as_column()).to_series()
    return value


def _make_pyarrow(pyarrow: Any, value: Any) -> Any:
    from pypods.wire.arrow.pyarrow_arrays import make_object

    return make_object(pyarrow, value, value.origin.rpartition(".")[2])


_MAKERS = {"polars": _make_polars, "pyarrow": _make_pyarrow}
