"""execnet: a loop is sent to another Python and talks through a channel, one for each thread."""

import threading

import execnet
import work
from peer import NO_ENVIRONMENTS, BasePeer, table_from_ipc

LOOP = """
import sys
sys.path.insert(0, {folder!r})
import work
for name, args in channel:
    if name == "count":
        for item in work.count(*args):
            channel.send(item)
    elif name == "look":
        channel.send(work.look(*args))
    else:
        channel.send(getattr(work, name)(*args))
"""


class Peer(BasePeer):
    HAS_DATETIME = False
    LACKS = {"environment": NO_ENVIRONMENTS}

    def open(self):
        self._group = execnet.Group()
        self._gateway = self._group.makegateway(f"popen//python={self.place.worker_python}")
        self._source = LOOP.format(folder=work.__file__.rpartition("/")[0])
        self._local = threading.local()

    def _channel(self):
        channel = getattr(self._local, "channel", None)
        if channel is None:
            channel = self._local.channel = self._gateway.remote_exec(self._source)
        return channel

    def call(self, name, *args):
        channel = self._channel()
        channel.send((name, args))
        return channel.receive()

    def echo_array(self, array):
        import numpy

        return numpy.frombuffer(self.call("echo", array.tobytes()), dtype=array.dtype)

    def fetch_table(self, rows):
        return table_from_ipc(self.call("table_as_ipc", rows))

    def stream(self, items):
        channel = self._channel()
        channel.send(("count", (items,)))
        for _ in range(items):
            yield channel.receive()

    def close(self):
        self._group.terminate(timeout=1)
