"""The contents of kind ``P`` to objects of this side's own pandas, of whatever version.

The types and their contents are described in :mod:`pypods.wire.pandas_values`. All is checked
before pandas has it, or by constructors of pandas that check; nothing is looked up by a name that
is not in a table here. A dtype that this pandas lacks becomes the nearest that holds every value
(text that knows only NaN becomes objects, seconds become nanoseconds, and indexes of numbers get
their 64 bits in pandas 1.x), and is refused where none does.

Large arrays stay where they are. Where pandas copies on write (from 3 on), they are given another
user that never ends, so that the first write copies; before that, what cannot be written is copied.
"""

from __future__ import annotations

# ruff: noqa: ARG005 - the entries of a table have one signature
import re
import sys

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire.arrays import find_numpy
from pypods.wire.context import SHARED_MINIMUM_BYTES
from pypods.wire.installed import find_library
from pypods.wire.pandas_arrow import array_of, texts_in_pyarrow
from pypods.wire.pandas_contents import ARRAYS, MISSING, UNITS, check_blocks, check_content
from pypods.wire.pandas_stand_ins import PandasValue
from pypods.wire.rebuilding import rebuild_zone

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = ["rebuild"]

_ZONE_KEY = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
#: Of these, NumPy makes an array of objects without looking into them.
_SIMPLE_NAMES = frozenset(
    {"bool", "bytes", "date", "Decimal", "float", "int", "NoneType", "str", "time", "UUID"}
)
#: From this one on, pandas copies on write.
COPY_ON_WRITE = 3

#: A block of pandas that lives as long as this process.
_lasting: list[Any] = []


def find_pandas() -> Any:
    """Return pandas where it can be imported, else None."""
    return None if find_numpy() is None else find_library("pandas")


def rebuild(content: Any) -> Any:
    """Return the object of a content, or its stand-in.

    Raises ProtocolError for what no side writes, ValueTransferError for what this pandas refuses.
    """
    kind = check_content(content)
    pandas = find_pandas()
    if pandas is None:
        value = PandasValue(content)
        value.check()
        return value
    try:
        return _REBUILDERS[kind](pandas, content)
    except (ProtocolError, ValueTransferError):
        raise
    except Exception as exc:  # noqa: BLE001 - pandas raises anything, and a version its own
        raise _refusal(pandas, f"a {kind}", exc) from None


def _refusal(pandas: Any, what: str, exc: Exception) -> ValueTransferError:
    return ValueTransferError(
        f"{what} cannot arrive here: pandas {pandas.__version__} refuses it "
        f"({type(exc).__name__}: {exc!s:.200})"
    )


def _major(pandas: Any) -> int:
    return int(pandas.__version__.partition(".")[0])


def _index(pandas: Any, value: Any) -> Any:
    if not isinstance(value, pandas.Index):
        raise ProtocolError("an index is none")
    return value


def _array(value: Any, kinds: str, dimensions: int = 1) -> Any:
    """Return an array of NumPy, of one of these kinds of dtypes. Raises ProtocolError."""
    numpy = sys.modules["numpy"]
    if (
        type(value) is not numpy.ndarray
        or value.dtype.kind not in kinds
        or not 1 <= value.ndim <= dimensions
        or (value.dtype.kind in "mM" and numpy.datetime_data(value.dtype) not in _UNIT_STEPS)
    ):
        raise ProtocolError("an array of an object of pandas is none, or not of its dtype")
    return value


_MASKED = frozenset({"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"})
_UNIT_STEPS = frozenset((unit, 1) for unit in UNITS)


def _values(pandas: Any, value: Any, dimensions: int = 1, *, writable: bool = True) -> Any:
    """Return what a frame, a series or an index is made of: NumPy's array or pandas' own."""
    if type(value) is dict:
        kind = check_content(value)
        if kind not in ARRAYS:
            raise ProtocolError(f"a {kind} is no values")
        return _REBUILDERS[kind](pandas, value)
    array = _in_unit(pandas, _array(value, "biufcmM", dimensions))
    return _owned(pandas, array) if writable else array


def _owned(pandas: Any, array: Any) -> Any:
    """Return an array that its user may write into, at the latest when he does."""
    if array.flags.writeable:
        return array
    if array.nbytes >= SHARED_MINIMUM_BYTES and _major(pandas) >= COPY_ON_WRITE:
        return array
    return array.copy("K")


