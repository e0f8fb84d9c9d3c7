"""pod.py as the module pods.<name>.pod, and what of it is offered."""

from __future__ import annotations

import functools
import math
import os
import sys
from types import ModuleType

import pytest

from pypods.worker.pod_module import (
    FOLDER_VARIABLE,
    PodClasses,
    import_pod,
    offered_functions,
    register_pod,
    run_as_script,
)


@pytest.fixture(autouse=True)
def own_modules(monkeypatch):
    """Put back what registering a pod changes."""
    monkeypatch.setenv(FOLDER_VARIABLE, "")
    path, argv = list(sys.path), list(sys.argv)
    before = set(sys.modules)
    yield
    sys.path[:], sys.argv[:] = path, argv
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_pods_file_is_a_module_of_its_package(make_pod):
    folder = make_pod(
        "from pods.small.near import X\nimport near\nY = near.X\nNAME = __name__\n", near="X = 5\n"
    )
    module = import_pod("small", str(folder))
    assert (module.NAME, module.X, module.Y) == ("pods.small.pod", 5, 5)
    assert sys.argv == [str(folder / "pod.py")]
    assert os.environ[FOLDER_VARIABLE] == str(folder)


def test_a_pods_own_init_runs_under_the_pods_name(make_pod):
    folder = make_pod("from pods.other import HERE\n", "small", __init__="HERE = __name__\n")
    module = import_pod("other", str(folder))
    assert module.HERE == "pods.other"
    assert sys.modules["pods"].other is sys.modules["pods.other"]


def test_the_pods_folder_is_looked_in_last_and_once(make_pod):
    folder = make_pod("", json="X = 'mine'\n")
    register_pod("small", str(folder))
    register_pod("small", str(folder))
    assert sys.path[-1] == str(folder)
    assert sys.path.count(str(folder)) == 1
    import json

    assert not hasattr(json, "X")


def test_other_pods_are_not_importable(make_pod):
    folder = make_pod("", "one")
    make_pod("", "two")
    register_pod("one", str(folder))
    with pytest.raises(ModuleNotFoundError):
        __import__("pods.two")


def test_what_a_pods_code_raises_is_raised(make_pod):
    with pytest.raises(SyntaxError):
        import_pod("small", str(make_pod("def broken(:\n")))


def test_a_script_is_main_with_its_arguments(make_pod, capsys):
    code = "import sys\nfrom pods.small.near import X\nprint(__name__, sys.argv[1:], X)\n"
    folder = make_pod(code, near="X = 5\n")
    run_as_script("small", str(folder), ["a"])
    assert capsys.readouterr().out == "__main__ ['a'] 5\n"


# --- offered ------------------------------------------------------------------------------------


def module_of(**names: object) -> ModuleType:
    module = ModuleType("m")
    vars(module).update(names)
    return module


def function() -> None: ...


class Callable:
    def method(self) -> None: ...

    def __call__(self) -> None: ...


def test_functions_are_offered_and_nothing_else():
    offered = {
        "function": function,
        "builtin": math.sqrt,
        "bound": Callable().method,
        "partial": functools.partial(function),
        "cached": functools.lru_cache(function),
        "decorated": functools.wraps(function)(Callable()),
    }
    others = {
        "_private": function,
        "__dunder__": function,
        "Class": Callable,
        "number": 5,
        "module": math,
        "instance": Callable(),
    }
    assert offered_functions(module_of(**others, **offered)) == offered


def test_all_narrows_and_may_name_other_callables():
    instance = Callable()
    module = module_of(
        a=function, b=function, instance=instance, Class=Callable, number=5, _private=function
    )
    module.__all__ = ["instance", "b", "Class", "number", "_private", "missing"]
    assert offered_functions(module) == {"instance": instance, "b": function}


# --- classes ------------------------------------------------------------------------------------


def test_a_class_is_found_where_it_is_loaded_or_in_the_pods_file():
    class Outer:
        class Inner:
            pass

    pod = module_of(Own=Outer, function=function)
    classes = PodClasses(pod)
    assert classes.find("pods.x.pod", "Own") is Outer
    assert classes.find("elsewhere", "Own.Inner") is Outer.Inner
    assert classes.find("collections", "OrderedDict").__name__ == "OrderedDict"
    assert classes.find("elsewhere", "function") is None
    assert classes.find("never.imported", "Missing.Deeper") is None
    assert PodClasses().find("never.imported", "Missing") is None
    assert "never" not in sys.modules


# --- in a pod -----------------------------------------------------------------------------------


def test_a_pod_knows_where_it_is(zoo):
    name, file, helpers, package, argv = zoo.call("where")
    assert (name, helpers, package) == ("pods.zoo.pod", "helpers", "pods.zoo")
    assert os.path.basename(file) == "pod.py"  # noqa: PTH119
    assert argv == [file]


@pytest.mark.parametrize(
    ("code", "type_name", "text"),
    [
        ("def broken(:\n", "SyntaxError", "invalid syntax"),
        ("import not_installed_anywhere\n", "ModuleNotFoundError", "not_installed_anywhere"),
        ("x = 1\nraise ValueError('at import')\n", "ValueError", "at import"),
        ("import sys\nsys.exit('no')\n", "SystemExit", "no"),
        ("__all__ = [len]\n", "AttributeError", "startswith"),
    ],
)
def test_a_pod_that_cannot_be_imported_says_why(
    each_python, start_worker, make_pod, code, type_name, text
):
    from pypods.errors import PodCallError, PodStartError

    folder = make_pod(code, "broken_pod")
    with pytest.raises(PodStartError, match=text) as info:
        start_worker(each_python, folder)
    cause = info.value.__cause__
    assert isinstance(cause, PodCallError)
    assert cause.type_name == type_name
    if type_name == "ValueError":
        assert 'pod.py", line 2' in str(info.value)
        assert "importlib" not in str(info.value)


def test_a_file_of_any_name_is_a_pods_module_too(tmp_path):
    file = tmp_path / "my-script.py"
    file.write_text("import beside\nNAME = __name__\nX = beside.X\n")
    (tmp_path / "beside.py").write_text("X = 5\n")
    (tmp_path / "pod.py").write_text("raise SystemExit('another pod')\n")
    (tmp_path / "__init__.py").write_text("raise SystemExit('no pod of this folder')\n")
    module = import_pod("my_script", str(file))
    assert (module.NAME, module.X, module.__file__) == ("pods.my_script.pod", 5, str(file))
    assert sys.argv == [str(file)]
    assert os.environ[FOLDER_VARIABLE] == str(file)
    with pytest.raises(ModuleNotFoundError):
        __import__("pods.my_script.other")


def test_a_file_runs_as_a_script(tmp_path, capsys):
    file = tmp_path / "script.py"
    file.write_text("import sys\nprint(__name__, sys.argv[1:])\n")
    run_as_script("script", str(file), ["a", "-b"])
    assert capsys.readouterr().out == "__main__ ['a', '-b']\n"


def test_a_pod_without_code_is_an_empty_module():
    path = list(sys.path)
    module = import_pod("nothing", "")
    assert module.__name__ == "pods.nothing.pod"
    assert offered_functions(module) == {}
    assert sys.path == path
    assert sys.argv == [""]
