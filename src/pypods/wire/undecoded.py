"""Frames that nobody decodes, or that cannot be: what they hold is found by its place, and let go.

A frame lends more than values: blocks of memory, and handles that the other side counts. Whoever
does not decode a frame to its end owes these back.
"""

from __future__ import annotations

from struct import Struct
from struct import error as struct_error

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire.documents import KIND_SUBTYPE, decode_document
from pypods.wire.values import ARRAY_KINDS, DOCUMENT_KINDS

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterable

    from pypods.wire.rebuilding import Classes

__all__ = ["FUNCTION_MARK", "find_kinds", "give_up", "handles_in"]

FUNCTION_KIND = ord("k")
HANDLE_KINDS = frozenset(b"khGO")
#: In every frame with a function of the host: the binary's subtype and the kind.
FUNCTION_MARK = bytes([KIND_SUBTYPE, FUNCTION_KIND])

_read_int32 = Struct("<i").unpack_from
#: Bytes of the BSON types of a fixed size.
_FIXED_SIZES = {
    0x01: 8,
    0x07: 12,
    0x08: 1,
    0x09: 8,
    0x0A: 0,
    0x10: 4,
    0x11: 8,
    0x12: 8,
    0x13: 16,
}


def find_kinds(document: bytes, kinds: Iterable[int]) -> list[tuple[int, int, int]]:
    """Return where values of some kinds are, in order: kind, its content's start and end.

    In a malformed document, it is those that are found before what is wrong.
    """
    found: list[tuple[int, int, int]] = []
    wanted = frozenset(kind for kind in kinds if bytes([KIND_SUBTYPE, kind]) in document)
    if not wanted:
        return found
    pending = [0]
    try:
        while pending:
            _walk(document, pending.pop(), pending, wanted, found)
    except (struct_error, IndexError, ValueError):
        pass
    found.sort(key=lambda each: each[1])
    return found


def handles_in(
    document: bytes, kinds: Iterable[int] = HANDLE_KINDS
) -> list[tuple[int, dict[str, Any]]]:
    """Return kind and content of what stands for things in a document, in order."""
    return [
        (kind, decode_document(document[start:end]))
        for kind, start, end in find_kinds(document, kinds)
    ]


def give_up(frame: bytes, classes: Classes) -> Exception | None:
    """Let go of all that a frame holds that could not be decoded; return why it could not.

    None if it can be decoded by whoever takes no handles.
    """
    from copy import copy

    taken: list[int] = []

    def pass_over(kind: int, _: Any) -> object:
        taken.append(kind)
        return object()

    again: Any = copy(classes)
    again.take_handle = pass_over
    shared = classes.shared
    if shared is not None:
        again.shared = shared.look_again()
    error: Exception | None = None
    try:
        decode_document(frame, again)
    except (ProtocolError, ValueTransferError) as exc:
        error = exc.with_traceback(None)  # It would hold this frame, which holds it.
    finally:
        if shared is not None:
            shared.discard(frame)
    if isinstance(error, ValueTransferError):
        # A document is read from its front to its end, so what is missing are the last ones.
        for kind, content in handles_in(frame)[len(taken) :]:
            classes.take_handle(kind, content)  # Collected at once, which is what gives it back.
    return error


def _walk(
    data: bytes,
    start: int,
    pending: list[int],
    wanted: frozenset[int],
    found: list[tuple[int, int, int]],
) -> None:
    """Look through the elements of one document or array; put those inside it into pending."""
    last = start + _read_int32(data, start)[0] - 1
    position = start + 4
    while position < last:
        kind = data[position]
        position = data.index(0, position + 1, last) + 1
        if kind in _FIXED_SIZES:
            position += _FIXED_SIZES[kind]
            continue
        if kind == 0x0B:
            position = data.index(0, data.index(0, position, last) + 1, last) + 1
            continue
        size = _read_int32(data, position)[0]
        if not 0 <= size <= len(data) - position:
            raise ValueError("a length does not fit")
        if kind in (0x03, 0x04):
            pending.append(position)
            position += size
        elif kind == 0x02:
            position += 4 + size
        elif kind == 0x05:
            content = position + 5
            if data[position + 4] == KIND_SUBTYPE and size:
                inner = data[content]
                if inner in wanted:
                    found.append((inner, content + 1, content + size))
                elif inner in ARRAY_KINDS or inner in DOCUMENT_KINDS:
                    pending.append(content + 1)
            position = content + size
        else:
            raise ValueError("there is no such type")
