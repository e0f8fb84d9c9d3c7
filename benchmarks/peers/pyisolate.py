"""pyisolate: methods of an extension, awaited, in an environment that it makes itself with uv."""

import asyncio
import os
import shutil
from importlib.metadata import version
from itertools import count
from pathlib import Path
from time import perf_counter

import pyisolate
import pyisolate_functions
import work
from peer import BasePeer

BYTES = "its JSON carries no bytes"
_numbers = count()


class Peer(BasePeer):
    HAS_DATETIME = False
    LACKS = {
        "threads": "its calls are awaited, in one event loop",
        "spin": "its calls are awaited, in one event loop",
        "echo": BYTES,
        "take": BYTES,
        "array": "arrays cross only as tensors of torch, which is not here",
        "table": BYTES,
        "relay": BYTES,
        "stream": "has no streams",
    }

    def open(self):
        os.environ["PYISOLATE_UV_CACHE_DIR"] = str(Path(self.place.keep, "uv_cache"))
        self._loop = asyncio.new_event_loop()
        self._extension = self._load(Path(self.place.keep, "extensions"), [])

    def _load(self, venvs, requirements):
        source = Path(self.place.keep, "extension")
        source.mkdir(exist_ok=True)
        (source / "__init__.py").write_text("")
        # Its worker runs in that folder, and imports from there.
        for each in (pyisolate_functions, work):
            shutil.copy(each.__file__, source)
        venvs.mkdir(exist_ok=True)
        manager = pyisolate.ExtensionManager(
            pyisolate_functions.Functions, {"venv_root_path": str(venvs)}
        )
        return manager.load_extension(
            {
                "name": "functions",
                "module_path": str(source),
                "isolated": True,
                # Its worker runs on what is installed there, so it has to have pyisolate too.
                "dependencies": [f"pyisolate=={version('pyisolate')}", *requirements],
                "execution_model": "sealed_worker",
                "apis": [],
                "share_torch": False,
                "share_cuda_ipc": False,
                "sandbox_mode": "disabled",
            }
        )

    def call(self, name, *args):
        return self._loop.run_until_complete(self._extension.run(name, list(args)))

    def await_call(self, name, *args):
        return self._extension.run(name, list(args))

    def run_async(self, main):
        return self._loop.run_until_complete(main)

    def make_environment(self, requirements):
        folder = Path(self.place.folder, f"pyisolate_{next(_numbers)}")
        began = perf_counter()
        extension = self._load(folder, requirements)
        self._loop.run_until_complete(extension.run("nothing", []))
        seconds = perf_counter() - began
        extension.stop()
        shutil.rmtree(folder)
        return seconds

    def close(self):
        self._extension.stop()
        self._loop.close()
