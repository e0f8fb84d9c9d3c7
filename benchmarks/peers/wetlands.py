"""Wetlands: functions of a file in an environment that Pixi makes."""

from itertools import count
from pathlib import Path

import work
from peer import BasePeer
from wetlands import EnvironmentManager, EnvironmentSpec

_numbers = count()
PIXI_SECONDS = 60


class Peer(BasePeer):
    LACKS = {"stream": "has no streams"}
    RELAY = {"array": "array"}

    def open(self):
        self._manager = EnvironmentManager(root=Path(self.place.keep, "wetlands"))
        spec = EnvironmentSpec(python=f"{self.place.version}.*", pypi=("numpy", "pyarrow"))
        self._environment = self._manager.provision("bench", spec).wait_for(PIXI_SECONDS)
        self._workers = self._environment.start()

    def call(self, name, *args):
        return self._workers.execute_path(work.__file__, name, args=args)

    def close(self):
        self._workers.close()
        self._manager.close()
