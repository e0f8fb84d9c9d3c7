"""Where the suite works: found by a connector's settings, said before, removed after."""

from __future__ import annotations

from pathlib import Path

import pytest

from pypods.conformance import Scratch, find_scratch_place
from pypods.conformance.failure_place import place_of
from pypods.conformance.subject import Subject
from pypods.errors import PodCallError


def setting(name, kind="text", *, required=False):
    return {"name": name, "type": kind, "required": required}


class Pod:
    """A connector that notes what it is to execute, and refuses some of it."""

    def __init__(self, *settings, refuses=(), tables=(), **capabilities):
        self.settings = list(settings)
        self.capabilities = {"write": ["append"], "execute": True, **capabilities}
        self.refuses = refuses
        self.tables = list(tables)
        self.executed = []

    def describe_connector(self):
        return {"name": "box", "settings": self.settings, "capabilities": self.capabilities}

    def streams(self, connection):
        return [{"name": name} for name in self.tables]

    def execute(self, connection, statement):
        if any(statement.startswith(each) for each in self.refuses):
            raise PodCallError("it is not empty")
        self.executed.append(statement)
        if statement.startswith("drop table "):
            name = statement.removeprefix("drop table ")
            self.tables = [each for each in self.tables if each != name]


SERVER = (setting("host"), setting("port", "integer"), setting("user"), setting("password"))


def test_a_server_gets_a_schema_that_goes_with_all_that_is_in_it():
    pod = Pod(*SERVER)
    place = find_scratch_place(pod, {"host": "h", "user": "me"})
    name = place.shown.removeprefix("the new schema ")
    assert pod.executed == []
    with place as scratch:
        assert pod.executed == [f"create schema {name}"]
        assert scratch.new_stream("t") == [name, "t"]
        assert scratch.unreachable == {"host": "h", "user": "me", "port": 1}
        assert scratch.wrong_password["user"] == "pypods_nobody"
        assert scratch.wrong_password["password"] == scratch.secret
    assert pod.executed[1:] == [f"drop schema {name} cascade"]
    assert place.left_over == ""


def test_tables_are_dropped_first_where_a_schema_has_to_be_empty():
    """The second drop of the schema is taken, once nothing is in it."""
    pod = Pod(*SERVER, refuses=["drop schema"])
    place = find_scratch_place(pod, {})
    with place as scratch:
        schema = scratch.stream("t")[0]
        pod.tables = [f'{schema}."odd.name"', f"{schema}.t", "other.t"]
    dropped = [each.removeprefix("drop table ") for each in pod.executed[1:]]
    books = [f"{schema}._pypods_runs", f"{schema}._pypods_checkpoints"]
    assert dropped == [f'{schema}."odd.name"', f"{schema}.t", *books]
    assert place.left_over == f"schema {schema} could not be removed: it is not empty"


def test_a_given_schema_has_to_be_empty_and_is_left_so():
    pod = Pod(*SERVER, tables=["mine.t", "other.t"])
    with pytest.raises(ValueError, match=r"schema mine has streams already \(mine.t\)"):
        find_scratch_place(pod, {}, schema="mine")
    pod.tables = ["other.t"]
    place = find_scratch_place(pod, {}, schema="MINE")
    assert place.shown == "schema MINE, which is empty"
    with place as scratch:
        pod.tables += ["mine.t1"]
        assert scratch.stream("t1") == ["MINE", "t1"]
    assert "drop table mine.t1" in pod.executed
    assert (pod.tables, place.left_over) == (["other.t"], "")


def test_what_is_left_in_a_given_schema_is_said():
    pod = Pod(*SERVER, refuses=["drop table"])
    place = find_scratch_place(pod, {}, schema="mine")
    with place:
        pod.tables = ["mine.t1"]
    assert place.left_over == "left in schema mine: mine.t1"
    without = Pod(*SERVER, execute=False)
    place = find_scratch_place(without, {}, schema="mine")
    with place:
        without.tables = ["mine.t2"]
    assert (place.left_over, without.executed) == ("left in schema mine: mine.t2", [])


def test_where_nothing_can_be_executed_names_begin_alike():
    place = find_scratch_place(Pod(setting("url"), execute=False), {"url": "x"})
    with place as scratch:
        (name,) = scratch.stream("t")
    prefix = name.removesuffix("t")
    assert place.shown == f"streams whose names begin with {prefix}"
    assert place.left_over == f"streams whose names begin with {prefix} are left"
    assert (scratch.unreachable, scratch.wrong_password) == (None, None)


def test_what_is_only_read_needs_no_place():
    place = find_scratch_place(Pod(setting("url"), write=[]), {"url": "x"})
    with place as scratch:
        assert scratch.connection == {"url": "x"}
    assert (place.shown, place.left_over) == ("nothing: it is only read", "")


@pytest.mark.parametrize("given", [True, False])
def test_files_are_in_a_new_folder(tmp_path, monkeypatch, given):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    pod = Pod(setting("folder", "path", required=True), setting("key"))
    place = find_scratch_place(pod, {"folder": str(tmp_path), "key": "k"} if given else {})
    with place as scratch:
        folder = Path(scratch.connection["folder"])
        assert folder.parent == tmp_path
        assert folder.is_dir()
        assert scratch.stream("a.b/c") == ["a%2Eb%2Fc"]
        assert not Path(scratch.unreachable["folder"]).exists()
        assert scratch.connection.get("key") == ("k" if given else None)
    assert place.shown == f"the new folder {folder}"
    assert list(tmp_path.iterdir()) == []
    assert place.left_over == ""


@pytest.mark.parametrize("given", [True, False])
def test_a_database_that_is_a_file_is_in_a_new_folder(tmp_path, monkeypatch, given):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    mine = tmp_path / "mine.sqlite3"
    mine.write_text("mine")
    pod = Pod(setting("database", "path", required=True))
    place = find_scratch_place(pod, {"database": str(mine)} if given else {})
    with place as scratch:
        file = Path(scratch.connection["database"])
        assert file.parent.parent == tmp_path
        assert file.name == ("scratch.sqlite3" if given else "scratch.box")
        file.write_text("scratch")
    assert mine.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [mine]


def test_a_folder_elsewhere_is_left_and_said():
    pod = Pod(setting("folder", "path", required=True))
    place = find_scratch_place(pod, {"folder": "s3://bucket/in/"})
    with place as scratch:
        folder = scratch.connection["folder"]
        assert folder.startswith("s3://bucket/in/pypods-conformance-")
        assert scratch.unreachable is None
    assert place.left_over == f"what is in {folder} is left"


def test_an_error_that_came_through_no_check_has_no_place():
    assert place_of(ValueError("made here")) == ""


def test_writing_is_asked_for_where_somebody_makes_what_is_written_into():
    class Loader:
        def __init__(self, **capabilities):
            self.pod = Pod(**capabilities)

        def load_pod(self):
            return self.pod

    def offers(scratch, **capabilities):
        return Subject(Loader(**capabilities), scratch).offers("write:append")

    assert offers(Scratch({}))
    assert not offers(Scratch({}), create=False)
    assert offers(Scratch({}, declare=lambda stream, schema, key: None), create=False)
    assert not offers(Scratch({}, declare=lambda stream, schema, key: None), write=[])
