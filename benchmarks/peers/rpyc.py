"""RPyC: references to functions in another process, over its stdin and stdout.

What is no simple value arrives as a reference; a user who wants the value asks for a copy, which is
pickled.
"""

import loops
import rpyc
from peer import NO_ENVIRONMENTS, BasePeer, table_from_ipc
from rpyc.utils.classic import obtain

CONFIG = {"sync_request_timeout": None, "allow_pickle": True}


class Peer(BasePeer):
    LACKS = {"environment": NO_ENVIRONMENTS}

    def open(self):
        words = [self.place.worker_python, loops.__file__, "over_rpyc"]
        self._connection = rpyc.connect_subproc(words, config=CONFIG)
        self._functions = {}

    def function(self, name):
        if name not in self._functions:
            self._functions[name] = self._connection.root.get(name)
        if name == "rows":
            return lambda *args: obtain(self._functions[name](*args))
        return self._functions[name]

    def call(self, name, *args):
        return self.function(name)(*args)

    def echo_array(self, array):
        import numpy

        return numpy.frombuffer(self.call("echo", array.tobytes()), dtype=array.dtype)

    def fetch_table(self, rows):
        return table_from_ipc(self.call("table_as_ipc", rows))

    def open_table(self, rows):
        return self.call("open_table", rows)

    def by_value(self, rows):
        return obtain(rows)

    def stream(self, items):
        return self.call("count", items)

    def close(self):
        self._connection.close()
        self._connection.proc.terminate()
        self._connection.proc.wait()
        self._connection.proc.stdout.close()
