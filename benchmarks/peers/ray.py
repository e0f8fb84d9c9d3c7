"""Ray: an actor on a cluster of this one machine; large values are in its object store."""

from contextlib import contextmanager
from time import perf_counter

import ray
from loops import Functions
from peer import NO_ENVIRONMENTS, BasePeer

STORE_BYTES = 2**30


class Peer(BasePeer):
    LACKS = {"environment": NO_ENVIRONMENTS}
    RELAY = {"table": "table", "array": "array"}

    def open(self):
        if not ray.is_initialized():
            start_cluster(self.place.folder)
        self._actor = ray.remote(Functions).remote()

    def call(self, name, *args):
        return ray.get(self._actor.run.remote(name, *args))

    def await_call(self, name, *args):
        return self._await(self._actor.run.remote(name, *args))

    async def _await(self, reference):
        return await reference

    @contextmanager
    def pool(self, workers):
        actors = [ray.remote(Functions).remote() for _ in range(workers)]
        turn = 0

        def submit(name, *args):
            nonlocal turn
            turn += 1
            return actors[turn % workers].run.remote(name, *args).future()

        yield submit
        for actor in actors:
            ray.kill(actor)

    def stream(self, items):
        references = self._actor.count.options(num_returns="streaming").remote(items)
        return (ray.get(reference) for reference in references)

    def relay(self, other, batches, kind, read):
        total = 0.0
        for i in range(batches):
            reference = self._actor.run.remote("batch", i, kind)
            total += ray.get(other._actor.run.remote("look", reference, read))
        return batches, total

    def start_once(self):
        """Start the whole cluster: without one there is no result."""
        ray.shutdown()
        began = perf_counter()
        self.open()
        self.call("nothing")
        return perf_counter() - began

    def close(self):
        ray.kill(self._actor)


def start_cluster(folder):
    ray.init(
        num_cpus=8,  # Of actors that only wait; the machine's cores are what they are.
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
        object_store_memory=STORE_BYTES,
        _temp_dir=folder,
    )
