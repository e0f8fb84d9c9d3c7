"""docs/protocol.md shows every message with the bytes that it has, and a worker that works."""

from __future__ import annotations

import datetime as dt
import re
import stat
import sys
from array import array
from collections import OrderedDict, namedtuple
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath

import bson
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pypods.pods.codec import HostCodec
from pypods.pods.codec import encode_document as encode_on_the_host
from pypods.pods.startup import start_session
from pypods.wire import messages
from pypods.wire.context import SHARED_MINIMUM_BYTES
from pypods.wire.documents import decode_document, encode_document
from pypods.wire.envelopes import call_head, numbered_frame
from pypods.wire.messages import Message, message_from_document, message_to_document
from pypods.wire.rebuilding import NO_CLASSES
from pypods.wire.stand_ins import EnumMember, Record
from pypods.wire.values import ARRAY_KINDS, BYTES_KINDS, DOCUMENT_KINDS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "protocol.md"
TEXT = PAGE.read_text(encoding="utf-8")
Pair = namedtuple("Pair", ["x", "y"])
NAMES = {
    **{name: getattr(messages, name) for name in messages.__all__},
    "dt": dt,
    "bson": bson,
    "numpy": np,
    "pyarrow": pa,
    "pandas": pd,
    "array": array,
    "Decimal": Decimal,
    "Fraction": Fraction,
    "Pair": Pair,
    "OrderedDict": OrderedDict,
    "PurePosixPath": PurePosixPath,
    "EnumMember": EnumMember,
    "Record": Record,
}

SHOWN = re.findall(r"```python\n(\w+\([^\n]*\))\n```\n```bytes\n(.*?)```", TEXT, re.DOTALL)
KIND_ROWS = re.findall(r"^\| `(.)` \| .* \| `(.+)` \| `([0-9a-f ]+?)( …)?` \|$", TEXT, re.MULTILINE)


def bytes_of(block: str) -> bytes:
    """Return the bytes of a block: those of each line before two spaces."""
    return bytes.fromhex(" ".join(line.partition("  ")[0] for line in block.splitlines()))


def frame_of(message: Message, encode: object) -> bytes:
    document = message_to_document(message)
    number = document.pop("id", None)
    data = encode(document)
    return data if number is None else numbered_frame(number, data)


@pytest.mark.parametrize(("code", "block"), SHOWN, ids=[code[:50] for code, _ in SHOWN])
def test_a_message_has_the_bytes_that_the_page_shows(code, block):
    message = eval(code, NAMES)
    shown = bytes_of(block)
    assert frame_of(message, encode_document).hex(" ") == shown.hex(" ")
    assert frame_of(message, encode_on_the_host) == shown
    for decode in (decode_document, HostCodec().decode):
        assert message_from_document(decode(shown)) == message


def test_every_message_is_shown():
    shown = {code.partition("(")[0] for code, _ in SHOWN}
    assert shown == {cls.__name__ for cls in Message.__args__}
    assert len(SHOWN) == TEXT.count("```bytes")


@pytest.mark.parametrize(("kind", "code", "shown", "cut"), KIND_ROWS, ids=lambda each: each[:20])
def test_a_kind_has_the_bytes_that_the_page_shows(kind, code, shown, cut):
    data = encode_document({"v": eval(code, NAMES)})
    # Around it: the document's length, the element's head, the binary's length and subtype.
    assert data[4:7] == b"\x05v\0"
    assert data[11] == 0x80
    assert chr(data[12]) == kind
    if cut:
        assert data[12:-1].hex(" ").startswith(shown)
    else:
        assert data[12:-1].hex(" ") == shown


def test_every_kind_is_shown():
    kinds = BYTES_KINDS | ARRAY_KINDS | DOCUMENT_KINDS
    with_bytes = [row[0] for row in KIND_ROWS]
    # A block of shared memory has no bytes of its own to show.
    # And handles are made during a call only.
    assert sorted([*with_bytes, *"BkhGO"]) == sorted(map(chr, kinds))
    for kind in "BkhGO":
        assert f"\n| `{kind}` | " in TEXT
    assert f"of {SHARED_MINIMUM_BYTES // 1024} KiB or more" in TEXT


