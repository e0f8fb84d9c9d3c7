"""Large values: echoed, sent, fetched as rows and as tables, streamed, and handed on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from axis import Axis, Bench, Comparison, Outcome
from comparing import OUR_MODULE, Found, Variant, compare
from ratios import ahead_of_peers, no_longer_than, times_as_fast

__all__ = ["ARRAY", "ECHO", "ONE_WAY", "RELAY", "ROWS", "STREAM"]

KIB, MIB, GIB = 2**10, 2**20, 2**30
BATCH_BYTES = 16 * MIB
SIZES = {"1 KiB": KIB, "64 KiB": 64 * KIB, "1 MiB": MIB, "64 MiB": 64 * MIB}
LARGE = "64 MiB"
DICTS, ARROW = "as dicts", "as an Arrow table"
TABLES, ARRAYS, READ = "tables", "arrays", "arrays, every byte read"
#: A sample takes long: longer turns, and fewer.
LONG: dict[str, Any] = {"turn_seconds": 0.5, "rounds": 5}


def measure_echo(bench: Bench) -> Outcome:
    variants = [
        Variant(name, {"measure": "echo", "size": size}, amount=size)
        for name, size in SIZES.items()
        if not (bench.quick and size > MIB)
    ]
    last = variants[-1].name
    return compare(
        bench,
        variants,
        lambda found: [ahead_of_peers(found, variant=last)],
        floors=["memcpy", "memcpy_cold", "pickle_pipe"],
    )


def measure_array(bench: Bench) -> Outcome:
    size = bench.choose(64 * MIB, MIB)
    variant = Variant("", {"measure": "array", "size": size}, amount=size, **LONG)

    def judge(found: Found) -> Iterable[Comparison]:
        yield no_longer_than(found, 1.25, "memcpy", what="time of pypods / two memcpys")
        yield ahead_of_peers(found, 1.0)

    floors = ["memcpy", "memcpy_cold", "pickle_pipe"]
    return compare(bench, [variant], judge, floors=floors)


def measure_one_way(bench: Bench) -> Outcome:
    size = bench.choose(64 * MIB, MIB)
    variant = Variant("", {"measure": "take", "size": size}, amount=size, **LONG)
    floors = ["memcpy", "memcpy_cold", "pickle_pipe"]
    return compare(
        bench,
        [variant],
        lambda found: [ahead_of_peers(found)],
        floors=floors,
    )


def measure_rows(bench: Bench) -> Outcome:
    rows = bench.choose(100_000, 1_000)
    variants = [
        Variant(DICTS, {"measure": "rows", "rows": rows}, amount=rows, **LONG),
        Variant(ARROW, {"measure": "table", "rows": rows}, amount=rows, **LONG),
    ]

    def judge(found: Found) -> Iterable[Comparison]:
        yield times_as_fast(found, 0.5, "pickle_pipe", DICTS)
        yield times_as_fast(found, 20.0, "pickle_pipe", DICTS, ours=ARROW)
        yield ahead_of_peers(found, variant=DICTS)
        yield ahead_of_peers(found, variant=ARROW)

    return compare(bench, variants, judge, floors=["pickle_pipe"])


def measure_stream(bench: Bench) -> Outcome:
    variant = Variant(
        "",
        {"measure": "stream", "times": 1},
        amount=1,
        scaled="items",
        most=1_000_000,
        first=1000,
        turn_seconds=1.5,
        rounds=3,
    )
    return compare(
        bench,
        [variant],
        lambda found: [ahead_of_peers(found)],
        floors=["pickle_pipe"],
    )


def measure_relay(bench: Bench) -> Outcome:
    most = bench.choose(GIB, 64 * MIB) // BATCH_BYTES
    variants = [
        Variant(
            name,
            {"measure": "relay", "kind": kind, "read": read},
            amount=BATCH_BYTES,
            scaled="batches",
            most=most,
            first=4,
            at_first={"most": most},
            turn_seconds=0.7,
            rounds=3,
        )
        for name, kind, read in (
            (TABLES, "table", False),
            (ARRAYS, "array", False),
            (READ, "array", True),
        )
    ]

    def judge(found: Found) -> Iterable[Comparison]:
        for variant in (TABLES, ARRAYS):
            yield _compare_growth(found, variant)
            yield times_as_fast(found, 0.5, "memcpy", variant)
            yield ahead_of_peers(found, variant=variant)

    return compare(bench, variants, judge, floors=["memcpy"])


def _compare_growth(found: Found, variant: str) -> Comparison:
    text = f"the host's own memory grew by less than one batch, {variant}"
    grew = found.fact(OUR_MODULE, variant, "host grew, bytes")
    batch = found.fact(OUR_MODULE, variant, "batch, bytes")
    if grew is None:
        why = found.why_not(OUR_MODULE, variant)
        return Comparison(text, None, "bytes", 16 * MIB - 1, note=why)
    return Comparison(text, grew, "bytes", batch - 1)


ECHO = Axis(
    "echo",
    "Bytes there and back",
    measure_echo,
    "A function that returns its argument. Floors: two copies into memory that was used before "
    "(memcpy), and into memory that was not (memcpy, cold), in one process; and pickles through "
    "bare pipes.",
    amount_unit="bytes",
)
ARRAY = Axis(
    "array",
    "An array of 64 MiB of float64 there and back",
    measure_array,
    "As above, with NumPy on both sides. Who has no way for arrays sends their bytes.",
    amount_unit="bytes",
)
ONE_WAY = Axis(
    "one_way",
    "64 MiB of bytes one way",
    measure_one_way,
    "A function that returns the length of its argument. Floor: one copy.",
    amount_unit="bytes",
)
ROWS = Axis(
    "rows",
    "100,000 rows of ten mixed columns from the worker",
    measure_rows,
    "The worker has the rows ready: two ints, two texts, two floats, a small int, a bool, a text "
    "or None, and a datetime. The host asks for them as a list of dicts, and as an Arrow table. "
    "Who has no datetime sends it as text; who has no tables sends the bytes of Arrow's format. "
    "Floor: the same list of dicts pickled through a bare pipe.",
    amount_unit="rows",
)
STREAM = Axis(
    "stream",
    "A stream of small items",
    measure_stream,
    "A generator of ints in the worker, taken one by one in the host: a million, or as many as go "
    "into a second and a half; the time is that of one. Executors without streams map a function "
    "over a range, in chunks of a thousand. Floor: each item pickled, through a bare pipe.",
    amount_unit="items",
)
RELAY = Axis(
    "relay",
    "1 GiB from one worker to another, by way of the host",
    measure_relay,
    "In batches of 16 MiB, and the time is that of one: 64 of them at once, or as many as go into "
    "0.7 s, but four at the least. The producer has them ready (four, in turns). The receiver "
    "looks at the first and the last number of each batch, in a variant of its own at all of "
    "them. The host's own memory is what it holds alone (RssAnon, looked at every 2 ms in a relay "
    "that is not timed), beyond what it had before the first batch; what is resident in all, with "
    "memory that it shares with the workers, is the kernel's high-water mark (VmHWM). Floor: the "
    "same batches copied by memcpy in one process.",
    amount_unit="bytes",
)
