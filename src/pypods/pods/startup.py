"""A pod's start: its process launched, its greeting heard; calls are the session's business."""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping
from copy import copy
from pathlib import Path
from threading import RLock
from time import monotonic
from typing import Any

from pypods.errors import (
    PodCallError,
    PodStartError,
    PodTimeoutError,
    ProtocolError,
    ValueTransferError,
)
from pypods.pods.codec import HostCodec
from pypods.pods.output import PodOutput
from pypods.pods.pipes import DeadlineError, EndOfPipeError
from pypods.pods.process import launch, pod_environment_variables, worker_command
from pypods.pods.session import Session
from pypods.pods.shared_memory import share_memory
from pypods.wire.arena import DEFAULT_MAX_SHARED_BYTES
from pypods.wire.frames import PROTOCOL_VERSION
from pypods.wire.messages import Failure, Hello, Message, Ready
from pypods.wire.rebuilding import Classes

__all__ = ["start_session"]


def start_session(
    pod_name: str,
    folder: str | Path,
    python: Path,
    *,
    timeout: float | None = None,
    max_frame_bytes: int,
    environment_variables: Mapping[str, str] | None = None,
    classes: Classes,
    threads: int = 0,
    max_shared_bytes: int = DEFAULT_MAX_SHARED_BYTES,
    writable_arrays: bool = False,
) -> Session:
    """Launch a pod's interpreter and wait until its ``pod.py`` is imported.

    ``folder`` may be the path of a file in place of ``pod.py``, or "" where there is no code yet.
    ``timeout`` in seconds; ``max_shared_bytes`` is the size of the memory shared in each direction.
    Raises PodStartError (with the pod's own traceback where its code raised), PodTimeoutError or
    ProtocolError; nothing runs then.
    """
    output = PodOutput(pod_name)
    file_name = Path(folder).name if str(folder).endswith(".py") else "pod.py"
    shared = share_memory(
        max_shared_bytes, max_frame_bytes=max_frame_bytes, writable=writable_arrays
    )
    command = worker_command(
        python,
        pod_name,
        os.fspath(folder),
        "{lifeline}",
        str(max_frame_bytes),
        str(output.effective_level()),
        str(threads),
        *((shared.argument,) if shared is not None else ()),
    )
    variables = pod_environment_variables(pod_name, python.parent.parent, environment_variables)
    classes = copy(classes)  # Shared memory is one worker's, whoever else has these classes.
    classes.writable = writable_arrays
    classes.shared = memory = shared.memory if shared is not None else None
    codec = HostCodec(classes)
    try:
        with _launching:
            process = launch(
                command, variables=variables, inherited_fds=shared.fds if shared is not None else ()
            )
            try:
                session = Session(pod_name, process, output, codec, max_frame_bytes, shared=memory)
                _sessions.add(session)
            except BaseException:
                process.reap()
                raise
    except OSError as exc:
        raise PodStartError(
            f'pod "{pod_name}": cannot start {python}: {exc.strerror}; run "pypods sync {pod_name}"'
        ) from exc
    try:
        _hear_greeting(session, None if timeout is None else monotonic() + timeout)
    except EndOfPipeError:
        session.see_to_its_end()
        raise PodStartError(
            f'pod "{pod_name}" ended before it was ready, {session.how_it_ended()}'
        ) from None
    except DeadlineError:
        session.kill()
        raise PodTimeoutError(
            f'pod "{pod_name}" was not ready in time and was stopped; '
            f"give it longer with start_timeout={session.last_words()}"
        ) from None
    except PodCallError as exc:
        session.kill()
        raise PodStartError(
            f'pod "{pod_name}" cannot import its {file_name}: '
            f"{exc.type_name}: {exc.text}\n{exc.remote_traceback.rstrip()}"
        ) from exc
    except (ProtocolError, ValueTransferError) as exc:
        session.kill()
        raise ProtocolError(
            f'pod "{pod_name}" was stopped before it was ready: {exc}{session.last_words()}'
        ) from None
    except BaseException:
        session.kill()
        raise
    return session


def _hear_greeting(session: Session, deadline: float | None) -> None:
    messages: list[Message] = []
    hello = _next_message(session, Hello, messages, deadline)
    if hello.protocol != PROTOCOL_VERSION:
        raise ProtocolError(
            f"it speaks protocol {hello.protocol} and this host speaks {PROTOCOL_VERSION}: "
            "it was started with another pypods"
        )
    session.hello = hello
    if not hello.shared:
        session.share_nothing()
    elif session.shared is not None:
        session.shared.writer.hands_on = hello.foreign
    ready = _next_message(session, Ready, messages, deadline)
    functions = ready.functions
    if messages:
        raise ProtocolError(f"a {messages[0].kind} that nobody asked for")
    for name in functions + ready.names:
        if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
            raise ProtocolError(f"{name!r:.80} is no function's name")
    session.functions = functions
    session.names = ready.names


def _next_message(
    session: Session, wanted: type[Any], messages: list[Message], deadline: float | None
) -> Any:
    while not messages:
        messages += session.receive_messages(deadline)
        if deadline is not None and not messages and monotonic() >= deadline:
            raise DeadlineError
    message = messages.pop(0)
    if isinstance(message, Failure):
        raise session.error_of(message)
    if not isinstance(message, wanted):
        raise ProtocolError(f"a {message.kind} where a {wanted.kind} was due")
    return message


# Sessions and os.fork() ------------------------------------------------------------------------

_sessions: weakref.WeakSet[Session] = weakref.WeakSet()
#: Held while a process is started, so that no fork takes along descriptors nobody knows of yet.
_launching = RLock()


def _forget_all() -> None:
    for session in list(_sessions):
        session.forget()
    _sessions.clear()
    _launching.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_launching.acquire,
        after_in_parent=_launching.release,
        after_in_child=_forget_all,
    )
