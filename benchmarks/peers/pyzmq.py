"""ZeroMQ: requests and replies over a Unix socket, pickled; each thread has a socket of its own."""

import pickle
import subprocess
import threading
from itertools import count
from pathlib import Path

import loops
import zmq
from peer import NO_ENVIRONMENTS, BasePeer

_numbers = count()


class Peer(BasePeer):
    LACKS = {"environment": NO_ENVIRONMENTS}
    RELAY = {"table": "table", "array": "array"}

    def open(self):
        self._folder = Path(self.place.folder)
        self._address = f"ipc://{self._folder}/{next(_numbers)}"
        self._process = subprocess.Popen(
            [self.place.worker_python, loops.__file__, "over_zmq", self._address],
            stdout=subprocess.PIPE,
        )
        self._process.stdout.readline()
        self._context = zmq.Context()
        self._local = threading.local()

    def _socket(self):
        socket = getattr(self._local, "socket", None)
        if socket is None:
            socket = self._local.socket = self._context.socket(zmq.REQ)
            socket.linger = 0
            socket.connect(self._address)
        return socket

    def call(self, name, *args):
        socket = self._socket()
        socket.send(pickle.dumps((name, args), 5), copy=False)
        return pickle.loads(socket.recv(copy=False).buffer)

    def stream(self, items):
        pull = self._context.socket(zmq.PULL)
        address = f"ipc://{self._folder}/{next(_numbers)}"
        pull.bind(address)
        socket = self._socket()
        socket.send(pickle.dumps(("count", (items, address)), 5))
        for _ in range(items):
            yield pickle.loads(pull.recv())
        socket.recv()
        pull.close()

    def close(self):
        self._process.terminate()
        self._process.wait()
        self._process.stdout.close()
        self._context.destroy(linger=0)
