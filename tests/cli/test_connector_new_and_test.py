"""``pypods connectors new`` writes what passes ``connectors test``, which says what does not."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import find_server
from typer.testing import CliRunner

from pypods.cli.app import app
from pypods.cli.connector_testing import masked_errors, read_connection
from pypods.cli.connector_writing import Kind, NewConnector, class_name, write_connector
from pypods.cli.exits import UsageError
from pypods.conformance import list_checks
from pypods.errors import PodCallError, PodDiedError
from pypods.integrator.secrets import Mask


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with two connectors that were just written, and what was said of it."""
    folder = tmp_path_factory.mktemp("project")
    said = {}
    for name, like in (("shop", ()), ("notes", ("--like", "files"))):
        words = ("connectors", "new", name, *like, "--pods-directory", str(folder / "pods"))
        result = CliRunner().invoke(app, words, prog_name="pypods")
        assert result.exit_code == 0, result.stderr
        said[name] = result.stdout
    return folder, said


@pytest.fixture
def at_home(project, run, monkeypatch):
    monkeypatch.chdir(project[0])
    return project[0]


def test_it_says_what_was_written_and_what_comes_next(project):
    folder, said = project
    assert said["shop"].splitlines() == [
        f"Created connector shop in {folder}/pods/shop. It works as it is:",
        "  see that it does      pypods connectors test shop",
        f"  put your driver in    {folder}/pods/shop/shop_database.py",
        f"  name it there         {folder}/pods/shop/requirements.txt",
        f"  keep it right         pytest {folder}/tests/test_shop.py",
    ]
    assert (folder / "pods" / "notes" / "notes_format.py").is_file()
    assert (folder / "pods" / "shop" / ".gitignore").is_file()


@pytest.mark.timeout(300)
def test_one_like_sql_passes_the_whole_suite(run, at_home):
    ran = run("connectors", "test", "shop")
    assert ran.code == 0, ran.out
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in ran.out.splitlines()[1:-1]}
    claims = "not offered the connector does not claim"
    otherwise = {
        "partitions": f"{claims} partition",
        "snapshot": f"{claims} partition, snapshot",
        "wrong_password": "not checked the scratch place has no connection that is refused",
    }
    assert rows == {name: otherwise.get(name, "passed") for name in list_checks()}
    passed = len(list_checks()) - 3
    assert ran.out.splitlines()[-1].endswith(f": {passed} passed, 2 not offered, 1 not checked.")
    first, *lines = ran.err.splitlines()
    place = Path(first.removeprefix("Works in the new folder ").removesuffix(" only."))
    assert place.is_absolute()
    assert not place.exists()
    assert [line.split(" s  ")[1].partition(":")[0] for line in lines] == list_checks()


@pytest.mark.timeout(300)
def test_one_like_files_passes_the_tests_that_were_written_with_it(project):
    """But for the kills, of which each is a start of the pod; they are tests/pods_files'."""
    folder, _ = project
    words = ("-q", "-p", "no:cacheprovider", "-k", "not kill", "tests/test_notes.py")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=folder, capture_output=True, text=True, timeout=290, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout
    assert f"{len(list_checks()) - 1} passed" in ran.stdout


@pytest.mark.parametrize("kind", Kind)
def test_what_is_written_runs_on_the_oldest_python_of_pods(tmp_path, kind):
    new = NewConnector("my_db", kind, tmp_path / "pods", tmp_path / "tests")
    for path in write_connector(new, ["driver==1"]):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".py":
            ast.parse(text, feature_version=(3, 8))
            assert "{" not in "".join(line for line in text.splitlines() if '"""' in line)
        else:
            assert text.splitlines()[-1] == "driver==1"
    assert class_name("my_db") == "MyDb"


def test_nothing_is_overwritten(run, at_home):
    before = (at_home / "pods" / "shop" / "pod.py").read_bytes()
    ran = run("connectors", "new", "shop", "--with", "other")
    assert ran.code == 2
    assert "test_shop.py is there already; choose another name, or remove it first" in ran.err
    assert (at_home / "pods" / "shop" / "pod.py").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("new",), '"connectors new" needs a name'),
        (("new", "no-name"), "cannot name a pod"),
        (("test",), '"connectors test" needs a name; "pypods connectors list" lists them'),
        (("show", "shop", "--only", "types"), '--only is an option of "connectors test"'),
        (("test", "shop", "--like", "sql"), '--like is an option of "connectors new"'),
        (("test", "shop", "--only", "tipes"), "no check 'tipes'; there are: description, "),
        (("test", "shop", "--connection", "none"), "neither NAME=VALUE nor a file"),
    ],
)
def test_what_makes_no_sense_is_said(run, at_home, words, said):
    ran = run("connectors", *words)
    assert ran.code == 2
    assert said in ran.err


