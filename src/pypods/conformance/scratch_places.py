"""Scratch places in a connector's own system: found by its settings, made, and removed."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pypods.conformance.scratch import Scratch
from pypods.errors import PodCallError

__all__ = ["ScratchPlace", "find_scratch_place"]

#: Nobody listens there, on any machine that is as it should be.
CLOSED_PORT = 1
NOBODY = "pypods_nobody"
SECRET = "swordfish of the conformance suite"  # Refused everywhere, and so no secret of anybody's.
#: What tables of ours are named with, whatever system keeps the books of runs.
BOOKS = ("_pypods_runs", "_pypods_checkpoints")


class ScratchPlace:
    """A place that is made when it is entered, and removed when it is left.

    ``shown`` says what it is, before it is made; ``left_over`` what could not be removed, after.
    """

    def __init__(
        self,
        shown: str,
        scratch: Scratch,
        *,
        make: Callable[[], None] | None = None,
        remove: Callable[[], str] | None = None,
    ) -> None:
        self.shown = shown
        self.scratch = scratch
        self.left_over = ""
        self._make = make
        self._remove = remove

    def __enter__(self) -> Scratch:
        if self._make is not None:
            self._make()
        return self.scratch

    def __exit__(self, *_: object) -> None:
        if self._remove is not None:
            self.left_over = self._remove()


def find_scratch_place(
    pod: Any, connection: dict[str, Any], *, schema: str | None = None
) -> ScratchPlace:
    """Return where the checks may work: a new folder, file or schema, or names with a new prefix.

    ``schema`` is an empty one to take, where none can be made. Raises what the connector raises.
    """
    described = pod.describe_connector()
    word = os.urandom(4).hex()
    paths = [each["name"] for each in described["settings"] if each["type"] == "path"]
    paths = [name for name in paths if name in connection or required(described, name)]
    if paths:
        return _in_folder(described, connection, paths[0], word)
    refused = refused_connections(described, connection)
    capabilities = described["capabilities"]
    if not capabilities.get("write"):
        return ScratchPlace("nothing: it is only read", Scratch(connection, **refused))
    if schema is not None:
        return _in_given_schema(pod, connection, schema, refused)
    if capabilities.get("execute"):
        return _in_new_schema(pod, connection, f"pypods_conformance_{word}", refused)
    prefix = f"pc_{word}_"
    return ScratchPlace(
        f"streams whose names begin with {prefix}",
        Scratch(connection, stream=lambda name: [prefix + name], **refused),
        remove=lambda: f"streams whose names begin with {prefix} are left",
    )


def required(described: dict[str, Any], name: str) -> bool:
    """Whether a connector cannot do without a setting."""
    return any(each["name"] == name and each["required"] for each in described["settings"])


def refused_connections(described: dict[str, Any], connection: dict[str, Any]) -> dict[str, Any]:
    """Return connections to a server that nobody reaches and that lets nobody in, where known."""
    names = {each["name"] for each in described["settings"]}
    refused: dict[str, Any] = {}
    if "port" in names:
        refused["unreachable"] = {**connection, "port": CLOSED_PORT}
    if {"user", "password"} <= names:
        # The server may trust everybody, but nobody whom it does not know.
        refused["wrong_password"] = {**connection, "user": NOBODY, "password": SECRET}
        refused["secret"] = SECRET
    return refused


# --- folders ------------------------------------------------------------------------------------


def _in_folder(
    described: dict[str, Any], connection: dict[str, Any], setting: str, word: str
) -> ScratchPlace:
    """Return a folder: below the one that is set, else below the system's own for such things."""
    given = str(connection.get(setting) or tempfile.gettempdir())
    name = f"pypods-conformance-{word}"
    if "://" in given:
        folder = f"{given.rstrip('/')}/{name}"
        return ScratchPlace(
            f"the new folder {folder}",
            _files_in(connection, setting, folder),
            remove=lambda: f"what is in {folder} is left",
        )
    holds_files = "folder" in setting or "directory" in setting
    above = Path(given).absolute()
    if setting in connection and not holds_files:
        above = above.parent
    folder = str(above / name)
    scratch = _files_in(connection, setting, folder)
    if not holds_files:
        suffix = Path(given).suffix if setting in connection else f".{described['name']}"
        scratch = Scratch(
            {**connection, setting: str(Path(folder, f"scratch{suffix}"))},
            unreachable={**connection, setting: str(Path(folder, "none", "x"))},
        )

    def remove() -> str:
        shutil.rmtree(folder, ignore_errors=True)
        return f"{folder} could not be removed" if Path(folder).exists() else ""

    return ScratchPlace(
        f"the new folder {folder}", scratch, make=lambda: Path(folder).mkdir(), remove=remove
    )


def _files_in(connection: dict[str, Any], setting: str, folder: str) -> Scratch:
    return Scratch(
        {**connection, setting: folder},
        # Names that files can have; with a dot in it one would be a file of that kind.
        stream=lambda name: [quote(name, safe=" '\"ü漢ï%$;:").replace(".", "%2E")],
        unreachable=None if "://" in folder else {**connection, setting: f"{folder}-none"},
    )


# --- schemas ------------------------------------------------------------------------------------


def _in_new_schema(
    pod: Any, connection: dict[str, Any], schema: str, refused: dict[str, Any]
) -> ScratchPlace:
    def make() -> None:
        pod.execute(connection, f"create schema {schema}")

    def remove() -> str:
        # A schema with its tables in one word, or in another; else the tables first.
        for statement in (f"drop schema {schema} cascade", f"drop schema {schema}"):
            with contextlib.suppress(PodCallError):
                pod.execute(connection, statement)
                return ""
        _drop_tables(pod, connection, schema)
        try:
            pod.execute(connection, f"drop schema {schema}")
        except PodCallError as exc:
            return f"schema {schema} could not be removed: {exc}"
        return ""

    return ScratchPlace(
        f"the new schema {schema}",
        Scratch(connection, stream=lambda name: [schema, name], **refused),
        make=make,
        remove=remove,
    )


def _in_given_schema(
    pod: Any, connection: dict[str, Any], schema: str, refused: dict[str, Any]
) -> ScratchPlace:
    there = list(_tables_of(pod, connection, schema))
    if there:
        raise ValueError(
            f"schema {schema} has streams already ({', '.join(there[:3])}); name an empty one"
        )

    def remove() -> str:
        _drop_tables(pod, connection, schema)
        left = list(_tables_of(pod, connection, schema))
        return f"left in schema {schema}: {', '.join(left)}" if left else ""

    return ScratchPlace(
        f"schema {schema}, which is empty",
        Scratch(connection, stream=lambda name: [schema, name], **refused),
        remove=remove,
    )


def _drop_tables(pod: Any, connection: dict[str, Any], schema: str) -> None:
    if not pod.describe_connector()["capabilities"].get("execute"):
        return
    for name in [*_tables_of(pod, connection, schema), *(f"{schema}.{each}" for each in BOOKS)]:
        # What is not there, or is held by something else, is told by what is left.
        with contextlib.suppress(PodCallError):
            pod.execute(connection, f"drop table {name}")


def _tables_of(pod: Any, connection: dict[str, Any], schema: str) -> Iterator[str]:
    """Yield the names of a schema's streams, as the connector writes them."""
    for each in pod.streams(connection):
        name: str = each["name"]
        if name.partition(".")[0].strip('"').casefold() == schema.casefold():
            yield name
