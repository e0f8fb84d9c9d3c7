"""The objects of pandas to a kind and a content; how they arrive is in pandas_arrivals.

One kind, ``P``; its content is a document whose ``type`` says what else is in it:

============  ====================================================================================
type          and
============  ====================================================================================
DataFrame     index, columns, blocks (each an array: positions, values), attrs, unique_labels
Series        values, index, name, attrs, unique_labels
Index         values, name, freq
RangeIndex    start, stop, step, name
MultiIndex    levels, codes (arrays of int), names, sortorder
Timestamp     value (a scalar of NumPy, UTC), zone, fold
Timedelta     value (a scalar of NumPy)
NaT, NA
Period        ordinal, freq
Interval      left, right, closed
array         index: a pandas array of datetimes or timedeltas, as an index of it
objects       values, missing: which of them are left out, a byte each (see MISSING)
text          values (str or None; or Arrow's), storage, nan: whether a missing one is NaN, not NA
arrow         values (of kind ``w``): those of a dtype of pyarrow
masked        values (an array), mask (an array of bool, or None)
categorical   codes (an array of int), categories (an index), ordered
zoned         values (an array of datetime64, UTC), zone
periods       values (an array of int64), freq
intervals     left, right (each an index), closed
============  ====================================================================================

``values`` of the first ones are an array of NumPy or a document of the last eight; those of a block
that has several positions are an array of two dimensions, a row for each column. A ``zone`` is as
of a datetime, or ``k`` and a key, of the library that the pandas at hand uses of its own accord
(pytz before 3, then zoneinfo), or ``p`` and a key of pytz that was asked for. A ``freq`` is None or
an array: the name of a class in ``OFFSETS``, how many, whether normalized, then what the class is
given. The names of frequencies differ between the versions of pandas, those of the classes do not.
"""

from __future__ import annotations

# ruff: noqa: ARG005 - the entries of a table have one signature
import sys
from struct import pack

from pypods.errors import ValueTransferError
from pypods.wire.pandas_arrow import column_of
from pypods.wire.pandas_contents import MISSING, OFFSETS
from pypods.wire.values import reduce_zone, shown

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = ["find_reducer", "named_step"]

#: The kinds of NumPy's dtypes that pandas has columns of, objects aside.
PLAIN_KINDS = frozenset("biufcmM")
#: Fewer texts are sooner sent one by one than by way of Arrow.
MINIMUM_ARROW_TEXTS = 1024
_NAN = pack("<d", float("nan"))


def find_reducer(cls: Any) -> Any:
    """Return the reducer of a class of pandas, or None; a subclass has one that refuses it."""
    pandas = sys.modules["pandas"]
    name = cls.__name__
    if name in _REDUCERS and cls.__module__.partition(".")[0] == "pandas":
        for holder in (pandas, getattr(pandas, "arrays", None), sys.modules.get(cls.__module__)):
            # Those of pandas 1.x for numbers only where they are: their names here are deprecated.
            if name in _NUMBER_INDEXES and holder is pandas:
                continue
            if getattr(holder, name, None) is cls:
                return _REDUCERS[name]
    for base in ("DataFrame", "Series", "Index"):
        # Absent while another thread imports pandas.
        if issubclass(cls, getattr(pandas, base, ())):
            return _refuse_subclass
    return None


def _refuse_subclass(value: Any) -> Any:
    cls = type(value)
    base = next(each.__name__ for each in cls.__mro__ if each.__name__ in _REDUCERS)
    raise ValueTransferError(
        f"{cls.__module__}.{cls.__qualname__} cannot cross by value: it is more than a {base}; "
        f"pass pandas.{base}(…) of it"
    )


def named_step(error: ValueTransferError, content: Any) -> ValueTransferError:
    """Turn the place in a content into the place in the value: a column by its label."""
    place = error.place
    if place.startswith('["blocks"]'):
        block, _, rest = place[len('["blocks"][') :].partition("]")
        positions, values = content["blocks"][int(block)]
        step = column_step(content["columns"], positions[0])
        place = step + _values_step(values, rest[len("[1]") :])
    elif place.startswith('["values"]') and content["type"] in ("Series", "Index"):
        place = _values_step(content["values"], place[len('["values"]') :])
    else:
        place = _values_step(content, place)
    return ValueTransferError(error.reason, place)


