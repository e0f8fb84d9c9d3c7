"""stubs: what is printed, and what it ends with; what the stubs say is tested below the CLI."""

from __future__ import annotations

from pathlib import Path

import pytest

FUNCTION = "def f(x: int) -> str: ...\n"
FOR_MYPY = "mypy finds them with a line in pyproject.toml, under [tool.mypy]: mypy_path = "
SETTINGS = "mypy and pyright, run in this folder, find them; there is nothing to set.\n"


def test_stubs_writes_what_has_changed(run, write_pod, here):
    write_pod("one", FUNCTION)
    folder = write_pod("two", FUNCTION)
    ran = run("stubs")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        "one: written, pypods_types/one.pyi\n"
        "two: written, pypods_types/two.pyi\n"
        "PodLoader: written, pypods_types/__init__.pyi\n" + SETTINGS
    )
    before = (here / "pypods_types" / "one.pyi").stat().st_mtime_ns
    (folder / "pod.py").write_text("def g(): ...\n")
    assert run("stubs").out == (
        "one: unchanged, pypods_types/one.pyi\n"
        "two: written, pypods_types/two.pyi\n"
        "PodLoader: unchanged, pypods_types/__init__.pyi\n" + SETTINGS
    )
    assert (here / "pypods_types" / "one.pyi").stat().st_mtime_ns == before
    assert "nothing to set" not in run("stubs").out


def test_stubs_of_one_pod_leave_the_others(run, write_pod, here):
    write_pod("one", FUNCTION)
    write_pod("two", FUNCTION)
    assert run("stubs", "two", "-q").out == ""
    assert run("stubs", "one").out.startswith("one: written, pypods_types/one.pyi\nPodLoader: w")
    text = (here / "pypods_types" / "__init__.pyi").read_text()
    assert "Literal['one']" in text
    assert "Literal['two']" in text


def test_stubs_of_pods_that_have_gone_are_removed(run, write_pod, here):
    folder = write_pod("one", FUNCTION)
    run("stubs")
    (folder / "pod.py").unlink()
    write_pod("two", FUNCTION)
    run("stubs", "two")
    assert (here / "pypods_types" / "one.pyi").exists()  # That is not what was asked for.
    assert run("stubs", "--check").out.startswith("one: surplus, pypods_types/one.pyi\n")
    assert run("stubs").out.startswith("one: removed, pypods_types/one.pyi\n")
    assert not (here / "pypods_types" / "one.pyi").exists()


def test_check_says_which_are_stale_and_writes_nothing(run, write_pod, here):
    folder = write_pod("one", FUNCTION)
    write_pod("two", FUNCTION)
    ran = run("stubs", "--check")
    assert ran.code == 1
    assert ran.out.startswith("one: missing, pypods_types/one.pyi\n")
    assert ran.err == (
        'error: stubs that are not up to date: one, two, PodLoader; run "pypods stubs"\n'
    )
    assert not (here / "pypods_types").exists()
    run("stubs")
    ran = run("stubs", "--check")
    assert (ran.code, ran.err) == (0, "")
    (folder / "pod.py").write_text("def g(): ...\n")
    before = (here / "pypods_types" / "one.pyi").read_bytes()
    ran = run("stubs", "--check", "-q")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == 'error: stubs that are not up to date: one; run "pypods stubs"\n'
    assert (here / "pypods_types" / "one.pyi").read_bytes() == before


def test_stubs_tells_machines_what_it_did(run, write_pod, here):
    write_pod("one", FUNCTION)
    package = here / "pypods_types"
    assert run("stubs", "--json").json == [
        {"name": "one", "path": str(package / "one.pyi"), "status": "written"},
        {"name": None, "path": str(package / "__init__.pyi"), "status": "written"},
    ]
    ran = run("stubs", "--check", "--json")
    assert (ran.code, [each["status"] for each in ran.json]) == (0, ["current", "current"])
    write_pod("two", FUNCTION)
    ran = run("stubs", "--check", "--json")
    assert (ran.code, ran.err) == (1, "")
    assert [each["status"] for each in ran.json] == ["current", "missing", "stale"]


def test_a_pod_that_cannot_be_read_is_named_and_the_others_are_written(run, write_pod, here):
    folder = write_pod("bad", "x = 1\nx ===\n")
    write_pod("good", FUNCTION)
    ran = run("stubs")
    assert ran.code == 5
    assert ran.err.startswith(f'error: pod "bad" has no stub: {folder / "pod.py"}:2: ')
    assert ran.out.startswith("good: written, pypods_types/good.pyi\nPodLoader: written")
    ran = run("stubs", "--json")
    assert ran.code == 5
    assert ran.json[0]["error"]["type"] == "PodStartError"
    assert ran.json[1]["status"] == "unchanged"
    assert run("stubs", "--check").code == 5


def test_a_file_of_somebody_else_is_left_alone(run, write_pod, here):
    write_pod("one", FUNCTION)
    (here / "pypods_types").mkdir()
    for name in ("one", "__init__"):
        path = here / "pypods_types" / f"{name}.pyi"
        path.write_text("x: int\n")
        ran = run("stubs")
        assert ran.code == 1
        assert 'was not written by "pypods stubs"; move it away' in ran.err
        assert path.read_text() == "x: int\n"
        path.unlink()


@pytest.mark.parametrize(
    ("folder", "lines"),
    [
        (
            "typings",
            [
                f'{FOR_MYPY}"typings"',
                "pyright, run in this folder, finds them; there is nothing to set.",
            ],
        ),
        (
            "types/of",
            [
                f'{FOR_MYPY}"types/of"',
                'pyright finds them with one under [tool.pyright]: stubPath = "types/of"',
            ],
        ),
        (".", [SETTINGS.rstrip()]),
    ],
)
def test_another_folder_and_what_is_to_be_set_for_it(run, write_pod, here, folder, lines):
    write_pod("one", FUNCTION)
    ran = run("stubs", "--output", folder)
    assert ran.out.splitlines()[2:] == lines
    assert (here / folder / "pypods_types" / "one.pyi").is_file()
    (here / "pods" / "one" / "pod.py").write_text("def g(): ...\n")
    asked = "" if folder == "." else f" --output {folder}"
    assert run("stubs", "--output", folder, "--check").err.endswith(f'run "pypods stubs{asked}"\n')


def test_stubs_of_what_is_not_there(run, write_pod, here):
    ran = run("stubs")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == 'No pods here; run "pypods create NAME" to make one.\n'
    assert list(here.iterdir()) == []
    write_pod("one")
    assert run("stubs", "two").code == 3
    assert run("stubs", "1st").code == 2


def test_stubs_make_no_environment(run, write_pod, here: Path):
    folder = write_pod("one", FUNCTION)
    (folder / "requirements.txt").write_text("./nothing-here-0.whl\n")
    assert run("stubs").code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["pod.py", "requirements.txt"]
