"""PyPods 0.2.0, which came before this one: a new process for each call."""

import os
import sys
from pathlib import Path
from time import perf_counter

from peer import WORK_FILE, BasePeer

POD = "bench_pod"
#: With these there too, it has nothing to make and nothing to print.
FILES = {".gitignore": "venv", "requirements.txt": ""}


class Peer(BasePeer):
    LACKS = {
        "array": "its bson has no bytes for arrays, and its environment no NumPy",
        "table": "its bson has no tables",
        "relay": "every call would be a start",
        "stream": "has no streams",
        "memory": "has no worker that stays",
        "environment": "makes one with venv and pip when it loads a pod; nothing to call for it",
    }

    def open(self):
        # Its pods are in the current folder, and the host imports them too.
        os.chdir(self.place.keep)
        sys.path.insert(0, "")
        import pypods
        from pypods.pods import PodLoader

        pod = Path("pods", POD)
        pod.mkdir(parents=True, exist_ok=True)
        template = Path(pypods.__file__).parent / "template" / "pod.py"
        code = Path(WORK_FILE).read_text() + "\n\n" + template.read_text()
        for name, text in {**FILES, "pod.py": code}.items():
            (pod / name).write_text(text)
        (pod / "venv").unlink(missing_ok=True)
        (pod / "venv").symlink_to(self.place.worker_environment)
        namespace = {}
        PodLoader(POD, namespace).load_pod()
        self._pod = namespace[POD]

    def function(self, name):
        return getattr(self._pod, name)

    def call(self, name, *args):
        return getattr(self._pod, name)(*args)

    def start_once(self):
        """Return the seconds of a call: each is a start."""
        began = perf_counter()
        self.call("nothing")
        return perf_counter() - began

    def another(self):
        return self

    def close(self):
        pass