def test_a_failure_has_its_reason_and_its_place_and_no_secret(run, at_home, monkeypatch):
    """In the connector's own code, in the check, and in what the pod says of it."""
    shutil.copytree(at_home / "pods" / "shop", at_home / "pods" / "bad", symlinks=True)
    module = at_home / "pods" / "bad" / "shop_database.py"
    text = module.read_text(encoding="utf-8")
    text = text.replace(
        "        # One that must not be shown: setting(",
        '        setting("word", "text", "of the user", secret=True),\n        # Such as: setting(',
    ).replace(
        "        connection = sqlite3.connect(",
        '        print("opened with", settings["word"])\n        connection = sqlite3.connect(',
    )
    line = '        rows = session.rows(\n            Statement("select name from sqlite_master'
    assert line in text
    text = text.replace(line, '        raise RuntimeError("no " + str(self.word))\n' + line)
    text = text.replace("    def open(self,", "    word = None\n\n    def open(self,")
    text = text.replace(
        '        path = settings["database"]\n',
        '        self.word = settings["word"]\n        path = settings["database"]\n',
    )
    module.write_text(text, encoding="utf-8")
    at = [
        number for number, line in enumerate(text.splitlines(), 1) if "raise RuntimeError" in line
    ]
    monkeypatch.setenv("SHOP_WORD", "hunter2-hunter2")
    words = ("connectors", "test", "bad", "--connection", "word=${env:SHOP_WORD}")
    ran = run(*words, "--only", "append", "--only", "settings")
    assert ran.code == 1, ran.err
    assert "append    failed  RuntimeError: no *** (" in ran.out
    assert f"shop_database.py:{at[0]} in resolve)" in ran.out
    assert "writing.py:" in ran.out or "reading.py:" in ran.out
    assert ran.out.splitlines()[-1].endswith(": 1 passed, 1 failed.")
    assert "opened with ***" in ran.err
    as_json = run(*words, "--only", "append", "--json")
    assert as_json.code == 1
    assert as_json.json["passed"] is False
    assert as_json.json["outcomes"][0]["detail"] == "RuntimeError: no ***"
    for each in (ran, as_json):
        assert "hunter2" not in each.out + each.err


def test_a_schema_of_a_server_is_made_and_removed(run, at_home, monkeypatch):
    server = find_server("postgresql")
    monkeypatch.setenv("PYPODS_CACHE_DIR", str(at_home / "cache"))
    settings = at_home / "place.yaml"
    settings.write_text(
        f"host: {server.host}\nuser: {server.user}\npassword: {json.dumps(server.password)}\n"
        f"database: {server.database or 'postgres'}\n"
    )
    checks = ("unreachable", "wrong_password", "append")
    only = [word for name in checks for word in ("--only", name)]
    ran = run(
        "connectors", "test", "postgresql", "--connection", str(settings),
        "--connection", f"port={server.port}", *only,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert [line.split()[:2] for line in ran.out.splitlines()[1:-1]] == [
        [name, "passed"] for name in checks
    ]
    schema = ran.err.splitlines()[0].removeprefix("Works in the new schema ").removesuffix(" only.")
    assert schema.startswith("pypods_conformance_")
    streams = run(
        "call", "postgresql", "streams",
        json.dumps({"host": server.host, "user": server.user, "database": server.database}),
    )  # fmt: skip
    assert streams.code == 0, streams.err
    assert schema not in streams.out


DESCRIBED = {
    "settings": [
        {"name": "host", "type": "text", "secret": False},
        {"name": "port", "type": "integer", "secret": False},
        {"name": "word", "type": "text", "secret": True},
    ]
}


def test_settings_come_from_files_and_from_the_command_line(tmp_path):
    file = tmp_path / "place.yaml"
    file.write_text("host: there\nport: 1\n")
    mask = Mask()
    given = [str(file), "port=5432", "word=12345", "host=a=b"]
    assert read_connection(given, DESCRIBED, mask) == {"host": "a=b", "port": 5432, "word": "12345"}
    assert mask("it is 12345") == "it is ***"


@pytest.mark.parametrize("text", ["- a list", "{", "5"])
def test_a_file_that_holds_no_settings_is_refused(tmp_path, text):
    file = tmp_path / "place.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"is no YAML|holds no settings"):
        read_connection([str(file)], DESCRIBED, Mask())


def test_an_error_that_ends_it_shows_no_secret():
    mask = Mask()
    mask.add("hunter2")
    raised = PodCallError("no user hunter2")
    raised.pod_name, raised.type_name, raised.remote_traceback = "shop", "m.E", "in hunter2"
    with pytest.raises(PodCallError) as caught, masked_errors(mask):
        raise raised
    assert (str(caught.value), caught.value.remote_traceback) == ("no user ***", "")
    assert (caught.value.pod_name, caught.value.type_name) == ("shop", "m.E")
    assert caught.value.__cause__ is None
    with pytest.raises(PodDiedError, match=r"^it said \*\*\*$"), masked_errors(mask):
        raise PodDiedError("it said hunter2")
    plain = PodCallError("nothing in it")
    with pytest.raises(PodCallError) as caught, masked_errors(mask):
        raise plain
    assert caught.value is plain
    plain_end = PodDiedError("it ended")
    with pytest.raises(PodDiedError) as died, masked_errors(mask):
        raise plain_end
    assert died.value is plain_end
