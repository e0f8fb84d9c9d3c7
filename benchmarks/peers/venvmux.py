"""venvmux: functions of a module in another environment, as lines of JSON."""

import shutil
from importlib.metadata import version
from itertools import count
from pathlib import Path
from time import perf_counter

import work
from peer import BasePeer
from venvmux import EnvSpec, Pool

_numbers = count()
BYTES = "JSON carries no bytes there, and back as base64"


class Peer(BasePeer):
    HAS_DATETIME = False
    LACKS = {
        "echo": BYTES,
        "take": BYTES,
        "array": "arrays arrive as lists",
        "table": BYTES,
        "relay": BYTES,
        "stream": "has no streams",
    }

    def open(self):
        self._pool = self._make(Path(self.place.keep, "environments"), [])
        self._functions = self._pool.venv("bench")

    def _make(self, home, requirements):
        # Its worker runs on what is installed there, so it has to have venvmux too.
        packages = [f"venvmux=={version('venvmux')}", *requirements]
        folder = work.__file__.rpartition("/")[0]
        spec = EnvSpec(packages=packages, mode="inline", workers=1, worker_paths=[folder])
        pool = Pool(home=home)
        pool.resolve_env("bench", spec, "work")
        return pool

    def make_environment(self, requirements):
        home = Path(self.place.folder, f"venvmux_{next(_numbers)}")
        began = perf_counter()
        pool = self._make(home, requirements)
        seconds = perf_counter() - began
        pool.close()
        shutil.rmtree(home)
        return seconds

    def function(self, name):
        return getattr(self._functions, name)

    def call(self, name, *args):
        return getattr(self._functions, name)(*args)

    def close(self):
        self._pool.close()
