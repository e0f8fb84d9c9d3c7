"""Who takes part, and what each needs to be installed; measures nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["FLOOR", "OURS", "PEER", "ROSTER", "Contestant"]

PEERS = Path(__file__).with_name("peers")
#: numpy and pyarrow, which the axes with arrays and tables need on both sides.
DATA = PEERS / "data.txt"
OURS, PEER, FLOOR = "pypods", "peer", "floor"


@dataclass(frozen=True)
class Contestant:
    """One module of ``peers/``, run in an environment of its own."""

    title: str
    module: str
    kind: str = PEER
    #: Its worker's environment: made of "data" alone, of the "same" as its host's, the "host"'s
    #: itself, or "made" by the library.
    worker: str = "data"

    def describe(self) -> dict[str, str]:
        """Return what it is: its kind, version, and what its worker runs in."""
        return {"kind": self.kind, "version": self._find_version(), "worker": _WORKERS[self.worker]}

    def _find_version(self) -> str:
        own = PEERS / f"{self.module}.txt"
        if not own.exists():
            return ""
        wanted = {self.module.replace("_", "-"), "pypods"}
        pins = (line.partition("==") for line in own.read_text("utf-8").splitlines())
        return next((version for name, _, version in pins if name in wanted), "")

    @property
    def path(self) -> Path:
        """The module that runs inside."""
        return PEERS / f"{self.module}.py"

    @property
    def requirements(self) -> Path:
        """What its host's environment is made of."""
        own = PEERS / f"{self.module}.txt"
        return own if own.exists() else DATA

    @property
    def worker_requirements(self) -> Path:
        """What its worker's environment is made of."""
        return self.requirements if self.worker == "same" else DATA


_WORKERS = {
    "data": "its own",
    "same": "its own, with the library in it",
    "host": "its host's",
    "made": "made by the library, with the library in it",
}
_ALL = (
    Contestant("pypods", "ours", OURS),
    Contestant("raw pipe", "raw_pipe", FLOOR),
    Contestant("memcpy", "memcpy", FLOOR),
    Contestant("memcpy, cold", "memcpy_cold", FLOOR),
    Contestant("pickle over a pipe", "pickle_pipe", FLOOR),
    Contestant("bare python", "bare_python", FLOOR),
    Contestant("uv", "uv", FLOOR),
    Contestant("in process", "in_process", FLOOR),
    Contestant("multiprocessing pipe", "multiprocessing_pipe", worker="host"),
    Contestant("multiprocessing pool", "multiprocessing_pool", worker="host"),
    Contestant("loky", "loky", worker="host"),
    Contestant("ray", "ray", worker="host"),
    Contestant("pyzmq", "pyzmq", worker="same"),
    Contestant("rpyc", "rpyc", worker="same"),
    Contestant("execnet", "execnet"),
    Contestant("isolate", "isolate", worker="same"),
    Contestant("appose", "appose", worker="same"),
    Contestant("pyisolate", "pyisolate", worker="made"),
    Contestant("venvmux", "venvmux", worker="made"),
    Contestant("multi-env-employer", "multi_env_employer"),
    Contestant("wetlands", "wetlands", worker="made"),
    Contestant("pypods 0.2.0", "original", worker="same"),
)
ROSTER = {each.module: each for each in _ALL}
