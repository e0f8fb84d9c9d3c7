"""The bytes around a call's arguments and around a result's value; the shortest way there.

Calls and results are what is sent millions of times. Their documents begin with the same bytes
(``docs/protocol.md``), so both sides write and read that part without a codec. Whatever does not
look like this is read as any other document.
"""

from __future__ import annotations

from struct import Struct

from pypods.wire.documents import KIND_SUBTYPE, decode_inner_document, encode_field_in_pieces
from pypods.wire.pieces import whole
from pypods.wire.rebuilding import NO_CLASSES, Classes

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

    from pypods.wire.pieces import BytesOrPieces

__all__ = [
    "BATCH_BACK",
    "BATCH_ITSELF",
    "BATCH_NUMBERED",
    "BATCH_STOP",
    "DEFINE_HEAD",
    "DROP",
    "FAILURE_HEAD",
    "FETCH",
    "FORGET",
    "FORGET_HEAD",
    "NONE_RESULT_TAIL",
    "NO_SCALAR",
    "NO_ARGUMENTS",
    "NO_ARGUMENTS_TAIL",
    "RESULT_HEAD",
    "START",
    "TAIL_START",
    "answered_question",
    "call_frame",
    "call_head",
    "forget_frame",
    "frame_id",
    "has_kind",
    "is_part",
    "is_reply",
    "is_value_of_kind",
    "none_result_frame",
    "numbered_frame",
    "parent_call",
    "part_frame",
    "result_frame",
    "scalars_call_frame",
    "scalars_result_frame",
    "scalar_result",
    "split_call",
    "within_call",
]

#: How a reference that the host holds no more is packed in a ``drop``: number, how often it came.
DROP = Struct("<QQ")
#: How the numbers of a cursor's ``+fetch`` and ``+call`` are packed (``docs/protocol.md``).
FETCH = Struct("<7q")
START = Struct("<4q")
#: How a function of the host's that the pod holds no more is packed in a ``forget``: number, how
#: often it came, how often it was given back.
FORGET = Struct("<QQQ")
#: How a ``define``, which has no id, goes on after its length.
DEFINE_HEAD = b"\x02kind\0\x07\0\0\0define\0"
#: Where a frame goes on after its length and its id.
TAIL_START = 16

#: What a cursor's batch that is an array says first: bits of these.
BATCH_ITSELF, BATCH_BACK, BATCH_STOP, BATCH_NUMBERED = 1, 2, 4, 8

_head = Struct("<i4sq")
_int32 = Struct("<i")
_int64 = Struct("<q")
_pack_head = _head.pack
_pack_int32 = _int32.pack
_read_head = _head.unpack_from
_read_int32 = _int32.unpack_from
_read_double = Struct("<d").unpack_from
_ID_ELEMENT = b"\x12id\0"
_CALL_HEAD = b"\x02kind\0\x05\0\0\0call\0\x02name\0"
_ARGS_ELEMENT = b"\x04args\0"
_KWARGS_ELEMENT = b"\x03kwargs\0"
_EMPTY = b"\x05\0\0\0\0"
_NO_KWARGS = _KWARGS_ELEMENT + _EMPTY + b"\0"
_END_OF_ARGS = b"\0" + _NO_KWARGS
#: What a call without arguments ends with.
NO_ARGUMENTS_TAIL = _ARGS_ELEMENT + _EMPTY + _NO_KWARGS
#: The document of a call's args and kwargs where there are neither.
NO_ARGUMENTS = _int32.pack(len(NO_ARGUMENTS_TAIL) + 4) + NO_ARGUMENTS_TAIL
RESULT_HEAD = b"\x02kind\0\x07\0\0\0result\0"
FAILURE_HEAD = b"\x02kind\0\x08\0\0\0failure\0"
_PART_HEAD = b"\x02kind\0\x05\0\0\0part\0"
#: What a ``forget`` begins with after its length; then its counts' length, subtype and bytes.
FORGET_HEAD = b"\x02kind\0\x07\0\0\0forget\0\x05counts\0"
_ANSWER_HEAD = b"\x02kind\0\x07\0\0\0answer\0"
_WITHIN_ELEMENT = b"\x12within\0"
#: Where that element begins, from the frame's end: its name, 64 bits, the closing zero.
_WITHIN_START = -len(_WITHIN_ELEMENT) - 9
_ARRAY_RESULT = RESULT_HEAD + b"\x04value\0"
_BINARY_RESULT = RESULT_HEAD + b"\x05value\0"
_BINARY_PART = _PART_HEAD + b"\x05value\0"
_BOOL_RESULT = RESULT_HEAD + b"\x08value\0"
_INT32_RESULT = RESULT_HEAD + b"\x10value\0"
_DOUBLE_RESULT = RESULT_HEAD + b"\x01value\0"
#: How long frames with an array of scalars are, besides the head of a call and the elements.
_SCALARS_CALL_BYTES = TAIL_START + len(_ARGS_ELEMENT) + 4 + len(_END_OF_ARGS)
_SCALARS_RESULT_BYTES = TAIL_START + len(_ARRAY_RESULT) + 4 + 2
_SCALAR_START = TAIL_START + len(_BOOL_RESULT)
#: The length of a frame with a float.
_LONGEST_SCALAR = _SCALAR_START + 9
NONE_RESULT_TAIL = RESULT_HEAD + b"\x0avalue\0\0"
_NONE_RESULT_BYTES = TAIL_START + len(NONE_RESULT_TAIL)


