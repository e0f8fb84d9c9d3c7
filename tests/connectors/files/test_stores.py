"""Folders here and in S3, without a server: what they offer alike, and what their errors mean."""

from __future__ import annotations

import os

import pytest
from pyarrow import fs

from pypods.connectors.errors import (
    AuthenticationError,
    SettingsError,
    StreamNotFoundError,
    UnreachableError,
)
from pypods.connectors.files.s3_store import S3Store
from pypods.connectors.files.store import LocalStore

SETTINGS = {
    "folder": "s3://bucket/some/folder", "access_key": "a", "secret_key": "s",
    "session_token": None, "region": None, "anonymous": False, "endpoint": None, "timeout": 10,
}  # fmt: skip


@pytest.fixture(autouse=True)
def temporary_files(tmp_path, monkeypatch):
    """The folder for what is staged for S3; empty when a test has ended."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture
def s3_store(tmp_path):
    """A store of S3 whose buckets are folders here."""
    store = S3Store(SETTINGS)
    (tmp_path / "buckets/bucket/some/folder").mkdir(parents=True)
    store._system = fs.SubTreeFileSystem(str(tmp_path / "buckets"), fs.LocalFileSystem())
    return store


@pytest.fixture(params=["local", "s3"])
def store(request, tmp_path, s3_store):
    if request.param == "s3":
        return s3_store
    (tmp_path / "local").mkdir()
    return LocalStore(str(tmp_path / "local"))


def write(store, path, content=b"content"):
    folder = path.rpartition("/")[0]
    store.make_folder(folder)
    if isinstance(store, S3Store):  # What stands in for S3 needs folders.
        store.system.create_dir(store.resolve(folder), recursive=True)
    with store.create(path) as file:
        file.write(content)


# --- both ---------------------------------------------------------------------------------------


def test_what_is_written_is_found_and_read(store):
    write(store, "a/b.csv")
    facts = store.look("a/b.csv")
    assert (facts.path, facts.size) == ("a/b.csv", 7)
    with store.open("a/b.csv") as file:
        assert file.read() == b"content"
    assert store.read_text("a/b.csv") == "content"


def test_what_is_not_there_is_none(store):
    assert store.look("a/b.csv") is None
    assert store.read_text("b.csv") is None
    assert store.names("a") == []
    assert not store.is_folder("a")


def test_a_folder_is_no_file(store):
    write(store, "a/b.csv")
    assert store.is_folder("a")
    assert store.look("a") is None


def test_files_below_a_folder_are_listed_but_for_the_hidden(store):
    for path in ("b.csv", "a/c.csv", "a/.d.csv", ".e/f.csv"):
        write(store, path)
    assert [each.path for each in store.files()] == ["a/c.csv", "b.csv"]
    assert [each.path for each in store.files("a")] == ["a/c.csv"]
    assert store.names("a") == [".d.csv", "c.csv"]


def test_what_is_staged_is_there_when_it_is_published(store):
    write(store, "old.csv", b"old")
    with store.stage(".stage/new.csv") as file:
        file.write(b"new")
    assert store.read_text("old.csv") == "old"
    store.publish(".stage/new.csv", "old.csv")
    assert store.read_text("old.csv") == "new"
    store.discard_staged()


def test_nothing_is_left_of_what_failed_while_it_was_staged(store):
    def stage():
        with store.stage("new.csv") as file:
            file.write(b"new")
            raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        stage()
    assert store.files() == []


def test_a_small_text_takes_the_place_of_another(store):
    store.write_text("a.json", "1")
    store.write_text("a.json", "ä")
    assert store.read_text("a.json") == "ä"
    assert store.names("") == ["a.json"]


def test_what_is_removed_is_gone_and_may_be_gone_before(store):
    write(store, "a/b.csv")
    store.remove("a/b.csv")
    store.remove("a/b.csv")
    assert store.files() == []


def test_a_folder_is_removed_with_all_that_is_in_it(store):
    write(store, "a/b/c.csv")
    write(store, "d.csv")
    store.remove_tree("a")
    store.remove_tree("a")
    assert [each.path for each in store.files()] == ["d.csv"]


def test_a_lock_is_held_and_let_go(store):
    for _ in range(2):
        with store.lock("a/.lock"):
            write(store, "a/b.csv")
    assert store.read_text("a/b.csv") == "content"


def test_what_is_no_error_of_the_system_means_nothing(store):
    assert store.translate(ValueError("x")) is None


# --- here ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (FileNotFoundError(2, "No such file", "a.csv"), StreamNotFoundError, "a moment ago"),
        (PermissionError(13, "Permission denied"), AuthenticationError, "allow this user"),
        (OSError(28, "No space left"), UnreachableError, "No space left"),
    ],
)
def test_errors_of_the_system_say_what_to_do(tmp_path, error, kind, says):
    translated = LocalStore(str(tmp_path)).translate(error)
    assert type(translated) is kind
    assert says in str(translated)


def test_a_text_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    store = LocalStore(str(tmp_path / "temporary"))
    store.write_text("a.json", "old")

    def fail(*args):
        raise OSError(28, "No space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        store.write_text("a.json", "new")
    assert store.names("") == ["a.json"]
    assert store.read_text("a.json") == "old"
    store.remove("a.json")


def test_a_link_that_leads_out_is_not_listed(tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "out.csv").write_text("x")
    (tmp_path / "inside/link.csv").symlink_to(tmp_path / "out.csv")
    (tmp_path / "inside/lost.csv").symlink_to(tmp_path / "inside/none.csv")
    assert LocalStore(str(tmp_path / "inside")).files() == []


# --- in S3 --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"folder": "s3://"}, "an S3 folder is s3://bucket"),
        ({"folder": "s3://bucket/../x"}, "an S3 folder is s3://bucket"),
        ({"folder": "s3://bucket/a//b"}, "an S3 folder is s3://bucket"),
        ({"secret_key": None}, "access_key and secret_key go together"),
        ({"anonymous": True}, "anonymous is without access_key"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, says):
    with pytest.raises(SettingsError, match=says):
        S3Store({**SETTINGS, **changes})


@pytest.mark.parametrize(
    ("folder", "key"),
    [("s3://bucket", "bucket/a.csv"), ("s3://bucket/", "bucket/a.csv"), ("s3://b/c/", "b/c/a.csv")],
)
def test_a_key_is_below_the_folder(folder, key):
    assert S3Store({**SETTINGS, "folder": folder}).resolve("a.csv") == key


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"access_key": "a", "secret_key": "s"}),
        ({"region": "eu"}, {"access_key": "a", "secret_key": "s", "region": "eu"}),
        ({"access_key": None, "secret_key": None, "anonymous": True}, {"anonymous": True}),
        ({"endpoint": "http://here:9000/"}, {"access_key": "a", "secret_key": "s",
                                             "endpoint_override": "here:9000", "scheme": "http"}),
        ({"endpoint": "here"}, {"access_key": "a", "secret_key": "s",
                                "endpoint_override": "here", "scheme": "https"}),
    ],
)  # fmt: skip
def test_the_library_gets_the_settings_that_are_set(monkeypatch, changes, expected):
    seen = []
    monkeypatch.setattr(fs, "S3FileSystem", lambda **options: seen.append(options) or "made")
    store = S3Store({**SETTINGS, **changes})
    assert (store.system, store.system) == ("made", "made")
    (options,) = seen
    assert (options.pop("connect_timeout"), options.pop("request_timeout")) == (10, 10)
    options.pop("retry_strategy")
    assert options == expected


def test_a_bucket_has_to_be_there(s3_store, tmp_path):
    s3_store.check()
    s3_store.bucket = "other"
    with pytest.raises(StreamNotFoundError, match="there is no bucket 'other'"):
        s3_store.check()


def test_an_upload_that_fails_leaves_no_temporary_file(s3_store, temporary_files, monkeypatch):
    with s3_store.stage("a.csv") as file:
        file.write(b"x")
    assert len(list(temporary_files.iterdir())) == 1

    def fail(*args, **options):
        raise OSError("curlCode: 28")

    monkeypatch.setattr(fs, "copy_files", fail)
    with pytest.raises(OSError, match="curlCode"):
        s3_store.publish("a.csv", "b.csv")
    assert s3_store.files() == []


def test_what_was_not_published_is_discarded(s3_store, temporary_files):
    for name in ("a.csv", "b.csv"):
        with s3_store.stage(name) as file:
            file.write(b"x")
    assert len(list(temporary_files.iterdir())) == 2
    s3_store.discard_staged()
    assert s3_store.files() == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("AWS Error ACCESS_DENIED during ListObjectsV2", AuthenticationError),
        ("AWS Error UNKNOWN (HTTP status 403)", AuthenticationError),
        ("AWS Error NO_SUCH_BUCKET during PutObject", StreamNotFoundError),
        ("AWS Error NETWORK_CONNECTION: curlCode: 7", UnreachableError),
        ("something else", UnreachableError),
    ],
)
def test_messages_of_the_library_have_a_meaning(s3_store, text, kind):
    translated = s3_store.translate(OSError(text))
    assert type(translated) is kind
    assert str(translated).startswith(f"s3://bucket/some/folder: {text}")
    assert ("access_key" in str(translated)) == (kind is AuthenticationError)
