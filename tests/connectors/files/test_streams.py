"""Names of streams that are files: what they stand for, and where they never lead."""

from __future__ import annotations

import file_connectors as files
import pytest

from pypods.connectors.errors import ConnectorError, SettingsError
from pypods.connectors.files.streams import parse_stream

SUFFIXES = (".csv", ".csv.gz")


@pytest.mark.parametrize(
    ("stream", "path", "kind", "inner"),
    [
        ("a.csv", "a.csv", "file", None), (["x", "a.CSV"], "x/a.CSV", "file", None),
        ("x/*.csv", "x/*.csv", "pattern", None), ("parts/", "parts", "folder", None),
        ("parts", "parts", "folder", None), ("2026.11/", "2026.11", "folder", None),
        ("a.csv/Sheet 1.5", "a.csv", "file", "Sheet 1.5"),
        ("x/a.csv.gz", "x/a.csv.gz", "file", None),
    ],
)  # fmt: skip
def test_a_stream_s_name_is_a_file_a_pattern_or_a_folder(stream, path, kind, inner):
    found = parse_stream(stream, SUFFIXES, parts=True)
    assert (found.path, found.kind, found.inner) == (path, kind, inner)


@pytest.mark.parametrize(
    "stream",
    ["../a.csv", "a/../../b.csv", "/etc/a.csv", "C:/a.csv", "a\\b.csv", ".hidden/a.csv", "", "/",
     ".", "a//b.csv", "a\0.csv", ".pypods/x.csv", None, 5, ["..", "a.csv"], "people.xml"],
)  # fmt: skip
def test_a_stream_never_leads_out_of_its_folder(stream):
    with pytest.raises(SettingsError):
        parse_stream(stream, SUFFIXES)


def test_a_link_that_leads_out_is_refused(tmp_path):
    (tmp_path / "secret.csv").write_text("a\n1\n")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "link.csv").symlink_to(tmp_path / "secret.csv")
    (tmp_path / "inside" / "good.csv").write_text("a\n2\n")
    connector, connection = files.load("csv"), {"folder": str(tmp_path / "inside")}
    with pytest.raises(SettingsError, match="leads out"):
        list(connector.read(connection, "link.csv"))
    assert files.rows_of(connector, connection, "good.csv") == [{"a": 2}]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.csv", ["a.csv", "b.csv"]), ("?.csv", ["a.csv", "b.csv"]), ("[!a].csv", ["b.csv"]),
        ("**/*.csv", ["a.csv", "b.csv", "x/a.csv", "x/y/c.csv"]), ("x/*.csv", ["x/a.csv"]),
        ("x/**.csv", ["x/a.csv", "x/y/c.csv"]), ("[ab].csv", ["a.csv", "b.csv"]),
    ],
)  # fmt: skip
def test_patterns_find_files(tmp_path, pattern, found):
    for name in ("a.csv", "b.csv", "x/a.csv", "x/y/c.csv", ".hidden/d.csv", "x/.e.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("n\n1\n")
    connection = {"folder": str(tmp_path)}
    assert files.load("csv").count(connection, pattern) == len(found)


def test_folders_that_hold_a_column_are_refused(tmp_path):
    (tmp_path / "d" / "year=2026").mkdir(parents=True)
    (tmp_path / "d" / "year=2026" / "a.csv").write_text("n\n1\n")
    with pytest.raises(ConnectorError, match="column=value"):
        files.load("csv").count({"folder": str(tmp_path)}, "d/")