def _values_step(content: Any, place: str) -> str:
    """Turn the place in the content of an array into the place in the array."""
    if type(content) is dict and place.startswith('["values"]'):
        place = place[len('["values"]') :]
        if content["type"] == "objects" and place:
            number, _, rest = place[1:].partition("]")
            place = f"[{_row_of(int(number), content['missing'])}]{rest}"
    elif place.startswith('["'):
        name, _, rest = place[2:].partition('"]')
        place = f".{name}{rest}"
    return place


def column_step(columns: Any, position: int) -> str:
    """Return the step to a column, as users write it."""
    label = columns[position]
    return f'["{label}"]' if type(label) is str else f"[{shown(label)}]"


def _row_of(number: int, missing: Any) -> int:
    """Return the row of a value that was counted without those left out."""
    if missing is None:
        return number
    rows = (row for row, code in enumerate(missing) if not code)
    return next(row for count, row in enumerate(rows) if count == number)


# Frames, series and indexes --------------------------------------------------------------------


def _reduce_frame(frame: Any) -> Any:
    blocks = []
    for positions, values in _blocks_of(frame):
        try:
            blocks.append([positions, _reduce_values(values)])
        except ValueTransferError as error:
            raise error.within(column_step(frame.columns, positions[0])) from None
    return b"P", {
        "type": "DataFrame",
        "index": frame.index,
        "columns": frame.columns,
        "blocks": blocks,
        "attrs": dict(frame.attrs),
        "unique_labels": not _allows_duplicates(frame),
    }


def _blocks_of(frame: Any) -> Any:
    """Yield positions and values: columns of one dtype together, as pandas keeps them."""
    try:
        blocks = [(each.mgr_locs.as_array.tolist(), each.values) for each in frame._mgr.blocks]
    except AttributeError:  # Kept otherwise, as pandas 1.x and 2.x can.
        blocks = [([place], frame.iloc[:, place].array) for place in range(frame.shape[1])]
    for positions, values in blocks:
        if values.ndim == 1 or _is_plain(values.dtype):
            yield positions, values
        else:
            for row, position in enumerate(positions):
                yield [position], values[row]


def _is_plain(dtype: Any) -> bool:
    return dtype.kind in PLAIN_KINDS and getattr(dtype, "tz", None) is None


def _allows_duplicates(value: Any) -> bool:
    flags = getattr(value, "flags", None)  # Since pandas 1.2.
    return flags is None or flags.allows_duplicate_labels


def _reduce_series(series: Any) -> Any:
    return b"P", {
        "type": "Series",
        "values": _reduce_values(series.array),
        "index": series.index,
        "name": series.name,
        "attrs": dict(series.attrs),
        "unique_labels": not _allows_duplicates(series),
    }


def _reduce_index(index: Any) -> Any:
    return b"P", {
        "type": "Index",
        "values": _reduce_values(index.array),
        "name": index.name,
        "freq": _reduce_freq(getattr(index, "freq", None) if index.dtype.kind in "mM" else None),
    }


def _reduce_range_index(index: Any) -> Any:
    return b"P", {
        "type": "RangeIndex",
        "start": int(index.start),
        "stop": int(index.stop),
        "step": int(index.step),
        "name": index.name,
    }


def _reduce_multi_index(index: Any) -> Any:
    sortorder = index.sortorder
    return b"P", {
        "type": "MultiIndex",
        "levels": [level.rename(None) for level in index.levels],
        "codes": list(index.codes),
        "names": list(index.names),
        "sortorder": None if sortorder is None else int(sortorder),
    }


# Arrays ----------------------------------------------------------------------------------------