def test_every_layout_of_a_column_is_shown():
    from pypods.wire.rows import _UNPACKERS

    section = TEXT.partition("A **column**")[2].partition("A writer may")[0]
    cells = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    letters = {letter for cell in cells for letter in re.findall(r"`(.)`", cell)}
    assert letters == set(_UNPACKERS)


def test_the_numbers_of_an_arrow_array_are_those_that_the_page_shows():
    section = TEXT.partition("### Arrow data")[2].partition("\n## ")[0]
    code = re.findall(r"This is `(.+)`:", section)[0]
    shown = " ".join(re.findall(r"^\| `([-0-9 ]+)` \|", section, re.MULTILINE))
    content = bson.decode(encode_document({"v": eval(code, NAMES)})[13:-1])
    (((packed,), data),) = content["groups"]
    assert list(array("q", packed)) == list(map(int, shown.split()))
    assert (data[0], data[64]) == (0b01, 1)


def test_every_type_of_pandas_is_shown():
    from pypods.wire.pandas_contents import _FIELDS, OFFSETS

    section = TEXT.partition("An **object of pandas**")[2].partition("**Enum members")[0]
    rows = re.findall(r"^\| (`.*?`) \| (.*?) \|$", section, re.MULTILINE)
    shown = {
        name: re.findall(r"`(\w+)`", fields)
        for names, fields in rows
        for name in re.findall(r"`(\w+)`", names)
    }
    assert shown == {name: list(fields) for name, fields in _FIELDS.items()}
    assert {name for name in OFFSETS if f"`{name}`" in section} == set(OFFSETS)


def test_the_limits_are_those_of_the_code():
    from pypods.wire import documents, failures, frames, rebuilding, rows
    from pypods.wire.arrow import schemas

    assert f"{documents.MAX_DEPTH} levels of containers" in TEXT
    assert f"{frames.DEFAULT_MAX_FRAME_BYTES // 2**20} MiB unless" in TEXT
    assert f"namedtuple | {rebuilding.MAX_NAMEDTUPLE_FIELDS} |" in TEXT
    assert f"{schemas.MAX_FIELDS:,}, nested {schemas.MAX_DEPTH} deep" in TEXT
    assert f"{rows.MAX_EXPANSION} times the bytes" in TEXT
    assert f"list of {rows.MINIMUM_ROWS} items or more" in TEXT
    assert f"At most {failures.MAX_EXCEPTIONS} exceptions" in TEXT
    assert f"at most {failures.MAX_CHAIN} in one chain" in TEXT
    assert f"Version {frames.PROTOCOL_VERSION}." in TEXT


def test_links_within_the_page_lead_somewhere():
    anchors = {
        heading.lower().replace(" ", "-").replace(",", "")
        for heading in re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    }
    links = re.findall(r"\]\(#([^)]+)\)", TEXT)
    assert links
    assert set(links) <= anchors


def test_the_worker_on_the_page_is_a_worker(tmp_path):
    (code,) = re.findall(r"```python\n(import os\n.*?)```", TEXT, re.DOTALL)
    folder = tmp_path / "tiny"
    folder.mkdir()
    program = tmp_path / "bin" / "worker"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable} -I\n{code}", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    session = start_session(
        "tiny", folder, program, timeout=60, max_frame_bytes=10_000, classes=NO_CLASSES
    )
    try:
        assert session.functions == ["hello"]
        assert session.hello.implementation == "tiny"
        assert session.call(call_head("hello"), (), {}) == "hi"
        assert session.call(call_head("hello"), (1, [2]), {"a": 3}) == "hi"
        assert session.call(call_head("other"), (), {}) is None
    finally:
        session.stop()