def _in_unit(pandas: Any, array: Any) -> Any:
    """Return dates and durations in a unit that this pandas has: up to 1.x, nanoseconds alone."""
    if array.dtype.kind not in "mM" or _major(pandas) >= 2 or array.dtype.str.endswith("[ns]"):
        return array
    numpy = sys.modules["numpy"]
    converted = array.astype(f"{array.dtype.kind}8[ns]")
    if not (converted.astype(array.dtype).view("i8") == array.view("i8")).all():
        raise ValueTransferError(
            f"values of dtype {array.dtype} cannot arrive here: pandas {pandas.__version__} has "
            "nanoseconds alone, and they do not hold them"
        )
    if (numpy.isnat(converted) != numpy.isnat(array)).any():
        raise ValueTransferError("a date cannot arrive here: it is none in nanoseconds")
    return converted


# Frames, series and indexes --------------------------------------------------------------------


def _rebuild_frame(pandas: Any, content: Any) -> Any:
    index, columns = _index(pandas, content["index"]), _index(pandas, content["columns"])
    blocks = []
    for block in content["blocks"]:
        if type(block) is not list or len(block) != 2:
            raise ProtocolError("a block is not positions and values")
        try:
            blocks.append([block[0], _values(pandas, block[1], 2)])
        except ProtocolError:
            raise
        except ValueTransferError as error:
            raise ValueTransferError(error.reason, _step(columns, block[0])) from None
        except Exception as exc:  # noqa: BLE001 - as in rebuild, and here the column is known
            reason = _refusal(pandas, "a column", exc).reason
            raise ValueTransferError(reason, _step(columns, block[0])) from None
    check_blocks(blocks, len(columns), len(index))
    frame = _assemble(pandas, index, columns, blocks)
    return _finish(pandas, frame, content)


def _step(columns: Any, positions: Any) -> str:
    from pypods.wire.pandas_values import column_step

    try:
        return column_step(columns, positions[0])
    except Exception:  # noqa: BLE001 - positions that are none; what is wrong is said anyway
        return ""


def _assemble(pandas: Any, index: Any, columns: Any, blocks: Any) -> Any:
    """Return the frame of blocks. No copy is made, as where pyarrow makes frames."""
    numpy = sys.modules["numpy"]
    placed = [
        (values.reshape(1, -1) if type(values) is numpy.ndarray and values.ndim == 1 else values,
         numpy.array(positions, dtype=numpy.intp))
        for positions, values in blocks
    ]  # fmt: skip
    if _major(pandas) >= COPY_ON_WRITE:
        from pandas.api.internals import (  # type: ignore[import-untyped]
            create_dataframe_from_blocks,
        )

        return create_dataframe_from_blocks(placed, index=index, columns=columns)
    from pandas.core.internals import (  # type: ignore[import-untyped]
        BlockManager,
        make_block,
    )

    manager = BlockManager(
        [make_block(values, placement=positions) for values, positions in placed],
        [columns, index],
    )
    if hasattr(pandas.DataFrame, "_from_mgr"):
        return pandas.DataFrame._from_mgr(manager, manager.axes)
    return pandas.DataFrame(manager)


def _rebuild_series(pandas: Any, content: Any) -> Any:
    index = _index(pandas, content["index"])
    values = _values(pandas, content["values"])
    if len(values) != len(index):
        raise ProtocolError("a series and its index are not of one length")
    series = pandas.Series(
        values, index=index, name=content["name"], dtype=values.dtype, copy=False
    )
    return _finish(pandas, series, content)


def _finish(pandas: Any, value: Any, content: Any) -> Any:
    """Give a frame or series what it has besides its values."""
    if content["attrs"]:
        value.attrs = content["attrs"]
    if content["unique_labels"]:
        value.flags.allows_duplicate_labels = False
    if _major(pandas) < COPY_ON_WRITE:
        return value
    try:
        if not _lasting:
            _lasting.append(pandas.Series([0])._mgr.blocks[0])
        for block in value._mgr.blocks:
            block.refs.add_reference(_lasting[0])
    except AttributeError:  # A pandas that notices otherwise who else uses an array.
        return value.copy()
    return value


def _rebuild_index(pandas: Any, content: Any) -> Any:
    values = _values(pandas, content["values"], writable=False)
    dtype = values.dtype
    if content["freq"] is not None:
        return _dated_index(pandas, values, content)
    index = pandas.Index(values, dtype=dtype, name=content["name"], copy=False)
    if index.dtype != dtype and not _holds(pandas, index.dtype, dtype):
        raise ValueTransferError(
            f"an index of dtype {dtype} cannot arrive here: pandas {pandas.__version__} has none"
        )
    return index


def _holds(pandas: Any, dtype: Any, wanted: Any) -> bool:
    """Whether a dtype that this pandas took instead keeps each value."""
    numpy = sys.modules["numpy"]
    both = isinstance(dtype, numpy.dtype) and isinstance(wanted, numpy.dtype)
    return both and _major(pandas) < 2 and bool(numpy.can_cast(wanted, dtype, "safe"))


