"""The original's listener: one call as one BSON document on stdin; no pod process to serve.

A ``pod.py`` that was written for it, with its block under ``if __name__ == "__main__":``, can be
run as a script in the pod, and answers on stdout or stderr.
"""

from __future__ import annotations

import sys

from pypods.errors import PodError
from pypods.wire.documents import decode_document, encode_document

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["PodListener"]


class PodListener:
    """Read one call from stdin, and write its answer to stdout or stderr, as BSON documents."""

    def read_stdin(self) -> dict[str, Any] | None:
        """Return the call, a document with ``name``, ``args`` and ``kwargs``.

        Reads stdin to its end. Where that is no such document, writes an error and returns None.
        """
        try:
            call = decode_document(sys.stdin.buffer.read())
        except PodError as exc:
            self.write_stderr(str(exc))
            return None
        if not {"name", "args", "kwargs"} <= call.keys():
            self.write_stderr(f"a call has name, args and kwargs; this document has {list(call)}")
            return None
        return call

    def write_stdout(self, data: Any) -> None:
        """Write the answer ``{"response": data}``, or an error where data cannot cross."""
        try:
            answer = encode_document({"response": data})
        except PodError as exc:
            self.write_stderr(str(exc))
            return
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()

    def write_stderr(self, error: str) -> None:
        """Write the answer ``{"error": error}``. Raises TypeError if error is no text."""
        if not isinstance(error, str):
            raise TypeError("an error message is a str, not " + type(error).__name__)
        sys.stderr.buffer.write(encode_document({"error": error}))
        sys.stderr.buffer.flush()