def _reduce_values(array: Any) -> Any:
    """Return an array as a content has it: NumPy's own, or a document."""
    numpy, pandas = sys.modules["numpy"], sys.modules["pandas"]
    dtype = array.dtype
    if type(dtype).__name__ in _WRAPPERS:
        dtype = dtype.numpy_dtype
    if isinstance(dtype, numpy.dtype):
        values = numpy.asarray(array)
        if dtype.kind in PLAIN_KINDS:
            return values
        if dtype.kind == "O":
            return _reduce_objects(values)
    else:
        cls = type(dtype)
        reducer = _ARRAY_REDUCERS.get(cls.__name__)
        if reducer is not None and getattr(pandas, cls.__name__, None) is cls:
            return reducer(array)
    advice = _ADVICE.get(type(dtype).__name__, "")
    raise ValueTransferError(f"values of dtype {dtype} cannot cross by value{advice}")


def _reduce_objects(values: Any) -> Any:
    """Leave out what pandas counts as missing, so that the rest may be of one type."""
    pandas = sys.modules["pandas"]
    objects = values.tolist()
    rows = pandas.isna(values).nonzero()[0].tolist()
    if not rows:
        return {"type": "objects", "values": objects, "missing": None}
    codes = bytearray(len(objects))
    for row in rows:
        codes[row] = _missing_code(pandas, objects[row])
    present = [value for value, code in zip(objects, codes) if not code]
    return {"type": "objects", "values": present, "missing": bytes(codes)}


def _missing_code(pandas: Any, value: Any) -> int:
    """Return the code of a missing value; 0 for one that has more to it, as a Decimal's NaN."""
    if value is None:
        return MISSING["None"]
    if type(value) is float:
        return MISSING["NaN"] if pack("<d", value) == _NAN else 0
    if value is pandas.NaT:
        return MISSING["NaT"]
    return MISSING["NA"] if value is pandas.NA else 0


def _reduce_text(array: Any) -> Any:
    pandas = sys.modules["pandas"]
    dtype = array.dtype
    in_pyarrow = getattr(dtype, "storage", "").startswith("pyarrow")
    values = column_of(array) if in_pyarrow and len(array) >= MINIMUM_ARROW_TEXTS else None
    if values is None:
        values = array.to_numpy(dtype=object, na_value=None).tolist()
    return {
        "type": "text",
        "values": values,
        "storage": "pyarrow" if in_pyarrow else "python",
        "nan": dtype.na_value is not pandas.NA,
    }


def _reduce_arrow(array: Any) -> Any:
    values = column_of(array)
    if values is None:
        raise ValueTransferError(
            f"values of dtype {array.dtype} cannot cross by value with this pyarrow; "
            "convert them with astype first, or install pyarrow 16 or newer"
        )
    return {"type": "arrow", "values": values}


def _reduce_masked(array: Any) -> Any:
    mask = array._mask
    return {"type": "masked", "values": array._data, "mask": mask if mask.any() else None}


def _reduce_categorical(array: Any) -> Any:
    return {
        "type": "categorical",
        "codes": array.codes,
        "categories": array.categories,
        "ordered": bool(array.ordered),
    }


def _reduce_zoned(array: Any) -> Any:
    numpy = sys.modules["numpy"]
    return {
        "type": "zoned",
        "values": numpy.asarray(array.tz_convert(None)),
        "zone": _reduce_zone(array.dtype.tz),
    }


def _reduce_periods(array: Any) -> Any:
    return {"type": "periods", "values": array.asi8, "freq": _reduce_freq(array.dtype.freq)}


def _reduce_intervals(array: Any) -> Any:
    return {
        "type": "intervals",
        "left": array.left,
        "right": array.right,
        "closed": array.closed,
    }


def _array_reducer(reduce: Any) -> Any:
    return lambda array: (b"P", reduce(array))


def _reduce_datetime_array(array: Any) -> Any:
    return b"P", {"type": "array", "index": sys.modules["pandas"].Index(array)}


# Scalars, zones and frequencies ----------------------------------------------------------------


def _reduce_timestamp(value: Any) -> Any:
    return b"P", {
        "type": "Timestamp",
        "value": value.asm8,
        "zone": _reduce_zone(value.tzinfo),
        "fold": value.fold,
    }


def _reduce_period(value: Any) -> Any:
    return b"P", {"type": "Period", "ordinal": value.ordinal, "freq": _reduce_freq(value.freq)}


