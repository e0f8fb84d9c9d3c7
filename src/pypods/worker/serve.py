"""A worker from its start to its end: its hello, the pod's code, its frames."""

from __future__ import annotations

# Not the signal module: that takes enum and more with it, a fifth of a worker's start.
import _signal as signal  # type: ignore[import-not-found]
import os
import sys

from pypods.errors import ProtocolError
from pypods.wire.channel import Channel
from pypods.wire.documents import encode_document
from pypods.wire.frames import PROTOCOL_VERSION
from pypods.worker.descriptors import take_over_standard_streams
from pypods.worker.lifetime import die_with_host
from pypods.worker.logs import forward_logging
from pypods.worker.pod_module import PodClasses, import_pod, offered_functions, other_names
from pypods.worker.server import Server

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = ["serve_pod"]


def serve_pod(
    name: str,
    folder: str,
    *,
    lifeline_fd: int,
    max_frame_bytes: int,
    log_level: int,
    threads: int = 0,
    shared: str = "",
) -> None:
    """Be the worker of a pod: say hello, import ``pod.py``, answer calls until the host ends."""
    read_fd, write_fd = take_over_standard_streams()
    die_with_host(lifeline_fd)
    channel = Channel(read_fd, write_fd, max_frame_bytes=max_frame_bytes)
    os.register_at_fork(after_in_child=channel.close)
    classes = PodClasses()
    if shared:
        join_shared_memory(classes, shared, max_frame_bytes)
    foreign = bool(shared) and os.access(f"/proc/{os.getppid()}/fd", os.R_OK | os.X_OK)
    channel.send(encode_document(hello_document(shared=bool(shared), foreign=foreign)))
    functions: dict[str, Callable[..., Any]] = {}
    server = Server(channel, functions, classes)
    signal.signal(signal.SIGINT, server.handle_interrupt)
    forward_logging(server.send, level=log_level, max_frame_bytes=max_frame_bytes)
    try:
        classes.pod_module = import_pod(name, folder)
        functions.update(offered_functions(classes.pod_module))
        names = other_names(classes.pod_module, functions)
        server.offer(classes.pod_module)
    except BaseException as exc:  # noqa: BLE001 - an import may raise anything, SystemExit too
        server.fail(0, exc)
        return
    channel.send(encode_document({"kind": "ready", "functions": list(functions), "names": names}))
    try:
        if threads:
            server.serve_with_threads(threads)
        else:
            server.serve()
    except (OSError, ProtocolError) as exc:
        if channel.is_closed:
            os._exit(1)  # A child that the pod forked came back here instead of ending.
        # The host is gone, or talks nonsense: neither leaves anybody to answer to.
        raise SystemExit(f"pod {name}: {exc}") from None


def join_shared_memory(classes: PodClasses, shared: str, max_frame_bytes: int) -> None:
    """Take over what the host shares: its arena, the worker's arena, their size, a flag.

    The text is ``FD,FD,BYTES,WRITABLE``, all numbers; nothing is mapped before it is needed.
    """
    from pypods.wire.arena import Arena
    from pypods.wire.shared import SharedMemory

    incoming, outgoing, size, writable = map(int, shared.split(","))
    os.set_inheritable(incoming, False)
    os.set_inheritable(outgoing, False)
    classes.writable = bool(writable)
    classes.shared = SharedMemory(
        Arena(outgoing, size),
        Arena(incoming, size),
        max_frame_bytes=max_frame_bytes,
        writable=classes.writable,
    )


def hello_document(*, shared: bool = False, foreign: bool = False) -> dict[str, Any]:
    """Return the worker's first message.

    ``shared``: whether it has shared memory; ``foreign``: whether it can look into other pods'.
    """
    return {
        "kind": "hello",
        "protocol": PROTOCOL_VERSION,
        "python": ".".join(map(str, sys.version_info[:3])),
        "implementation": sys.implementation.name,
        "pid": os.getpid(),
        "platform": sys.platform,
        "shared": shared,
        "foreign": foreign,
    }
