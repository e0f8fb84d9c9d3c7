"""isolate: functions sent to an agent over gRPC.

`run()` of a connection starts an agent for every call; here one agent is kept, with the
connection's own bridge, as isolate's server keeps it.
"""

import os
import shutil
from functools import partial
from itertools import count
from pathlib import Path
from time import perf_counter

import work
from isolate.backends.settings import IsolateSettings
from isolate.backends.virtualenv import VirtualPythonEnvironment
from isolate.connections.common import serialize_object
from isolate.connections.grpc import LocalPythonGRPC, definitions
from isolate.connections.grpc.interface import from_grpc
from peer import BasePeer

_numbers = count()


class Peer(BasePeer):
    LACKS = {"stream": "has no streams"}
    RELAY = {"table": "table", "array": "array"}

    def open(self):
        # Without a bound, on both sides: gRPC's own is 4 MiB.
        for name in ("RECEIVE", "SEND"):
            os.environ[f"ISOLATE_GRPC_CALL_MAX_{name}_MESSAGE_LENGTH"] = "-1"
        self._environment = self._describe(self.place.folder, [])
        self._connection = LocalPythonGRPC(self._environment, Path(self.place.worker_environment))
        self._bridge_context = self._connection._establish_bridge()
        self._bridge = self._bridge_context.__enter__()

    def _describe(self, cache, requirements):
        settings = IsolateSettings(cache_dir=Path(cache), log_hook=lambda log: None)
        return VirtualPythonEnvironment.from_config(
            {"requirements": requirements, "resolver": "uv"}, settings=settings
        )

    def call(self, name, *args):
        function = partial(getattr(work, name), *args)
        call = definitions.FunctionCall(
            function=definitions.SerializedObject(
                method="pickle", definition=serialize_object("pickle", function)
            )
        )
        for part in self._bridge.Run(call):
            if part.is_complete:
                return from_grpc(part.result)
        raise RuntimeError("the agent gave no result")

    def make_environment(self, requirements):
        cache = Path(self.place.folder, f"isolate_{next(_numbers)}")
        cache.mkdir()
        began = perf_counter()
        self._describe(cache, requirements).create()
        seconds = perf_counter() - began
        shutil.rmtree(cache)
        return seconds

    def close(self):
        self._bridge_context.__exit__(None, None, None)
