"""What every peer has, and how a plain caller does what it has no words of its own for.

A peer is a class `Peer` in a module of ``peers/``. It has to have `open` and
`close`, and `call` unless it is a floor.
"""

import asyncio
import re
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import ClassVar

import work
from errors import CannotError

NO_ENVIRONMENTS = "makes no environments"
NO_STREAMS = "has no streams"
NO_CALLS = "is a floor, and calls no functions"
NO_ARRAYS = "has no way for arrays but through bytes"
NO_POOL = "has one worker"
NO_OBJECTS = "has no way for a connection that stays in the worker"
IN_FLIGHT_THREADS = 100


class BasePeer(ABC):
    """A peer with one worker, in which functions of `work` are called by name."""

    #: By the name of a measurement, why it cannot be done.
    LACKS: ClassVar[dict] = {}
    HAS_DATETIME = True
    #: What a batch of each kind crosses as: "table", "array" or "bytes". A kind that is not here
    #: has no way.
    RELAY: ClassVar[dict] = {"array": "bytes"}

    def __init__(self, place):
        self.place = place
        self._threads = None

    @abstractmethod
    def open(self):
        """Start the worker."""

    def call(self, name, *args):
        """Call a function of `work` in the worker, and wait for its result."""
        raise CannotError(NO_CALLS)

    @abstractmethod
    def close(self):
        """End the worker."""

    def another(self):
        """Return another instance like this one, opened."""
        other = type(self)(self.place)
        other.open()
        return other

    # --- may be replaced by what a peer has of its own -------------------------------------------

    def function(self, name):
        """Return what a user of the peer would call in a loop."""
        call = self.call

        def function(*args):
            return call(name, *args)

        return function

    def await_call(self, name, *args):
        """Return what a user of the peer would await; from threads, if it has nothing."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(IN_FLIGHT_THREADS)
        return asyncio.get_running_loop().run_in_executor(self._threads, self.call, name, *args)

    def run_async(self, main):
        """Run a coroutine to its end."""
        return asyncio.run(main)

    @contextmanager
    def pool(self, workers):
        """Give a function that submits calls to so many workers; one instance for each of them."""
        others = [self.another() for _ in range(workers)]
        threads = [ThreadPoolExecutor(1) for _ in others]
        turn = 0

        def submit(name, *args):
            nonlocal turn
            turn += 1
            return threads[turn % workers].submit(others[turn % workers].call, name, *args)

        try:
            yield submit
        finally:
            for each, other in zip(threads, others):  # noqa: B905 - as many of both
                each.shutdown()
                other.close()

    def echo_array(self, array):
        """Return an array that was in the worker."""
        return self.call("echo", array)

    def fetch_table(self, rows):
        """Return the worker's table as one of pyarrow."""
        return self.call("table", rows)

    def stream(self, items):
        """Iterate over what a generator in the worker yields."""
        raise CannotError(NO_STREAMS)

    def open_table(self, rows):
        """Return what stands for a connection that was opened in the worker."""
        raise CannotError(NO_OBJECTS)

    def by_value(self, rows):
        """Return fetched rows as a list that is here."""
        return rows

    def time_cursor(self, what, times, rows):
        """Return the seconds of each use of a cursor, and whether all had the right result."""
        connection = self.open_table(rows)
        if what == "lookups":
            return work.time_lookups(connection, times, rows)
        return work.time_fetchall(connection, times, rows, self.by_value)

    def relay(self, other, batches, kind, read):
        """Hand batches of this instance's worker to the other's: how many came, and their sum."""
        total = 0.0
        for i in range(batches):
            total += other.call("look", self.call("batch", i, kind), read)
        return batches, total

    def start_once(self):
        """Return the seconds from nothing to the first result of a new instance."""
        began = perf_counter()
        other = self.another()
        try:
            other.call("nothing")
            return perf_counter() - began
        finally:
            other.close()

    def idle_memory(self):
        """Return the bytes resident in a new worker, and its fair share in MiB."""
        other = self.another()
        try:
            other.call("nothing")
            return read_memory(other.call("pid"))
        finally:
            other.close()

    def make_environment(self, requirements):
        """Return the seconds that it takes to make an environment."""
        raise CannotError(NO_ENVIRONMENTS)


def read_memory(pid):
    """Return what of a process is resident, in bytes, and its fair share of it in MiB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()

    def find(name):
        return int(re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)[1]) * 1024

    return find("Rss"), find("Pss") / 2**20


def table_from_ipc(data):
    """Return a table from the bytes of Arrow's own format."""
    import pyarrow

    return pyarrow.ipc.open_stream(data).read_all()


WORK_FILE = work.__file__
