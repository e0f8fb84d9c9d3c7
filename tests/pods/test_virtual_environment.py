"""Empty environments for every Python here, and scripts that survive a move."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pypods.errors import PodEnvironmentError
from pypods.pods.interpreters import Interpreter, find_interpreter, get_host_interpreter
from pypods.pods.virtual_environment import create_virtual_environment, repoint_scripts


def test_an_environment_holds_nothing_but_its_python(tmp_path: Path, each_python: Path) -> None:
    interpreter = find_interpreter(each_python)
    create_virtual_environment(tmp_path / "venv", interpreter)
    code = (
        "import sys; print(sys.prefix); print(sys.version_info[:3])\n"
        "print('_virtualenv' in sys.modules)"
    )
    python = tmp_path / "venv" / "bin" / "python"
    result = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines() == [str(tmp_path / "venv"), str(interpreter.version), "False"]
    assert result.stderr == ""
    assert [list(each.iterdir()) for each in tmp_path.glob("venv/lib/*/site-packages")] == [[]]


def test_the_users_virtualenv_settings_do_not_reach_pods(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "virtualenv.ini"
    settings.write_text("[virtualenv]\nsystem-site-packages = true\n")
    monkeypatch.setenv("VIRTUALENV_CONFIG_FILE", str(settings))
    monkeypatch.setenv("VIRTUALENV_SYSTEM_SITE_PACKAGES", "1")
    monkeypatch.setenv("VIRTUALENV_OVERRIDE_APP_DATA", str(tmp_path / "data"))
    create_virtual_environment(tmp_path / "venv", get_host_interpreter())
    assert "include-system-site-packages = false" in (tmp_path / "venv/pyvenv.cfg").read_text()
    assert (tmp_path / "data").is_dir()


def test_what_virtualenv_refuses_is_an_error(tmp_path: Path) -> None:
    interpreter = Interpreter(tmp_path / "gone", (3, 8, 0), "path")
    with pytest.raises(PodEnvironmentError, match=r"Python 3\.8\.0 .*choose another Python"):
        create_virtual_environment(tmp_path / "venv", interpreter)


def test_scripts_name_the_place_they_are_moved_to(tmp_path: Path) -> None:
    old, new = tmp_path / "venv.building-1", tmp_path / "venv"
    (old / "bin" / "folder").mkdir(parents=True)
    cache = tmp_path / "cached"
    script = f"#!{old}/bin/python\nprint({str(old)!r})\n"
    cache.write_text(script)
    cache.chmod(0o755)
    os.link(cache, old / "bin" / "script")
    tail = "x" * 5000 + str(old)
    contents = {
        "bin/long": f"#!/bin/sh\n'''exec' \"{old}/bin/python\" \"$0\" \"$@\"\n' '''\n{tail}",
        "bin/other": "#!/bin/sh\n",
        "bin/data": f"{old}",
        "pyvenv.cfg": f"command = virtualenv {old}\n",
    }
    for name, content in contents.items():
        (old / name).write_text(content)
    (old / "bin" / "python").symlink_to("/bin/sh")
    repoint_scripts(old, new)
    moved = script.replace(str(old), str(new))
    assert (old / "bin/script").read_text() == moved
    assert os.access(old / "bin/script", os.X_OK)
    assert cache.read_text() == script, "a file shared with the installer's cache was changed"
    assert f'exec\' "{new}/bin/python"' in (old / "bin/long").read_text()
    assert (old / "bin/long").read_text().endswith(tail)
    assert (old / "bin/other").read_text() == contents["bin/other"]
    assert (old / "bin/data").read_text() == contents["bin/data"]
    assert (old / "pyvenv.cfg").read_text() == f"command = virtualenv {new}\n"
    assert sorted(each.name for each in (old / "bin").iterdir()) == [
        *("data", "folder", "long", "other", "python", "script")
    ]
