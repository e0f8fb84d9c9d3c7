"""The measurements, the same for every peer; what a peer is stands in `inside/peer.py`.

Each returns ``{"seconds": [...], "facts": {...}}``. The first call of its kind is never counted,
and its result is compared with what it has to be.
"""

import asyncio
import threading
from time import perf_counter

from errors import CannotError
from relay import measure_relay

CONTAINERS = (bytes, bytearray, memoryview)


def measure(peer, request):
    """Do what a request asks for."""
    request = dict(request)
    name = request.pop("measure")
    if name in peer.LACKS:
        raise CannotError(peer.LACKS[name])
    return MEASURES[name](peer, **request)


def time_calls(function, args, times, check):
    check(function(*args))
    clock = perf_counter
    seconds = []
    for _ in range(times):
        began = clock()
        value = function(*args)
        seconds.append(clock() - began)
        del value
    return {"seconds": seconds}


def expect(right):
    if not right:
        raise AssertionError("what came back is not what it has to be")


# --- calls --------------------------------------------------------------------------------------


def measure_nothing(peer, times):
    return time_calls(peer.function("nothing"), (), times, lambda value: expect(value is None))


def measure_add(peer, times):
    return time_calls(peer.function("add"), (1, 2), times, lambda value: expect(value == 3))


def measure_threads(peer, threads, times):
    """Let threads make `times` calls each at once; count the seconds per call of all of them."""
    call = peer.function("add")
    wrong = []
    ready = threading.Barrier(threads + 1)

    def work(number):
        call(0, 0)
        ready.wait()
        for i in range(times):
            if call(number, i) != number + i:
                wrong.append((number, i))

    workers = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(threads)]
    for worker in workers:
        worker.start()
    ready.wait()
    began = perf_counter()
    for worker in workers:
        worker.join()
    seconds = perf_counter() - began
    expect(not wrong)
    return {"seconds": [seconds / (threads * times)]}


def measure_in_flight(peer, tasks, times):
    """Keep so many calls under way from one event loop, until each task has made `times`."""

    async def work(number):
        for i in range(times):
            expect(await peer.await_call("add", number, i) == number + i)

    async def main():
        expect(await peer.await_call("add", 1, 2) == 3)
        began = perf_counter()
        await asyncio.gather(*(work(number) for number in range(tasks)))
        return perf_counter() - began

    return {"seconds": [peer.run_async(main()) / (tasks * times)]}


def measure_spin(peer, workers, times, steps=1_000_000):
    """Compute in the workers: so many calls on as many workers as asked for."""
    with peer.pool(workers) as submit:
        for future in [submit("spin", 1000) for _ in range(workers * 4)]:
            future.result()
        seconds = []
        for _ in range(times):
            began = perf_counter()
            for future in [submit("spin", steps) for _ in range(8)]:
                future.result()
            seconds.append(perf_counter() - began)
    return {"seconds": seconds}


# --- data ---------------------------------------------------------------------------------------


def measure_echo(peer, size, times):
    data = bytes(range(256)) * (size // 256)

    def check(value):
        expect(isinstance(value, CONTAINERS))
        expect(value == data)

    return time_calls(peer.function("echo"), (data,), times, check)


def measure_array(peer, size, times):
    import numpy

    array = numpy.arange(size // 8, dtype="f8")

    def check(value):
        expect(value.dtype == array.dtype)
        expect(numpy.array_equal(value, array))

    return time_calls(peer.echo_array, (array,), times, check)


def measure_take(peer, size, times):
    data = bytes(range(256)) * (size // 256)
    return time_calls(peer.function("take"), (data,), times, lambda value: expect(value == size))


def measure_rows(peer, rows, times):
    import work

    as_text = not peer.HAS_DATETIME
    right = work.rows(rows, as_text)

    def check(value):
        expect(value == right)

    found = time_calls(peer.function("rows"), (rows, as_text), times, check)
    return {**found, "facts": {"datetimes": "as text"} if as_text else {}}


def measure_table(peer, rows, times):
    import work

    right = work.table(rows)
    return time_calls(peer.fetch_table, (rows,), times, lambda value: expect(value.equals(right)))


def measure_stream(peer, items, times):
    """Take so many items; count the seconds per item."""
    seconds = []
    for length in [min(items, 100)] + [items] * times:
        began = perf_counter()
        total = sum(peer.stream(length))
        seconds.append((perf_counter() - began) / length)
        expect(total == length * (length - 1) // 2)
    return {"seconds": seconds[1:]}


# --- objects that stay in the worker --------------------------------------------------------------


def measure_cursor(peer, what, rows, times):
    peer.time_cursor(what, 2, rows)
    seconds, right = peer.time_cursor(what, times, rows)
    expect(right)
    return {"seconds": list(seconds)}


def measure_attribute(peer, times):
    connection = peer.open_table(1)

    def read():
        return connection.in_transaction

    return time_calls(read, (), times, lambda value: expect(value is False))


# --- processes ----------------------------------------------------------------------------------


def measure_start(peer, times):
    return {"seconds": [peer.start_once() for _ in range(times)]}


def measure_memory(peer, times):
    """Return the resident bytes of new workers that have done nothing but one call."""
    sizes, own = [], []
    for _ in range(times):
        rss, pss = peer.idle_memory()
        sizes.append(rss)
        own.append(pss)
    return {"seconds": sizes, "facts": {"proportional, MiB": round(sorted(own)[len(own) // 2], 1)}}


def measure_environment(peer, requirements, times):
    return {"seconds": [peer.make_environment(list(requirements)) for _ in range(times)]}


MEASURES = {
    "ready": lambda peer: {},
    "nothing": measure_nothing,
    "add": measure_add,
    "threads": measure_threads,
    "in_flight": measure_in_flight,
    "spin": measure_spin,
    "echo": measure_echo,
    "array": measure_array,
    "take": measure_take,
    "rows": measure_rows,
    "table": measure_table,
    "stream": measure_stream,
    "relay": measure_relay,
    "cursor": measure_cursor,
    "attribute": measure_attribute,
    "start": measure_start,
    "memory": measure_memory,
    "environment": measure_environment,
}