def _dated_index(pandas: Any, values: Any, content: Any) -> Any:
    cls = {"M": pandas.DatetimeIndex, "m": pandas.TimedeltaIndex}.get(values.dtype.kind)
    if cls is None:
        raise ProtocolError("an index that is not of dates has a frequency")
    return cls(values, freq=_rebuild_freq(pandas, content["freq"]), name=content["name"])


def _rebuild_range_index(pandas: Any, content: Any) -> Any:
    numbers = content["start"], content["stop"], content["step"]
    return pandas.RangeIndex(*numbers, name=content["name"])


def _rebuild_multi_index(pandas: Any, content: Any) -> Any:
    levels = [_index(pandas, level) for level in content["levels"]]
    codes = [_array(numbers, "i") for numbers in content["codes"]]
    if len({len(numbers) for numbers in codes}) != 1 or len(codes) != len(content["names"]):
        raise ProtocolError("an index's levels, codes and names do not fit together")
    # It checks the codes.
    return pandas.MultiIndex(levels, codes, content["sortorder"], content["names"])


# Arrays ----------------------------------------------------------------------------------------


def _rebuild_objects(pandas: Any, content: Any) -> Any:
    numpy = sys.modules["numpy"]
    missing = content["missing"]
    present = _object_array(numpy, content["values"])
    if missing is None:
        return present
    codes = numpy.frombuffer(missing, numpy.uint8)
    array = numpy.empty(len(codes), object)
    array[codes == 0] = present
    for name, value in zip(MISSING, (None, numpy.nan, pandas.NaT, pandas.NA)):
        array[codes == MISSING[name]] = value
    return array


def _object_array(numpy: Any, values: Any) -> Any:
    array = numpy.empty(len(values), object)
    if _SIMPLE_NAMES.issuperset({cls.__name__ for cls in set(map(type, values))}):
        array[:] = values
    else:
        for row, value in enumerate(values):  # NumPy would look into containers.
            array[row] = value
    return array


def _rebuild_text(pandas: Any, content: Any) -> Any:
    numpy = sys.modules["numpy"]
    dtype = _text_dtype(pandas, content["storage"], content["nan"])
    values = content["values"]
    if type(values) is not list:
        array = texts_in_pyarrow(values, dtype)
        if array is not None:
            return array
        from pypods.wire.arrow.items import items_of

        values = items_of(values)
    if dtype is not None:
        return pandas.array(_object_array(numpy, values), dtype=dtype)
    array = _object_array(numpy, values)
    array[numpy.equal(array, None).astype(bool)] = numpy.nan
    return array


def _text_dtype(pandas: Any, storage: str, with_nan: bool) -> Any:
    """Return the dtype of text, or None where this pandas has none with NaN.

    How the text is stored makes no difference to its values, so another storage will do.
    """
    if storage not in ("python", "pyarrow"):
        raise ProtocolError(f"there is no storage {storage!r:.80}")
    more = {"na_value": sys.modules["numpy"].nan} if with_nan else {}
    for options in ({"storage": storage, **more}, {"storage": "python", **more}, more):
        try:
            return pandas.StringDtype(**options)
        except (ImportError, TypeError):  # No pyarrow here; a pandas without such an option.
            continue
    return None


def _rebuild_masked(pandas: Any, content: Any) -> Any:
    numpy = sys.modules["numpy"]
    values = _owned(pandas, _array(content["values"], "biuf"))
    if values.dtype.str[1:] not in _MASKED:
        raise ProtocolError(f"there is no masked array of dtype {values.dtype}")
    mask = content["mask"]
    mask = numpy.zeros(len(values), bool) if mask is None else _owned(pandas, _array(mask, "b"))
    if len(mask) != len(values):
        raise ProtocolError("an array and its mask are not of one length")
    name = {"b": "BooleanArray", "f": "FloatingArray"}.get(values.dtype.kind, "IntegerArray")
    return getattr(pandas.arrays, name)(values, mask, copy=False)


def _rebuild_categorical(pandas: Any, content: Any) -> Any:
    codes = _owned(pandas, _array(content["codes"], "i"))
    categories = _index(pandas, content["categories"])
    # It checks the codes.
    return pandas.Categorical.from_codes(codes, categories=categories, ordered=content["ordered"])


def _rebuild_zoned(pandas: Any, content: Any) -> Any:
    values = _in_unit(pandas, _array(content["values"], "M"))
    index = pandas.DatetimeIndex(values).tz_localize("UTC")
    return index.tz_convert(_rebuild_zone(pandas, content["zone"])).array


