"""A floor: the worker's interpreter with nothing in it."""

import subprocess
from time import perf_counter

from peer import BasePeer, read_memory


class Peer(BasePeer):
    def open(self):
        pass

    def start_once(self):
        began = perf_counter()
        subprocess.run([self.place.worker_python, "-c", "pass"], check=True)
        return perf_counter() - began

    def idle_memory(self):
        words = [self.place.worker_python, "-I", "-c", "print(flush=True); input()"]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            found = read_memory(process.pid)
            process.communicate(b"\n")
        return found

    def close(self):
        pass
