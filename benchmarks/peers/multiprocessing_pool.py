"""multiprocessing's pool, of one process unless more are asked for."""

import asyncio
import multiprocessing
import sys
from concurrent.futures import Future
from contextlib import contextmanager

import work
from peer import NO_ENVIRONMENTS, BasePeer


class Peer(BasePeer):
    LACKS = {"environment": NO_ENVIRONMENTS}
    RELAY = {"table": "table", "array": "array"}

    def open(self):
        self._pool = start_pool(1)

    def call(self, name, *args):
        return self._pool.apply(getattr(work, name), args)

    def await_call(self, name, *args):
        return asyncio.wrap_future(submit(self._pool, name, *args))

    @contextmanager
    def pool(self, workers):
        with start_pool(workers) as pool:
            yield lambda name, *args: submit(pool, name, *args)

    def stream(self, items):
        return self._pool.imap(work.echo, range(items), chunksize=1000)

    def close(self):
        self._pool.terminate()
        self._pool.join()


def start_pool(workers):
    # As from a program whose main module is small: a child would import this one's.
    vars(sys.modules["__main__"]).pop("__file__", None)
    return multiprocessing.get_context("spawn").Pool(workers)


def submit(pool, name, *args):
    future = Future()
    pool.apply_async(
        getattr(work, name), args, callback=future.set_result, error_callback=future.set_exception
    )
    return future
