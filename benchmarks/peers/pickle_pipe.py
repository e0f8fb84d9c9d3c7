"""A floor: pickles through bare pipes to a Python that calls what they name."""

import pickle
import subprocess

import loops
from peer import BasePeer


class Peer(BasePeer):
    def open(self):
        self._process = subprocess.Popen(
            [self.place.worker_python, loops.__file__, "over_pipes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def _send(self, name, *args):
        self._process.stdin.write(pickle.dumps((name, args), 5))
        self._process.stdin.flush()

    def call(self, name, *args):
        self._send(name, *args)
        return pickle.load(self._process.stdout)

    def stream(self, items):
        self._send("count", items)
        for _ in range(items):
            yield pickle.load(self._process.stdout)

    def close(self):
        with self._process:
            self._process.stdin.close()
