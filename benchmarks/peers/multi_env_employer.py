"""MultiEnvEmployer: functions of a module in another environment, pickled over pipes."""

import work
from MultiEnvEmployer import Employer, RemoteModule
from peer import NO_ENVIRONMENTS, BasePeer


class Peer(BasePeer):
    LACKS = {"environment": NO_ENVIRONMENTS}
    RELAY = {"table": "table", "array": "array"}

    def open(self):
        self._employer = Employer(
            project_dir=work.__file__.rpartition("/")[0], venv_path=self.place.worker_environment
        )
        self._module = RemoteModule(self._employer, "work", stateful=True)

    def function(self, name):
        return getattr(self._module, name)

    def call(self, name, *args):
        return getattr(self._module, name)(*args)

    def stream(self, items):
        return self._module.count(items)

    def close(self):
        self._employer.close()
