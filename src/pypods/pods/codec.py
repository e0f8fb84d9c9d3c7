"""Documents to bytes and back with pymongo's C codec; the standard library's where it must be.

pymongo's ``bson`` writes a tuple as a list and cuts a datetime to milliseconds. So a document is
given to it only when every value in it is of a type it keeps (``is_plain``); any other is written
by ``pypods.wire.documents``, whose bytes are the same for what both write.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import bson
from bson.binary import Binary, UuidRepresentation
from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from bson.errors import BSONError
from bson.int64 import Int64

from pypods.errors import ProtocolError, ValueTransferError
from pypods.wire.documents import KIND_SUBTYPE, decode_kind
from pypods.wire.documents import decode_document as decode_in_standard_library
from pypods.wire.documents import encode_document as encode_in_standard_library
from pypods.wire.envelopes import is_value_of_kind
from pypods.wire.pieces import LARGE_BYTES
from pypods.wire.rebuilding import NO_CLASSES, Classes
from pypods.wire.rows import MINIMUM_ROWS
from pypods.wire.undecoded import give_up

__all__ = ["HostClasses", "HostCodec", "encode_document", "encode_plain", "is_plain"]

_TEXT_ALONE = frozenset({str})
_SMALL_SCALARS = frozenset({str, int, float, bool, type(None)})
#: Bytes are looked at one by one: where there is shared memory, large ones leave the frame.
_PLAIN_SCALARS = _SMALL_SCALARS | {bytes}
#: Containers inside containers that the C codec is trusted with.
_MAX_PLAIN_DEPTH = 100


def is_plain(value: Any, depth: int = 0, *, below: int = sys.maxsize) -> bool:
    """Whether the C codec keeps a value as it is, type and all, and no bytes in it are too long.

    ``below`` is how long they would be.
    """
    cls = type(value)
    if cls in _PLAIN_SCALARS:
        return cls is not bytes or len(value) < below
    if depth > _MAX_PLAIN_DEPTH:
        return False
    if cls is list:
        if len(value) >= MINIMUM_ROWS:
            return False  # It may cross as packed columns, which the C codec does not know.
        items = value
    elif cls is dict:
        if not _TEXT_ALONE.issuperset(map(type, value)) or "$ref" in value:
            return False
        items = value.values()
    else:
        return False
    if _SMALL_SCALARS.issuperset(map(type, items)):
        return True
    for item in items:  # noqa: SIM110 - all() and a generator take twice as long.
        if not is_plain(item, depth + 1, below=below):
            return False
    return True


def encode_document(document: dict[str, Any]) -> bytes:
    """Return the bytes of a document; errors as of the standard library's codec."""
    plain = encode_plain(document)
    return encode_in_standard_library(document) if plain is None else plain


def encode_plain(document: dict[str, Any], *, below: int = sys.maxsize) -> bytes | None:
    """Return the bytes of a document that the C codec keeps as it is, else None.

    So is one with binaries of ``below`` bytes or more: they may go into shared memory.
    """
    if not is_plain(document, below=below):
        return None
    try:
        return bson.encode(document)
    except (BSONError, OverflowError, ValueError, RecursionError):
        return None  # A lone surrogate, a NUL in a key, an int beyond 64 bits: each has a kind.


class HostClasses(Classes):
    """The classes that the host's user named: the only ones a pod's values may become."""

    def __init__(self, types: Iterable[type] = ()) -> None:
        self._types = {cls.__qualname__: cls for cls in types}
        #: Makes the iterator over a generator of the pod; set by the session.
        self.open_stream: Callable[[dict[str, Any]], object] | None = None
        #: Makes what stands for an object of the pod; set by the session.
        self.open_reference: Callable[[dict[str, Any]], object] | None = None
        #: Returns the function of the host that the pod gives back; set by the session.
        self.take_function: Callable[[dict[str, Any]], object] | None = None

    def find(self, module: str, qualname: str) -> type | None:  # noqa: ARG002
        """Return the named class of that qualified name, whatever the pod's module is called."""
        return self._types.get(qualname)

    def take_handle(self, kind: int, content: dict[str, Any]) -> object:
        """Return what stands for a generator or an object of the pod, or a function from here."""
        if kind == ord("G") and self.open_stream is not None:
            return self.open_stream(content)
        if kind == ord("O") and self.open_reference is not None:
            return self.open_reference(content)
        if kind == ord("k") and self.take_function is not None:
            return self.take_function(content)
        return super().take_handle(kind, content)


class HostCodec:
    """Decodes what one pod sends, willing to rebuild the classes given."""

    def __init__(self, classes: Classes = NO_CLASSES) -> None:
        self.classes = classes
        registry = TypeRegistry([_KindDecoder(classes), _Int64Decoder()])
        self._options: CodecOptions[dict[str, Any]] = CodecOptions(
            type_registry=registry, uuid_representation=UuidRepresentation.STANDARD
        )

    def decode(self, frame: bytes) -> dict[str, Any]:
        """Return the document of a frame; errors as of the standard library's codec."""
        try:
            if len(frame) >= LARGE_BYTES and is_value_of_kind(frame):
                # pymongo would copy the value three times before it is looked at.
                return decode_in_standard_library(frame, self.classes)
            return bson.decode(frame, self._options)
        except ProtocolError:
            raise
        except Exception as exc:  # The C codec raises what a decoder raised, or its own errors.
            # The other codec says what is wrong, and tells a value from a broken frame.
            found = give_up(frame, self.classes)
            if isinstance(exc, ValueTransferError):
                raise
            raise found or ProtocolError(f"malformed document: {exc}") from exc


class _KindDecoder(TypeDecoder):
    """A binary of the user-defined subtype is a kind and its content."""

    bson_type = Binary

    def __init__(self, classes: Classes) -> None:
        self.classes = classes

    def transform_bson(self, value: Any) -> Any:
        if value.subtype != KIND_SUBTYPE:
            raise ProtocolError(f"there is no use of binary subtype {value.subtype}")
        return decode_kind(value, self.classes)


class _Int64Decoder(TypeDecoder):
    """A 64-bit integer is an int here, not pymongo's subclass of it."""

    bson_type = Int64
    transform_bson = staticmethod(int)  # type: ignore[assignment]  # At C speed.
