"""Modules of a pod, imported by their names as if they were installed here."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import inspect
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.pods.conftest import BareLoader, LoadPod, make_loaders

import pypods
from pypods.errors import PodCallError, PodDiedError, PodError
from pypods.pods import PodImports, PodLoader, install_imports

FILES = {
    "podquarry/__init__.py": """
        "A quarry."
        __version__ = "1.2"
        import sys, types
        from podquarry import stone
        made = sys.modules["podquarry.made"] = types.ModuleType("podquarry.made")
        made.VALUE = 4
        made.__file__ = 5
        lost = types.ModuleType("podquarry.lost")
        counter = 0
        class Error(Exception): pass
        def fail(): raise Error("no stone")
        def connect(): return stone.Stone()
        def die():
            import os
            os._exit(7)
        def name_of(module): return module.__name__
        """,
    "podquarry/stone.py": "class Stone:\n    weight = 3\n",
    "podquarry/sand.py": "GRAINS = 10\n_hidden = 1\ndef sieve(): return GRAINS\n",
    "podquarry/deep/__init__.py": "",
    "podquarry/deep/well.py": "WATER = True\n",
    "podquarry/broken.py": "import podquarry_missing_dependency\n",
    "podquarry/wrong.py": "from podquarry.stone import Pebble\n",
    "podquarry/raising.py": "raise ValueError('not today')\n",
    "podquarry/listed.py": "__all__ = ['a']\na = 1\nb = 2\n",
    "podalone.py": "import time\ntime.sleep(0.05)\nVALUE = object()\n",
}


def write_files(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")


@pytest.fixture(scope="module")
def load(outer_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoadPod]:
    """Return a function that makes the loader of a pod that has the modules above."""
    pods_directory = tmp_path_factory.mktemp("pods")
    with make_loaders(pods_directory) as make:

        def load(name: str = "quarry", **options: Any) -> BareLoader:
            write_files(pods_directory / name, FILES)
            return make(
                "def pid():\n    import os\n    return os.getpid()\n",
                name,
                python=str(outer_python),
                **options,
            )

        yield load


@pytest.fixture(scope="module")
def shared_pod(load: LoadPod) -> Any:
    return load(measured=True).load_pod()


@pytest.fixture
def pod(shared_pod: Any) -> Iterator[Any]:
    """Return the pod, and see that nothing of the import system is changed afterwards."""
    before = dict(sys.modules)
    finders = list(sys.meta_path)
    yield shared_pod
    assert sys.meta_path == finders
    here = {
        name for name in sys.modules if name.startswith("pod") and not name.startswith("pypods")
    }
    assert here == {name for name in before if name in here}
    for name in ("sqlite3", "sqlite3.dbapi2", "json", "json.decoder"):
        assert sys.modules.get(name) is before.get(name)


def other(load: LoadPod, name: str) -> Any:
    return load(name).load_pod()


# --- what is imported ---------------------------------------------------------------------------


def test_each_form_of_import_gives_the_modules_of_the_pod(pod):
    with pod.imports("podquarry"):
        import podquarry
        import podquarry.deep.well
        import podquarry.sand as grains
        from podquarry import Error, connect, deep, stone
        from podquarry.deep.well import WATER

        assert isinstance(podquarry, ModuleType)
        assert podquarry.__version__ == "1.2"
        assert podquarry.__doc__ == "A quarry."
        assert (podquarry.__name__, grains.__name__) == ("podquarry", "podquarry.sand")
        assert podquarry.__package__ == "podquarry"
        assert podquarry.sand is grains
        assert sys.modules["podquarry.stone"] is stone is podquarry.stone
        assert podquarry.deep is deep
        assert deep.well.WATER is WATER is True
        assert grains.sieve() == 10
        assert isinstance(connect(), stone.Stone)
        assert Error is pod.import_module("podquarry").Error
        assert "in pod 'quarry' RUNNING" in repr(podquarry)
        with pytest.raises(Error, match="no stone"):
            podquarry.fail()


def test_star_imports_what_the_module_would_give(pod):
    with pod.imports("podquarry"):
        names: dict[str, Any] = {}
        exec("from podquarry.sand import *", names)
        assert names["GRAINS"] == 10
        assert "_hidden" not in names
        listed: dict[str, Any] = {}
        exec("from podquarry.listed import *", listed)
        assert (listed["a"], "b" in listed) == (1, False)


def test_several_names_and_no_others(pod):
    with pod.imports("podquarry", "podalone"):
        import podalone
        import podquarry

        assert podquarry.stone.Stone.weight == 3
        assert podalone.VALUE is podalone.VALUE
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("podquarry2")
        import colorsys  # Of the host, and not of the pod, which has it as well.

        assert "in pod" not in repr(colorsys)


def test_a_module_is_an_argument_and_attributes_are_set_in_the_pod(pod):
    with pod.imports("podquarry"):
        import podquarry

        assert podquarry.name_of(podquarry.sand) == "podquarry.sand"
        podquarry.counter = 5
        assert pod.import_module("podquarry").counter == 5
        del podquarry.counter
        assert not hasattr(podquarry, "counter")
        assert "connect" in dir(podquarry)


def test_modules_that_are_held_work_on_when_it_is_undone(pod):
    with pod.imports("podquarry"):
        import podquarry
    assert podquarry.stone.Stone().weight == 3
    assert "podquarry" not in sys.modules
    with pytest.raises(ModuleNotFoundError, match="podquarry"):
        importlib.import_module("podquarry")


# --- what is not there --------------------------------------------------------------------------


def test_what_the_pod_has_not_is_not_found_under_its_name(pod):
    with pod.imports("podquarry"):
        for name in ("podquarry.nothing", "podquarry.sand.nothing"):
            with pytest.raises(ModuleNotFoundError, match=name) as caught:
                importlib.import_module(name)
            assert caught.value.name == name
            assert name not in sys.modules
        with pytest.raises(ImportError, match="cannot import name 'nothing'"):
            from podquarry import nothing  # noqa: F401
        assert importlib.util.find_spec("podquarry.nothing") is None


def test_a_name_that_the_pod_has_not_is_refused_at_once(pod):
    with pytest.raises(
        ModuleNotFoundError, match=r'pod "quarry" has no module .podsilver'
    ) as caught:
        pod.imports("podsilver")
    assert caught.value.name == "podsilver"
    with pytest.raises(ModuleNotFoundError, match=r"podsilver\.x"):
        pod.imports("podsilver.x")


def test_an_import_that_fails_in_the_pod_says_where(pod):
    with pod.imports("podquarry"):
        with pytest.raises(
            ModuleNotFoundError, match=r"'podquarry.broken' in pod \"quarry\""
        ) as caught:
            import podquarry.broken
        assert caught.value.name == "podquarry_missing_dependency"
        assert isinstance(caught.value, PodCallError)
        with pytest.raises(ImportError, match=r"'podquarry.wrong' in pod \"quarry\".*Pebble"):
            import podquarry.wrong
        with pytest.raises(ValueError, match="not today"):
            import podquarry.raising
        with pytest.raises(ModuleNotFoundError, match=r"'podquarry.broken' in pod"):
            importlib.import_module("podquarry.broken.below")
        assert {"podquarry.broken", "podquarry.wrong", "podquarry.raising"} & set(
            sys.modules
        ) == set()
        import podquarry.sand

        assert podquarry.sand.GRAINS == 10


def test_what_is_above_and_fails_in_the_pod_says_so_when_it_is_asked_for(pod):
    with pytest.raises(ModuleNotFoundError, match=r"'podquarry.broken' in pod \"quarry\""):
        pod.imports("podquarry.broken.below")
    with pytest.raises(ImportError, match=r"'podquarry.wrong' in pod \"quarry\".*Pebble"):
        pod.imports("podquarry.wrong.below")


def test_a_module_without_a_file_or_a_specification_is_imported(pod):
    with pod.imports("podquarry"):
        import podquarry.made
        from podquarry.made import VALUE

        assert VALUE == podquarry.made.VALUE == 4
        assert not hasattr(podquarry.made, "__file__")
        assert podquarry.lost.__name__ == "podquarry.lost"
        assert inspect.getmodule(podquarry.made) is podquarry.made


def test_an_import_that_is_undone_meanwhile_leaves_nothing(pod):
    with pod.imports("podquarry"):
        spec = importlib.util.find_spec("podquarry.sand")
    module = importlib.util.module_from_spec(spec)
    with pytest.raises(
        ImportError, match=r"'podquarry.sand' was being imported when .* was undone"
    ):
        spec.loader.exec_module(module)


@pytest.mark.parametrize("names", [(), ("a b",), ("podquarry.",), ("",)])
def test_what_is_no_name_is_refused(pod, names):
    with pytest.raises(ValueError, match="name"):
        pod.imports(*names)


def test_what_is_no_pod_is_refused():
    with pytest.raises(TypeError, match="a loaded pod, not 5"):
        install_imports("podquarry", pod=5)


# --- what is installed here ---------------------------------------------------------------------


def test_what_is_here_is_not_shadowed_unless_asked(pod):
    with pytest.raises(
        PodError, match=r"'sqlite3' is here already .*sqlite3.*pod \"quarry\".*shadow"
    ):
        pod.imports("podalone", "sqlite3")
    assert "podalone" not in sys.modules
    assert "imaplib" not in sys.modules  # Here, and not imported.
    with pytest.raises(PodError, match=r"imaplib\.py"):
        pod.imports("imaplib")
    with pod.imports("sqlite3", shadow=True):
        import sqlite3 as theirs
        from sqlite3 import dbapi2

        assert theirs is not sqlite3
        assert dbapi2.connect(":memory:").execute("select 1").fetchone() == (1,)
        assert "in pod 'quarry'" in repr(dbapi2)
    import sqlite3 as ours

    assert ours is sqlite3
    assert sys.modules["sqlite3.dbapi2"].connect is sqlite3.connect


def test_a_module_below_one_of_here_is_shadowed_alone(pod):
    import json.decoder

    real = json.decoder
    with pod.imports("json.decoder", shadow=True):
        import json.decoder
        from json import decoder

        assert decoder is json.decoder is not real
        assert decoder.JSONDecoder().decode("[1]") == [1]
        assert json.loads("[1]") == [1]
    assert json.decoder is real is sys.modules["json.decoder"]


def test_what_is_above_and_not_here_comes_from_the_pod(pod):
    with pod.imports("podquarry.deep.well"):
        import podquarry.deep.well

        assert podquarry.deep.well.WATER is True
    assert [name for name in sys.modules if name.startswith("podquarry")] == []


def test_a_module_is_added_to_a_package_of_here(pod, tmp_path, monkeypatch):
    """As of two distributions that share a package."""
    write_files(tmp_path, {"podquarry/__init__.py": "", "podquarry/ours.py": "X = 1"})
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    with pod.imports("podquarry.sand"):
        import podquarry.sand
        from podquarry import ours, sand

        assert (ours.X, sand.GRAINS, podquarry.sand) == (1, 10, sand)
    assert not hasattr(podquarry, "sand")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("podquarry.sand")
    for name in ("podquarry", "podquarry.ours"):
        del sys.modules[name]


def test_a_function_of_a_pod_by_the_method_s_name_comes_first(load, bare_pod):
    pod = bare_pod("def imports(*names):\n    return names\n")
    assert pod.imports("a", "b") == ("a", "b")


# --- undone -------------------------------------------------------------------------------------


def test_it_is_undone_after_an_exception_and_only_once(pod):
    imports = pod.imports("podquarry")
    assert repr(imports) == "<PodImports podquarry of pod 'quarry' installed>"
    importlib.import_module("podquarry.sand")
    with pytest.raises(KeyError), imports:
        raise KeyError
    imports.undo()
    assert repr(imports) == "<PodImports podquarry of pod 'quarry' undone>"
    with pytest.raises(PodError, match="is undone"), imports:
        pass


@pytest.mark.parametrize("first", ["inner", "outer"])
def test_the_last_pod_wins_and_any_order_of_undoing_is_fine(pod, load, first):
    second = other(load, "second")
    outer = pod.imports("podquarry")
    import podquarry

    assert "'quarry'" in repr(podquarry)
    inner = second.imports("podquarry", "podalone")
    import podquarry

    assert "'second'" in repr(podquarry)
    assert "'second'" in repr(podquarry.stone)
    (inner if first == "inner" else outer).undo()
    import podquarry
    import podquarry.stone

    assert ("'quarry'" if first == "inner" else "'second'") in repr(podquarry.stone)
    (outer if first == "inner" else inner).undo()
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("podquarry")


@pytest.mark.parametrize("first", ["inner", "outer"])
def test_what_is_here_comes_back_whatever_is_undone_first(pod, load, first):
    second = other(load, "second")
    outer = pod.imports("sqlite3", shadow=True)
    importlib.import_module("sqlite3.dbapi2")
    inner = second.imports("sqlite3.dbapi2", "sqlite3", shadow=True)
    assert "'second'" in repr(importlib.import_module("sqlite3.dbapi2"))
    for each in (inner, outer) if first == "inner" else (outer, inner):
        assert "in pod" in repr(importlib.import_module("sqlite3.dbapi2"))
        each.undo()
    assert importlib.import_module("sqlite3") is sqlite3


# --- pods by name, loaders, deaths --------------------------------------------------------------


def test_a_loader_that_was_not_loaded_is_loaded_and_unloaded(pod, load):
    loader = load("third")
    with pypods.install_imports("podquarry", pod=loader) as imports:
        assert isinstance(imports, PodImports)
        import podquarry

        assert loader.state == "RUNNING"
        assert podquarry.connect().weight == 3
    assert loader.state == "STOPPED"
    with pytest.raises(PodError, match="is not loaded"):
        podquarry.connect()
    with pytest.raises(ModuleNotFoundError):
        install_imports("podsilver", pod=loader)
    assert loader.state == "STOPPED"
    with loader, install_imports("podquarry", pod=loader):
        pass
    loader.load_pod()
    with install_imports("podquarry", pod=loader):
        pass
    assert loader.state == "RUNNING"


def test_a_pod_that_is_started_anew_is_followed(pod, load):
    loader = load("fourth")
    with loader as fourth, fourth.imports("podquarry"):
        import podquarry
        from podquarry import Error, connect

        stone = connect()
        with pytest.raises(PodDiedError):
            podquarry.die()
        assert fourth.pid()
        assert podquarry.connect().weight == 3
        assert podquarry.Error is not Error
        with pytest.raises(podquarry.Error):
            podquarry.fail()
        with pytest.raises(PodDiedError):
            _ = stone.weight
        import podquarry.sand

        assert podquarry.sand.GRAINS == 10
        assert inspect.getmodule(test_star_imports_what_the_module_would_give) is not None
        os.kill(loader.pid, signal.SIGKILL)
        while loader.state == "RUNNING":
            pass
    assert "podquarry" not in sys.modules


def test_modules_of_a_pod_with_several_workers_are_of_one(pod, load):
    loader = load("fifth", workers=2)
    with loader as fifth, fifth.imports("podquarry"):
        import podquarry

        stones = [podquarry.connect() for _ in range(5)]
        assert all(isinstance(stone, podquarry.stone.Stone) for stone in stones)
        with loader.sticky() as one, one.imports("podalone"):
            import podalone

            assert podalone.VALUE is podalone.VALUE


# --- the import system's own functions ----------------------------------------------------------


def test_a_module_says_what_it_is(pod):
    with pod.imports("podquarry"):
        spec = importlib.util.find_spec("podquarry.sand")
        assert spec is not None
        assert spec.origin == 'pod "quarry"'
        assert "podquarry.sand" not in sys.modules  # Only what is above was imported.
        import podquarry

        assert importlib.util.find_spec("podquarry") is podquarry.__spec__
        assert podquarry.__file__.endswith("__init__.py")
        import podquarry.sand

        assert not hasattr(podquarry.sand, "__path__")


def test_reloading_reloads_it_in_the_pod(pod):
    with pod.imports("podquarry"):
        import podquarry.sand

        podquarry.sand.GRAINS = 11
        before = podquarry.sand.sieve
        assert importlib.reload(podquarry.sand) is podquarry.sand
        assert podquarry.sand.GRAINS == 10
        assert podquarry.sand.sieve is not before
        assert podquarry.sand.sieve() == 10


def test_threads_import_one_module(pod):
    with pod.imports("podalone"):
        found: list[object] = []
        start = threading.Barrier(8)

        def run() -> None:
            start.wait()
            import podalone

            found.append((podalone, podalone.VALUE))

        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 8
        assert len(set(found)) == 1


def test_a_distribution_of_the_pod_has_its_version(only_wheels, tmp_path, pod):
    folder = tmp_path / "pods" / "pebble"
    write_files(folder, {"pod.py": "", "requirements.txt": "podpebble==2.0\npodgrain"})
    loader = PodLoader("pebble", pods_directory=tmp_path / "pods")
    with install_imports("podpebble", pod=loader):
        import podpebble

        assert podpebble.VERSION == "2.0"
        assert importlib.metadata.version("podpebble") == "2.0"
        with pytest.raises(importlib.metadata.PackageNotFoundError):
            importlib.metadata.version("podgrain")
        assert "podpebble" not in {each.name for each in importlib.metadata.distributions()}
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("podpebble")


def test_a_program_that_never_undoes_it_ends(load, tmp_path):
    folder = tmp_path / "pods" / "quarry"
    write_files(folder, {**FILES, "pod.py": "", "requirements.txt": ""})
    program = (
        "import pypods; pypods.install_imports('podquarry', pod='quarry'); import podquarry; "
        "print(podquarry.connect().weight)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("3\n", "")