def _rebuild_periods(pandas: Any, content: Any) -> Any:
    ordinals = _array(content["values"], "i")
    if ordinals.dtype.str[1:] != "i8":
        raise ProtocolError("the numbers of periods are not of 64 bits")
    dtype = pandas.PeriodDtype(_rebuild_freq(pandas, content["freq"]))
    return pandas.arrays.PeriodArray(_owned(pandas, ordinals), dtype=dtype)


def _rebuild_intervals(pandas: Any, content: Any) -> Any:
    left, right = _index(pandas, content["left"]), _index(pandas, content["right"])
    # Indexes are not to be written, so what is made of them is not either.
    copy = _major(pandas) < COPY_ON_WRITE
    return pandas.arrays.IntervalArray.from_arrays(left, right, content["closed"], copy=copy)


def _rebuild_datetime_array(pandas: Any, content: Any) -> Any:
    index = _index(pandas, content["index"])
    if type(index) not in (pandas.DatetimeIndex, pandas.TimedeltaIndex):
        raise ProtocolError("an array that is not of dates")
    return index.array


# Scalars, zones and frequencies ----------------------------------------------------------------


def _scalar(pandas: Any, value: Any, name: str) -> Any:
    """Return a date or duration of NumPy in a unit that this pandas has."""
    numpy = sys.modules["numpy"]
    if type(value) is not getattr(numpy, name):
        raise ProtocolError("a date or duration is none")
    array = _array(numpy.array([value]), "mM")
    return _in_unit(pandas, array)[0]


def _rebuild_timestamp(pandas: Any, content: Any) -> Any:
    value = pandas.Timestamp(_scalar(pandas, content["value"], "datetime64"))
    if value is pandas.NaT:
        raise ProtocolError("a date is none")
    if content["zone"]:
        # The moment says which of two equal hours it is.
        zone = _rebuild_zone(pandas, content["zone"])
        return value.tz_localize("UTC").tz_convert(zone)
    return value.replace(fold=1) if content["fold"] else value


def _rebuild_timedelta(pandas: Any, content: Any) -> Any:
    return pandas.Timedelta(_scalar(pandas, content["value"], "timedelta64"))


def _rebuild_period(pandas: Any, content: Any) -> Any:
    return pandas.Period(ordinal=content["ordinal"], freq=_rebuild_freq(pandas, content["freq"]))


def _rebuild_interval(pandas: Any, content: Any) -> Any:
    return pandas.Interval(content["left"], content["right"], closed=content["closed"])


def _rebuild_zone(pandas: Any, data: bytes) -> Any:
    """Return a zone: pandas' own choice is this pandas' own, another's library stays if it can."""
    if data[:1] not in (b"k", b"p", b"z"):
        return rebuild_zone(data)
    key = data[1:].decode("ascii")
    if _ZONE_KEY.fullmatch(key) is None or key.startswith("dateutil"):
        raise ProtocolError(f"there is no zone {key!r:.80}")
    if data[:1] == b"k":
        return pandas.DatetimeTZDtype(tz=key).tz
    pytz = _find_pytz()
    # Pandas 1.x knows zoneinfo in part only.
    if pytz is not None and (data[:1] == b"p" or _major(pandas) < 2):
        return pytz.timezone(key)
    return rebuild_zone(b"z" + data[1:])


def _find_pytz() -> Any:
    try:
        import pytz  # type: ignore[import-untyped]
    except ImportError:
        return None
    return pytz


def _rebuild_freq(pandas: Any, freq: Any) -> Any:
    # Checked with the rest of the content.
    name, count, normalize, *given = freq
    return getattr(pandas.tseries.offsets, name)(count, normalize, *given)


_REBUILDERS: dict[str, Callable[[Any, Any], Any]] = {
    "DataFrame": _rebuild_frame,
    "Series": _rebuild_series,
    "Index": _rebuild_index,
    "RangeIndex": _rebuild_range_index,
    "MultiIndex": _rebuild_multi_index,
    "Timestamp": _rebuild_timestamp,
    "Timedelta": _rebuild_timedelta,
    "NaT": lambda pandas, content: pandas.NaT,
    "NA": lambda pandas, content: pandas.NA,
    "Period": _rebuild_period,
    "Interval": _rebuild_interval,
    "array": _rebuild_datetime_array,
    "objects": _rebuild_objects,
    "text": _rebuild_text,
    "arrow": lambda pandas, content: array_of(pandas, content["values"]),
    "masked": _rebuild_masked,
    "categorical": _rebuild_categorical,
    "zoned": _rebuild_zoned,
    "periods": _rebuild_periods,
    "intervals": _rebuild_intervals,
}
