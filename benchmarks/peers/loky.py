"""loky: an executor of processes that mends itself."""

import asyncio
import sys
from contextlib import contextmanager

import work
from loky import ProcessPoolExecutor
from peer import NO_ENVIRONMENTS, BasePeer


class Peer(BasePeer):
    LACKS = {"environment": NO_ENVIRONMENTS}
    RELAY = {"table": "table", "array": "array"}

    def open(self):
        self._executor = start(1)

    def call(self, name, *args):
        return self._executor.submit(getattr(work, name), *args).result()

    def await_call(self, name, *args):
        return asyncio.wrap_future(self._executor.submit(getattr(work, name), *args))

    @contextmanager
    def pool(self, workers):
        with start(workers) as executor:
            yield lambda name, *args: executor.submit(getattr(work, name), *args)

    def stream(self, items):
        return self._executor.map(work.echo, range(items), chunksize=1000)

    def close(self):
        self._executor.shutdown()


def start(workers):
    # As from a program whose main module is small: a child would import this one's.
    vars(sys.modules["__main__"]).pop("__file__", None)
    return ProcessPoolExecutor(workers)
