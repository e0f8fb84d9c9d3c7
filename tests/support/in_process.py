"""A connector in this process, behind the face of a loader; no pod, and so nothing to kill."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pypods.errors import PodCallError


def as_call_error(error: Exception) -> PodCallError:
    """Return what arrives of an exception that a pod raised."""
    made = PodCallError(*error.args)
    made.text = str(error)
    made.type_name = f"{type(error).__module__}.{type(error).__qualname__}"
    for name, value in vars(error).items():
        setattr(made, name, value)
    return made


class InProcess:
    """The loader of a connector in this process."""

    state = "RUNNING"

    def __init__(self, connector: Any, **others: Any) -> None:
        self._pod = InProcessPod(connector, others)

    def load_pod(self) -> InProcessPod:
        return self._pod


class InProcessPod:
    """A connector's functions, some of them replaced by others."""

    def __init__(self, connector: Any, others: dict[str, Any]) -> None:
        self._connector = connector
        self._others = others

    def __getattr__(self, name: str) -> Any:
        function = self._others.get(name) or getattr(self._connector, name)

        def call(*args: Any, **options: Any) -> Any:
            try:
                value = function(*args, **options)
            except Exception as exc:
                raise as_call_error(exc) from exc
            return self._stream(value) if name == "read" else value

        return call

    def _stream(self, batches: Any) -> Iterator[Any]:
        try:
            yield from batches
        except Exception as exc:
            raise as_call_error(exc) from exc