def frame_id(frame: bytes) -> int | None:
    """Return the id with which a frame begins, or None where it has none."""
    if len(frame) < TAIL_START:
        return None
    number: int
    _, element, number = _read_head(frame)
    return number if element == _ID_ELEMENT else None


def call_head(name: str) -> bytes:
    """Return the part of a call's frame that is the same for every call of a function."""
    encoded = name.encode()
    return _CALL_HEAD + _int32.pack(len(encoded) + 1) + encoded + b"\0"


def call_frame(number: int, head: bytes, arguments: BytesOrPieces | None = None) -> bytes:
    """Return a call's frame; ``arguments`` is the document of args and kwargs, None for neither."""
    tail = head + (NO_ARGUMENTS_TAIL if arguments is None else arguments[4:])
    frame = _pack_head(TAIL_START + len(tail), _ID_ELEMENT, number) + tail
    return frame if type(frame) is bytes else whole(frame)


def scalars_call_frame(number: int, head: bytes, elements: bytes) -> bytes:
    """Return a call's frame without keywords; ``elements`` are those of the array of arguments."""
    start = _pack_head(_SCALARS_CALL_BYTES + len(head) + len(elements), _ID_ELEMENT, number)
    size = _pack_int32(len(elements) + 5)
    return b"".join([start, head, _ARGS_ELEMENT, size, elements, _END_OF_ARGS])


def numbered_frame(number: int, document: BytesOrPieces) -> bytes:
    """Return the frame of an encoded document with an id put before its first element."""
    frame = _pack_head(len(document) + TAIL_START - 4, _ID_ELEMENT, number) + document[4:]
    return frame if type(frame) is bytes else whole(frame)


def forget_frame(counts: bytes) -> bytes:
    """Return the frame that tells of functions of the host's that the pod holds no more."""
    size = len(FORGET_HEAD) + len(counts) + 10
    return b"".join(
        [_int32.pack(size), FORGET_HEAD, _int32.pack(len(counts)), b"\0", counts, b"\0"]
    )


def within_call(document: BytesOrPieces, parent: int) -> BytesOrPieces:
    """Return an encoded request with the call added in whose answering it is made."""
    return document[:-1] + _WITHIN_ELEMENT + _int64.pack(parent) + b"\0"


def parent_call(frame: bytes) -> int | None:
    """Return the call in whose answering a request is made, or None where there is none."""
    if frame[_WITHIN_START:-9] != _WITHIN_ELEMENT:
        return None
    parent: int = _int64.unpack_from(frame, len(frame) - 9)[0]
    return parent


def answered_question(frame: bytes) -> int:
    """Return the number of the question that an ``answer`` answers; 0 if it says none."""
    position = TAIL_START + len(_ANSWER_HEAD)
    if frame.startswith(_ANSWER_HEAD, TAIL_START):
        if frame.startswith(b"\x10ask\0", position):
            return int(_read_int32(frame, position + 5)[0])
        if frame.startswith(b"\x12ask\0", position):
            return int(_int64.unpack_from(frame, position + 5)[0])
    return 0


def has_kind(frame: bytes, kind: bytes) -> bool:
    """Whether a numbered frame is a message of this kind."""
    head = b"\x02kind\0" + _int32.pack(len(kind) + 1) + kind + b"\0"
    return frame.startswith(head, TAIL_START)


