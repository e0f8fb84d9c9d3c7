"""multiprocessing, bare: a process and a pipe, a call is a pickled tuple. Threads need a lock."""

import multiprocessing
import sys
from threading import Lock

import loops
from peer import NO_ENVIRONMENTS, BasePeer


class Peer(BasePeer):
    LACKS = {"environment": NO_ENVIRONMENTS}
    RELAY = {"table": "table", "array": "array"}

    def open(self):
        # As from a program whose main module is small: a child would import this one's.
        vars(sys.modules["__main__"]).pop("__file__", None)
        context = multiprocessing.get_context("spawn")
        self._lock = Lock()
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=loops.over_connection, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def call(self, name, *args):
        with self._lock:
            self._pipe.send((name, args))
            return self._pipe.recv()

    def stream(self, items):
        with self._lock:
            self._pipe.send(("count", (items,)))
            for _ in range(items):
                yield self._pipe.recv()

    def close(self):
        self._pipe.close()
        self._process.join()
