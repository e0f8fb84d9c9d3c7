"""The bootstrap registers what a pod may use of pypods, and nothing of the host."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from pypods.pods.process import BOOTSTRAP, worker_command
from pypods.worker import bootstrap

HOST_SIDE = {"pods", "cli"}


@pytest.fixture
def own_modules(monkeypatch):
    """Let a test register pypods anew, and put back what was there."""
    saved = {name: module for name, module in sys.modules.items() if is_of_pods(name)}
    path, argv = list(sys.path), list(sys.argv)
    for name in saved:
        del sys.modules[name]
    yield
    for name in [name for name in sys.modules if is_of_pods(name)]:
        del sys.modules[name]
    sys.modules.update(saved)
    sys.path[:], sys.argv[:] = path, argv


def is_of_pods(name: str) -> bool:
    return name.partition(".")[0] in ("pypods", "pods")


def test_only_what_a_pod_may_use_is_registered(own_modules):
    bootstrap.register_packages(str(BOOTSTRAP.parent.parent))
    import pypods.errors
    import pypods.wire.failures
    import pypods.wire.frames
    from pypods import PodListener
    from pypods.pods import PodListener as TheSame

    assert PodListener is TheSame
    assert PodListener.__module__ == "pypods.worker.listener"
    for name in ("pypods.cli", "pypods.pods.loader", "pypods.pods.codec"):
        with pytest.raises(ImportError):
            __import__(name)
    with pytest.raises(ImportError, match="PodLoader"):
        from pypods.pods import PodLoader  # noqa: F401
    with pytest.raises(AttributeError, match="in a pod, pypods has PodListener and no 'PodLoader'"):
        _ = pypods.PodLoader


def test_it_serves_with_the_arguments_it_was_given(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "pypods.worker.serve.serve_pod", lambda *args, **options: seen.append((args, options))
    )
    bootstrap.main(["name", "/folder", "5", "1000", "30"])
    limits = {"lifeline_fd": 5, "max_frame_bytes": 1000, "log_level": 30}
    assert seen == [(("name", "/folder"), {**limits, "threads": 0, "shared": ""})]
    bootstrap.main(["name", "/folder", "5", "1000", "30", "2", "6,7,4096,0"])
    assert seen[1] == (("name", "/folder"), {**limits, "threads": 2, "shared": "6,7,4096,0"})


def test_it_runs_a_script(monkeypatch, own_modules, make_pod, capsys):
    folder = make_pod("import sys\nprint(__name__, sys.argv)\n")
    arguments = [str(BOOTSTRAP), "--script", "small", str(folder), "a", "b"]
    monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.setenv("PYPODS_POD_FOLDER", "")
    runpy.run_path(str(BOOTSTRAP), run_name="__main__")
    assert capsys.readouterr().out == f"__main__ ['{folder / 'pod.py'}', 'a', 'b']\n"


def test_a_spawned_child_finds_the_pods_modules(monkeypatch, own_modules, make_pod):
    folder = make_pod("import helper\nX = helper.X\n", helper="X = 7\n")
    monkeypatch.setenv("PYPODS_POD", "small")
    monkeypatch.setenv("PYPODS_POD_FOLDER", str(folder))
    runpy.run_path(str(BOOTSTRAP), run_name="__mp_main__")
    import pods.small.pod

    assert pods.small.pod.X == 7


def test_read_as_any_other_file_it_does_nothing(own_modules):
    runpy.run_path(str(BOOTSTRAP), run_name="something")
    assert "pypods" not in sys.modules


def test_nothing_of_the_host_is_visible_in_a_pod(zoo, each_python):
    modules, path = zoo.call("modules_and_path")
    host_packages = {Path(entry) for entry in sys.path if "site-packages" in entry}
    assert not host_packages & set(map(Path, path))
    source = BOOTSTRAP.parent.parent
    assert not any(Path(entry).is_relative_to(source) for entry in path)
    # The bootstrap's own folder is not on the path either (-I).
    assert str(BOOTSTRAP.parent) not in path
    ours = {name.split(".")[1] for name in modules if name.startswith("pypods.")}
    assert ours == {"connectors", "errors", "pods", "wire", "worker"}
    # What the interpreter itself loads is its own business.
    bare = subprocess.run(
        [each_python, "-I", "-c", "import sys; print(*sys.modules)"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    loaded = {name.partition(".")[0] for name in modules} - set(bare.stdout.split())
    assert not loaded & {"bson", "pymongo", "typer", "click", "rich", "uv", "virtualenv", "pytest"}
    # Heavy ones of the standard library come when the pod asks for them.
    assert not loaded & {"typing", "logging", "inspect", "dataclasses", "asyncio"}
    assert not loaded & {"array", "collections", "enum", "functools", "signal"}


@pytest.mark.parametrize(
    "name", ["typer", "bson", "pymongo", "uv", "virtualenv", "pypods.cli", "pypods.pods.loader"]
)
def test_a_pod_cannot_import_what_is_the_hosts(zoo, name):
    assert "No module named" in zoo.call("try_import", name)


def test_the_hosts_variables_for_its_own_interpreter_do_not_matter(each_python, make_pod, tmp_path):
    """PYTHONPATH and the like are the host's; -I ignores them."""
    folder = make_pod("import sys\nprint([p for p in sys.path if 'poison' in p])\n")
    done = subprocess.run(
        worker_command(each_python, "--script", "small", str(folder)),
        env={**os.environ, "PYTHONPATH": str(tmp_path / "poison")},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == (b"[]\n", b"")
