"""Batches from one worker to another by way of their host, and what that costs the host."""

import threading
from pathlib import Path
from time import perf_counter

import work
from errors import CannotError

STATUS = Path("/proc/self/status")
SAMPLE_SECONDS = 0.002
WATCH_SECONDS = 2.5


def measure_relay(peer, kind, read, batches, most=0):
    """Move batches from one worker to another; count the seconds that each of them took.

    With `most`, the host is watched meanwhile, in a second go of up to so many batches which is not
    timed: by the kernel's own high-water mark of what is resident, which counts memory that is
    shared with the workers too, and by a thread that looks at what the host alone holds.
    """
    if kind not in peer.RELAY:
        raise CannotError(f"has no way for batches as {kind}s")
    crossing = peer.RELAY[kind]
    right = sum(work.look(work.batch(i, "array"), read) for i in range(4)) / 4
    before = read_status("VmRSS"), read_status("RssAnon")
    reset_high_water()
    other = _find_other(peer)
    batches = max(4, batches // 4 * 4)
    if most:  # What is imported or mapped once is not the time of a batch.
        peer.relay(other, 4, crossing, read)
    began = perf_counter()
    seen, checked = peer.relay(other, batches, crossing, read)
    each = (perf_counter() - began) / batches
    if seen != batches or abs(checked / batches - right) > 1e-6 * right:
        raise AssertionError("what arrived is not what was sent")
    if not most:
        return {"seconds": [each]}
    watched = max(4, min(most, int(WATCH_SECONDS / each)) // 4 * 4)
    with Watch() as watch:
        peer.relay(other, watched, crossing, read)
    facts = {
        "batch, bytes": work.BATCH_BYTES,
        "batches watched": watched,
        "host grew, bytes": watch.most - before[1],
        "host grew with what it shares, bytes": read_status("VmHWM") - before[0],
        "as": crossing,
    }
    return {"seconds": [each], "facts": facts}


def _find_other(peer):
    """Return the second instance, which is kept for the turns to come."""
    if not hasattr(peer, "relay_other"):
        peer.relay_other = peer.another()
    return peer.relay_other


class Watch:
    """The most private memory that this process had meanwhile."""

    def __enter__(self):
        self.most = read_status("RssAnon")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *exc_info):
        self._ended.set()
        self._thread.join()

    def _look(self):
        while not self._ended.wait(SAMPLE_SECONDS):
            self.most = max(self.most, read_status("RssAnon"))


def read_status(name):
    """Return one line of this process's memory, in bytes."""
    for line in STATUS.read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    return 0


def reset_high_water():
    Path("/proc/self/clear_refs").write_text("5")