def is_reply(frame: bytes) -> bool:
    """Whether a frame ends a call: it is a result or a failure."""
    return frame.startswith(RESULT_HEAD, TAIL_START) or frame.startswith(FAILURE_HEAD, TAIL_START)


def is_part(frame: bytes) -> bool:
    """Whether a frame is a part of a result that is still to come."""
    return frame.startswith(_PART_HEAD, TAIL_START)


def is_value_of_kind(frame: bytes) -> bool:
    """Whether a frame is a result or a part of one, a binary of the user-defined subtype."""
    for head in (_BINARY_RESULT, _BINARY_PART):
        if frame.startswith(head, TAIL_START):
            return frame[TAIL_START + len(head) + 4] == KIND_SUBTYPE
    return False


#: What ``scalar_result`` returns where the codec is to be asked.
NO_SCALAR: Any = object()


def scalar_result(frame: bytes) -> Any:
    """Return the value of a result that is a bool, an int of 32 bits or a float; else NO_SCALAR."""
    size = len(frame)
    if size > _LONGEST_SCALAR:
        return NO_SCALAR
    if frame.startswith(_BOOL_RESULT, TAIL_START) and size == _SCALAR_START + 2:
        end = frame[_SCALAR_START:]
        return True if end == b"\1\0" else False if end == b"\0\0" else NO_SCALAR
    if frame.startswith(_INT32_RESULT, TAIL_START) and size == _SCALAR_START + 5:
        return NO_SCALAR if frame[-1] else _read_int32(frame, _SCALAR_START)[0]
    if frame.startswith(_DOUBLE_RESULT, TAIL_START) and size == _LONGEST_SCALAR:
        return NO_SCALAR if frame[-1] else _read_double(frame, _SCALAR_START)[0]
    return NO_SCALAR


def result_frame(number: int, value: Any) -> bytes:
    """Return a result's frame. Raises ValueTransferError for a value that cannot cross."""
    if value is None:
        return none_result_frame(number)
    return _value_frame(number, RESULT_HEAD, value)


def part_frame(number: int, rows: Any) -> bytes:
    """Return the frame of some rows of a result. Raises ValueTransferError likewise."""
    return _value_frame(number, _PART_HEAD, rows)


def _value_frame(number: int, head: bytes, value: Any) -> bytes:
    tail = head + encode_field_in_pieces("value", value) + b"\0"
    frame = _pack_head(TAIL_START + len(tail), _ID_ELEMENT, number) + tail
    return frame if type(frame) is bytes else whole(frame)


def scalars_result_frame(number: int, elements: bytes) -> bytes:
    """Return the frame of a result that is an array of these elements."""
    start = _pack_head(_SCALARS_RESULT_BYTES + len(elements), _ID_ELEMENT, number)
    return b"".join([start, _ARRAY_RESULT, _pack_int32(len(elements) + 5), elements, b"\0\0"])


def none_result_frame(number: int) -> bytes:
    """Return the frame of the result None, which is always short."""
    return _pack_head(_NONE_RESULT_BYTES, _ID_ELEMENT, number) + NONE_RESULT_TAIL


def split_call(
    frame: bytes, classes: Classes = NO_CLASSES
) -> tuple[str, list[Any], dict[str, Any]] | None:
    """Return name, args and kwargs of a call's frame, or None if it is not in the usual form."""
    if not frame.startswith(_CALL_HEAD, TAIL_START):
        return None
    position = TAIL_START + len(_CALL_HEAD) + 4
    name_end = position + _read_int32(frame, position - 4)[0]
    name = frame[position : name_end - 1].decode()
    if frame.endswith(NO_ARGUMENTS_TAIL) and name_end == len(frame) - len(NO_ARGUMENTS_TAIL):
        return name, [], {}
    if not frame.startswith(_ARGS_ELEMENT, name_end):
        return None
    args, position = decode_inner_document(
        frame, name_end + len(_ARGS_ELEMENT), classes, as_list=True
    )
    if frame.endswith(_NO_KWARGS) and position == len(frame) - len(_NO_KWARGS):
        return name, args, {}
    if not frame.startswith(_KWARGS_ELEMENT, position):
        return None
    kwargs, position = decode_inner_document(
        frame, position + len(_KWARGS_ELEMENT), classes, as_list=False
    )
    # Nothing is to be decoded twice: blocks and functions of the host are counted.
    if frame.startswith(_WITHIN_ELEMENT, position):
        position += len(_WITHIN_ELEMENT) + _int64.size
    if position != len(frame) - 1:
        return None
    return name, args, kwargs
