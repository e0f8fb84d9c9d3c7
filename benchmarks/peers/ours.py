"""pypods, this one: a pod whose functions are those of `work`."""

from contextlib import contextmanager
from itertools import count
from pathlib import Path
from time import perf_counter

from peer import WORK_FILE, BasePeer

from pypods.pods import PodLoader, create_pod_folder, ensure_environment
from pypods.pods.progress import SilentProgress

POD = "bench_pod"
_numbers = count()


class Peer(BasePeer):
    RELAY = {"table": "table", "array": "array"}

    def open(self):
        self._loader = self._load()
        self._pod = self._loader.load_pod()

    def _load(self, **options):
        pods = Path(self.place.keep, "pods")
        if not (pods / POD).is_dir():
            create_pod_folder(POD, pods_directory=pods, python=self.place.python)
        for name, text in (
            ("pod.py", Path(WORK_FILE).read_text()),
            ("requirements.txt", Path(self.place.worker_requirements).read_text()),
        ):
            file = pods / POD / name
            if file.read_text() != text:
                file.write_text(text)
        return PodLoader(POD, pods_directory=pods, **options)

    def function(self, name):
        return getattr(self._pod, name)

    def call(self, name, *args):
        return getattr(self._pod, name)(*args)

    def await_call(self, name, *args):
        return getattr(self._pod, name).aio(*args)

    @contextmanager
    def pool(self, workers):
        with self._load(workers=workers) as pod:
            yield lambda name, *args: getattr(pod, name).submit(*args)

    def fetch_table(self, rows):
        import pyarrow

        return pyarrow.table(self._pod.table(rows))

    def open_table(self, rows):
        return self._pod.open_table(rows)

    def stream(self, items):
        return self._pod.count(items)

    def relay(self, other, batches, kind, read):
        return other._pod.consume(self._pod.produce(batches, kind), read)

    def make_environment(self, requirements):
        pods = Path(self.place.folder, "pods")
        folder = create_pod_folder(
            f"made_{next(_numbers)}", pods_directory=pods, python=self.place.python
        )
        folder.requirements_file.write_text("\n".join(requirements))
        began = perf_counter()
        ensure_environment(folder, progress=SilentProgress())
        return perf_counter() - began

    def close(self):
        self._loader.unload_pod()
