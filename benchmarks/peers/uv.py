"""A floor: `uv venv`, and `uv pip install` into it, as programs."""

import shutil
import subprocess
from itertools import count
from pathlib import Path
from time import perf_counter

from peer import BasePeer

_numbers = count()


class Peer(BasePeer):
    def open(self):
        pass

    def make_environment(self, requirements):
        venv = Path(self.place.folder, f"uv_{next(_numbers)}")
        uv = self.place.uv
        began = perf_counter()
        make = [uv, "venv", "--quiet", "--no-project", "--python", self.place.python, str(venv)]
        subprocess.run(make, check=True)
        if requirements:
            python = str(venv / "bin" / "python")
            install = [uv, "pip", "install", "--quiet", "--python", python, *requirements]
            subprocess.run(install, check=True)
        seconds = perf_counter() - began
        shutil.rmtree(venv)
        return seconds

    def close(self):
        pass