def _reduce_interval(value: Any) -> Any:
    return b"P", {
        "type": "Interval",
        "left": value.left,
        "right": value.right,
        "closed": value.closed,
    }


def _reduce_zone(zone: Any) -> bytes:
    """Return the bytes of a zone, which tell one of pandas' own choice from one of the user's."""
    own = "zoneinfo" if int(sys.modules["pandas"].__version__.partition(".")[0]) >= 3 else "pytz"
    library = type(zone).__module__.partition(".")[0]
    key = getattr(zone, "zone" if library == "pytz" else "key", None)
    if library in ("pytz", own) and key is not None:
        return (b"k" if library == own else b"p") + key.encode()  # type: ignore[no-any-return]
    data: bytes = reduce_zone(zone, "a value")
    return data


def _reduce_freq(offset: Any) -> Any:
    """Return an offset as its class and what it was given. Raises where that is not all of it."""
    if offset is None:
        return None
    cls = type(offset)
    given = OFFSETS.get(cls.__name__)
    offsets = sys.modules["pandas"].tseries.offsets
    if given is not None and getattr(offsets, cls.__name__, None) is cls:
        values = [getattr(offset, name) for name in given]
        if cls(offset.n, offset.normalize, *values) == offset:
            return [cls.__name__, offset.n, offset.normalize, *values]
    raise ValueTransferError(
        f"a frequency of {shown(offset)} cannot cross by value; set the freq to None"
    )


_ADVICE = {
    "SparseDtype": "; make them dense with sparse.to_dense() first",
}

#: What pandas 1.x, and 2.x, put around a dtype of NumPy.
_WRAPPERS = frozenset({"PandasDtype", "NumpyEADtype"})

_NUMBER_INDEXES = frozenset({"Int64Index", "UInt64Index", "Float64Index", "NumericIndex"})

_ARRAY_REDUCERS: dict[str, Callable[[Any], Any]] = {
    "StringDtype": _reduce_text,
    "ArrowDtype": _reduce_arrow,
    "BooleanDtype": _reduce_masked,
    **{
        f"{name}{bits}Dtype": _reduce_masked for name in ("Int", "UInt") for bits in (8, 16, 32, 64)
    },
    "Float32Dtype": _reduce_masked,
    "Float64Dtype": _reduce_masked,
    "CategoricalDtype": _reduce_categorical,
    "DatetimeTZDtype": _reduce_zoned,
    "PeriodDtype": _reduce_periods,
    "IntervalDtype": _reduce_intervals,
}

_REDUCERS: dict[str, Callable[[Any], Any]] = {
    "DataFrame": _reduce_frame,
    "Series": _reduce_series,
    "Index": _reduce_index,
    "RangeIndex": _reduce_range_index,
    "MultiIndex": _reduce_multi_index,
    "DatetimeIndex": _reduce_index,
    "TimedeltaIndex": _reduce_index,
    "PeriodIndex": _reduce_index,
    "CategoricalIndex": _reduce_index,
    "IntervalIndex": _reduce_index,
    **dict.fromkeys(_NUMBER_INDEXES, _reduce_index),
    "Timestamp": _reduce_timestamp,
    "Timedelta": lambda value: (b"P", {"type": "Timedelta", "value": value.asm8}),
    "NaTType": lambda value: (b"P", {"type": "NaT"}),
    "NAType": lambda value: (b"P", {"type": "NA"}),
    "Period": _reduce_period,
    "Interval": _reduce_interval,
    "Categorical": _array_reducer(_reduce_categorical),
    "StringArray": _array_reducer(_reduce_text),
    "ArrowStringArray": _array_reducer(_reduce_text),
    "ArrowExtensionArray": _array_reducer(_reduce_arrow),
    "IntegerArray": _array_reducer(_reduce_masked),
    "FloatingArray": _array_reducer(_reduce_masked),
    "BooleanArray": _array_reducer(_reduce_masked),
    "PeriodArray": _array_reducer(_reduce_periods),
    "IntervalArray": _array_reducer(_reduce_intervals),
    "DatetimeArray": _reduce_datetime_array,
    "TimedeltaArray": _reduce_datetime_array,
}
