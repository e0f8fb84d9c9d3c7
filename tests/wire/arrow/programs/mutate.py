"""Contents of Arrow values with something changed, as a hostile pod would, read as a host does.

Usage: mutate.py CONFTEST FIRST_SEED END_SEED [SEED...]. Prints how many were read and how many
refused, and ends with status 1 at anything else; the last seed on stderr is the one.
"""

from __future__ import annotations

import copy
import importlib.util
import random
import re
import sys
from array import array
from collections import Counter
from typing import Any

import pyarrow as pa

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire.arrow.values import ArrowArrayValue, rebuild_arrow, reduce_arrow

#: What pyarrow finds wrong with values, which may be anything: only where they lead is looked at.
VALUES_ALONE = re.compile(
    "UTF8|UTF-8|fit in precision|whole number of days|within the acceptable range"
    "|non-monotonic offset|has inlined prefix|padding bytes were"
)
FORMATS = [
    *("n", "b", "c", "i", "l", "d:9,2", "ts:UTC", "u", "U", "z", "vu", "vz", "+l", "+L", "+vl"),
    *("+vL", "+w:2", "+s", "+m", "+r", "+ud:0,1", "+us:1,0", "w:0", "w:3", "ttn", "s", "e", "tin"),
]
NUMBERS = [-(2**63), -(2**31), -2, -1, 0, 1, 2, 3, 7, 8, 9, 64, 2**31 - 1, 2**31, 2**56, 2**63 - 1]


def load_conftest(path: str) -> Any:
    spec = importlib.util.spec_from_file_location("arrow_conftest", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_content(shuffled: Any) -> Any:
    if shuffled.random.random() < 0.3:
        fields = [shuffled.field(f"c{index}", 2) for index in range(2)]
        columns = [shuffled.array(field.type, 9) for field in fields]
        value = pa.Table.from_arrays(columns, schema=pa.schema(fields))
    else:
        value = shuffled.array(shuffled.type(), shuffled.random.choice([0, 3, 20]))
    return reduce_arrow(value)[1]


# --- changes --------------------------------------------------------------------------------------


def types_in(content: Any) -> list[Any]:
    """Return every type in a type, itself among them."""
    found = [content]
    for each in found:
        found += each[4] + ([each[5]] if each[5] else [])
    return found


def change_number(rng: Any, content: Any) -> None:
    group = rng.choice(content["groups"])
    index = rng.randrange(len(group[0]))
    numbers = array("q", group[0][index])
    place = rng.randrange(len(numbers))
    numbers[place] = rng.choice(
        [*NUMBERS, numbers[place] + 1, numbers[place] - 1, rng.choice(numbers)]
    )
    group[0][index] = numbers.tobytes()


def change_numbers(rng: Any, content: Any) -> None:
    group = rng.choice(content["groups"])
    index = rng.randrange(len(group[0]))
    numbers = array("q", group[0][index])
    place = rng.randrange(len(numbers))
    if rng.random() < 0.5:
        numbers.insert(place, rng.choice(NUMBERS))
    else:
        del numbers[place]
    group[0][index] = numbers.tobytes()


def change_data(rng: Any, content: Any) -> None:
    group = rng.choice(content["groups"])
    data = bytearray(group[1])
    if not data:
        return
    width = rng.choice([1, 1, 2, 4, 8])
    place = rng.randrange(len(data)) // width * width
    if rng.random() < 0.7:  # Where a buffer begins.
        place = place // 64 * 64 + rng.choice([0, 0, width, 2 * width])
    number = rng.choice(NUMBERS) & (2 ** (8 * width) - 1)
    data[place : place + width] = number.to_bytes(width, "little")
    group[1] = bytes(data[: len(group[1])])


def cut_data(rng: Any, content: Any) -> None:
    group = rng.choice(content["groups"])
    group[1] = group[1][: rng.randrange(len(group[1]) + 1)]


def change_type(rng: Any, content: Any) -> None:
    changed = rng.choice(types_in(content["type"]))
    other = rng.choice(types_in(content["type"]))
    which = rng.randrange(6)
    if which == 0:
        changed[0] = rng.choice(FORMATS)
    elif which == 1:
        changed[2] = rng.choice([0, 2, 7, 8, -1])
    elif which == 2:
        changed[4] = changed[4][1:] or [copy.deepcopy(other)]
    elif which == 3:
        changed[5] = None if changed[5] else copy.deepcopy(other)
    elif which == 4:
        changed[3] = [b"ARROW:extension:name", rng.choice([b"arrow.uuid", b"arrow.json", b"x"])]
    else:
        changed[1] = rng.choice(["", "é", "x" * 99, "\0"])


def change_form(rng: Any, content: Any) -> None:
    content["form"] = rng.choice(["schema", "array", "stream"])
    content["origin"] = rng.choice(["pyarrow.lib.Table", "pyarrow.lib.Array", "x.Y", "Z"])


CHANGES = [
    *[change_number] * 6, *[change_data] * 6, change_numbers, cut_data, change_type, change_type,
    change_form,
]  # fmt: skip


# --- reading --------------------------------------------------------------------------------------


def use(made: Any) -> str:
    """Look at all of it, as a program would."""
    try:
        made.validate(full=True)
    except pa.ArrowInvalid as exc:
        if not VALUES_ALONE.search(str(exc)):
            raise
        return "values that are none"
    if len(made) < 10_000:
        try:
            repr(made.to_pylist())
        except (ValueError, OverflowError, pa.ArrowException, KeyError):
            return "read, and none for Python"
        made.equals(made)
        made.nbytes  # noqa: B018
    return "read"


def consume(value: Any, ours: Any) -> str:
    if not hasattr(value, "__arrow_c_stream__"):
        try:
            pa.field(value)
        except (pa.ArrowInvalid, SystemError):
            return "refused by pyarrow"
        return "a type"
    takers = [pa.array] if type(value) is ArrowArrayValue else [pa.chunked_array, pa.table]
    results = []
    for take in takers:
        for source in (value, ours(value)):
            try:
                results.append(use(take(source)))
            except (ProtocolError, ValueTransferError) as exc:
                results.append(f"refused: {type(exc).__name__}")
            except SystemError:  # See ``structures.callback``.
                if source is value:
                    raise
                results.append("refused by pyarrow")
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as exc:
                if source is value and take is not pa.table:
                    raise
                if "Struct child" in str(exc) or "invalid:" in str(exc):
                    raise
                results.append("refused by pyarrow")
    return ", ".join(sorted(set(results)))


def try_seed(seed: int, conftest: Any) -> str:
    shuffled = conftest.Shuffler(seed)
    content = make_content(shuffled)
    rng = random.Random(seed)
    for _ in range(rng.choice([1, 1, 2, 3])):
        try:
            rng.choice(CHANGES)(rng, content)
        except (IndexError, ValueError, OverflowError):
            continue  # There is nothing to change there.
    try:
        value = rebuild_arrow(content, conftest.HostSide())
        return consume(value, conftest.Ours)
    except (ProtocolError, ValueTransferError) as exc:
        return f"refused: {type(exc).__name__}"


def main() -> None:
    conftest = load_conftest(sys.argv[1])
    outcomes: Counter[str] = Counter()
    more = map(int, sys.argv[4:])
    for seed in (*range(int(sys.argv[2]), int(sys.argv[3])), *more):
        sys.stderr.write(f"{seed}\n")
        outcomes[try_seed(seed, conftest)] += 1
    print(dict(outcomes))


if __name__ == "__main__":
    main()
