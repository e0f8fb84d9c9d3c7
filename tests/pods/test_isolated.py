"""A function of this program runs in a pod that is found by what it asks for."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import linecache
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import pypods
from pypods import (
    PodCallError,
    PodDiedError,
    PodEnvironmentError,
    PodTimeoutError,
    ValueTransferError,
    isolated,
)
from pypods.pods import isolated_function as isolated_module
from pypods.wire.messages import Define

RATE = 3
LEVELS = (1, ("a", None), frozenset({2.5}), date(2024, 2, 29))
STATE: list[int] = []


@pytest.fixture(autouse=True)
def cache(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Keep this file's environments in one folder, and let no pod outlive its test."""
    directory = tmp_path_factory.getbasetemp() / "isolated_cache"
    monkeypatch.setenv("PYPODS_CACHE_DIR", str(directory))
    yield directory
    for loader in list(isolated_module._loaders.values()):
        loader.unload_pod()


@isolated
def add(a: int, b: int = 2, *rest: int, scale: int = 1) -> int:
    """Add numbers."""
    return (a + b + sum(rest)) * scale


@isolated()
def process_id() -> int:
    import os

    return os.getpid()


# --- it is still the function -------------------------------------------------------------------


def test_a_call_runs_in_another_process():
    assert add(1) == 3
    assert add(1, 2, 3, scale=2) == 12
    assert process_id() not in (os.getpid(), None)


def test_it_looks_like_the_function_that_was_written():
    assert (add.__name__, add.__qualname__, add.__module__) == ("add", "add", __name__)
    assert add.__doc__ == "Add numbers."
    assert (
        str(inspect.signature(add))
        == "(a: 'int', b: 'int' = 2, *rest: 'int', scale: 'int' = 1) -> 'int'"
    )
    assert inspect.unwrap(add) is add.__wrapped__
    assert add.__wrapped__(1) == 3
    assert inspect.isroutine(add)
    assert pickle.loads(pickle.dumps(add)) is add
    assert repr(add) == "<isolated function add in pod 'isolated' STOPPED>"
    add(1)
    assert repr(add) == f"<isolated function add in pod 'isolated' RUNNING pid={process_id()}>"


def test_nothing_is_made_or_started_at_decoration(tmp_path: Path):
    program = tmp_path / "program.py"
    program.write_text(
        "import sys, pypods\n"
        "@pypods.isolated(requirements=['six'], python='3.9')\n"
        "def f():\n    pass\n"
        "print(*sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, check=True,
        env={**os.environ, "PYPODS_CACHE_DIR": str(tmp_path / "cache")},
    )  # fmt: skip
    loaded = done.stdout.split()
    assert "pypods" in loaded
    heavy = {"asyncio", "bson", "subprocess", "typer", "uv", "virtualenv"}
    assert heavy & set(loaded) == set()
    assert not (tmp_path / "cache").exists()


def test_the_pod_ends_with_the_program(tmp_path: Path):
    program = tmp_path / "program.py"
    program.write_text(
        "import pypods\n"
        "@pypods.isolated\n"
        "def f():\n    import os\n    return os.getpid()\n"
        "print(f())\n"
    )
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True)
    assert not Path(f"/proc/{int(done.stdout)}").exists()


# --- where it runs ------------------------------------------------------------------------------


def test_each_has_its_own_requirements(only_wheels: Path):
    @isolated(requirements=["podpebble==1.0"])
    def old() -> str:
        import podpebble

        return podpebble.VERSION

    @isolated(requirements=["podpebble==2.0", "podgrain"])
    def new() -> str:
        import podgrain
        import podpebble

        return podpebble.VERSION + podgrain.VERSION

    assert (old(), new()) == ("1.0", "2.01.0")
    assert "in pod 'isolated_podpebble' RUNNING" in repr(old)
    assert "in pod 'isolated_podgrain_podpebble' RUNNING" in repr(new)


def test_an_environment_is_made_once_and_shared(only_wheels: Path, cache: Path):
    def ask() -> Any:
        @isolated(requirements=[" podgrain ", "podgrain"], name="shared")
        def version() -> str:
            import podgrain

            return podgrain.__file__

        return version

    first = ask()
    place = first()
    (folder,) = cache.glob("environments/podgrain-*[!k]")
    assert place.startswith(str(folder))
    made = folder.joinpath("venv").stat().st_ino
    first.close()
    assert ask()() == place
    assert folder.joinpath("venv").stat().st_ino == made


def test_it_runs_on_the_python_asked_for(outer_python: Path):
    @isolated(python=outer_python)
    def version(*, places: int = 2) -> tuple[int, ...]:
        import sys

        return tuple(sys.version_info[:places])

    (minor,) = {version()}
    assert outer_python.resolve().name.endswith(".".join(map(str, minor)))


def test_what_cannot_be_installed_is_said_at_the_first_call(only_wheels: Path):
    @isolated(requirements=["podpebble==7.0"])
    def f() -> None:
        pass

    with pytest.raises(
        PodEnvironmentError, match=r'(?s)pod "isolated_podpebble": uv could not.*7\.0'
    ) as caught:
        f()
    assert str(caught.value).endswith("Correct the requirements, then try again")


def test_environment_variables_reach_it():
    @isolated(environment_variables={"COLOUR": "green"})
    def colour() -> str | None:
        import os

        return os.environ.get("COLOUR")

    assert colour() == "green"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"requirements": "six"}, r"requirements is a list of texts: requirements=\['six'\]"),
        ({"requirements": [3]}, "a requirement is a text such as 'pandas<2', not 3"),
        ({"requirements": ["-r requirements.txt"]}, "is an option; only requirements"),
        ({"requirements": ["./mine"]}, "write a path from the root on, or a name"),
        ({"requirements": ["six\nidna"]}, "is no requirement"),
        ({"requirements": [""]}, "is no requirement"),
        ({"python": "three"}, "python 'three' is no version"),
        ({"installer": "conda"}, "installer 'conda' is not known; use uv or pip"),
        ({"timeout": 0}, "timeout is in seconds and positive, not 0"),
        ({"workers": 0}, "workers is 1 or more, not 0"),
        ({"name": "1st"}, "'1st' cannot name a pod"),
    ],
    ids=lambda each: next(iter(each.items())).__repr__() if isinstance(each, dict) else "",
)
def test_options_that_cannot_be_are_refused_at_once(options, message):
    with pytest.raises(ValueError, match=message):
        isolated(**options)


# --- functions that share a pod -----------------------------------------------------------------


def test_functions_that_ask_for_the_same_share_a_pod_and_what_lives_in_it():
    @isolated
    def connect() -> Any:
        import sqlite3

        return sqlite3.connect(":memory:")

    @isolated(requirements=(), workers=1)
    def ask(connection: Any, number: int) -> Any:
        return connection.execute("select ?", (number,)).fetchone()

    assert ask(connect(), 6) == (6,)


def test_another_name_is_another_pod():
    @isolated(name="other")
    def its_process() -> int:
        import os

        return os.getpid()

    assert its_process() != process_id()
    assert "in pod 'other' RUNNING" in repr(its_process)


def test_functions_of_one_name_do_not_get_in_each_others_way():
    def make(n: int) -> Any:
        @isolated
        def constant() -> int:
            return n

        return constant

    one, two = make(1), make(2)
    assert [one(), two(), one()] == [1, 2, 1]


def test_a_pod_stays_when_its_function_has_gone():
    """For an object of it, or a stream, may be in use."""

    @isolated(name="brief")
    def open_file() -> Any:
        import io

        return io.StringIO("text")

    file = open_file()
    del open_file
    gc.collect()
    assert file.getvalue() == "text"


# --- ways to call -------------------------------------------------------------------------------


def test_all_ways_to_call_are_there():
    assert add.submit(1, scale=5).result() == 15
    assert list(add.map(range(5))) == [2, 3, 4, 5, 6]
    assert list(add.map(range(5), range(5), chunksize=3)) == [0, 2, 4, 6, 8]
    assert asyncio.run(add.aio(4)) == 6


def test_aio_makes_the_pod_and_knows_the_function():
    async def main() -> list[int]:
        return await asyncio.gather(*(add.aio(n) for n in range(20)))

    assert asyncio.run(main()) == list(range(2, 22))


def test_a_time_limit_is_the_calls_or_the_decorators():
    @isolated(timeout=0.2)
    def wait(seconds: float) -> str:
        import time

        time.sleep(seconds)
        return "done"

    with pytest.raises(PodTimeoutError, match=r"took longer than 0\.2 s"):
        wait(60)
    assert wait.options(timeout=60)(0.3) == "done"
    with pytest.raises(ValueError, match="timeout is in seconds and positive"):
        wait.options(timeout=-1)


def test_an_async_def_is_awaited_and_runs_beside_others():
    @isolated
    async def meet(event_count: int) -> int:
        import asyncio

        meet.waiting = getattr(meet, "waiting", 0) + 1
        while meet.waiting < event_count:
            await asyncio.sleep(0.001)
        return meet.waiting

    async def main() -> list[int]:
        return await asyncio.gather(*(meet(5) for _ in range(5)))

    assert asyncio.run(main()) == [5] * 5
    assert meet.submit(1).result() == 6
    if sys.version_info >= (3, 12):
        assert inspect.iscoroutinefunction(meet)


def test_generators_are_streams():
    @isolated
    def numbers(n: int) -> Iterator[int]:
        yield from range(n)

    @isolated
    async def slowly(n: int) -> Any:
        import asyncio

        for i in range(n):
            await asyncio.sleep(0)
            yield i

    async def collect() -> list[int]:
        return [each async for each in slowly(4)]

    assert list(numbers(4)) == [0, 1, 2, 3]
    assert asyncio.run(collect()) == [0, 1, 2, 3]


def test_callbacks_are_answered_and_may_call_a_function_that_the_pod_does_not_know_yet():
    @isolated
    def outer(use: Any) -> int:
        return use(5) + 1

    @isolated
    def inner(n: int) -> int:
        return n * 2

    assert outer(inner) == 11


def test_a_function_is_defined_behind_one_that_runs(tmp_path: Path):
    """Without waiting for it, and by the reading thread where there is one."""
    go = str(tmp_path / "go")

    @isolated
    def until(path: str) -> str:
        import time
        from pathlib import Path

        while not Path(path).exists():
            time.sleep(0.001)
        return "gone"

    @isolated
    def later() -> str:
        return "later"

    waiting = until.submit(go)
    coming = later.submit()
    assert not waiting.done()
    Path(go).touch()
    assert (waiting.result(), coming.result()) == ("gone", "later")


def test_threads_run_side_by_side_also_when_first_called():
    @isolated(threads=4)
    def meet(count: int) -> int:
        import threading
        import time

        meet.met = getattr(meet, "met", set()) | {threading.get_ident()}
        while len(meet.met) < count:
            time.sleep(0.001)
        return len(meet.met)

    assert {each.result() for each in [meet.submit(3) for _ in range(3)]} == {3}


def test_workers_share_the_calls_and_each_knows_the_function(tmp_path: Path):
    @isolated(workers=2)
    def which(barrier: str, count: int) -> int:
        import os
        import time
        from pathlib import Path

        Path(barrier, str(os.getpid())).touch()
        while len(list(Path(barrier).iterdir())) < count:
            time.sleep(0.001)
        return os.getpid()

    pids = {each.result() for each in [which.submit(str(tmp_path), 2) for _ in range(2)]}
    assert len(pids) == 2


def test_an_object_leads_a_call_to_the_worker_in_which_it_lives():
    @isolated(workers=2)
    def make() -> Any:
        import io

        return io.StringIO("text")

    @isolated(workers=2)
    def read(file: Any) -> str:
        return file.getvalue()

    files = [each.result() for each in [make.submit() for _ in range(6)]]
    assert [read(file) for file in files] == ["text"] * 6


def test_many_threads_may_make_the_first_call():
    @isolated(name="first_call")
    def its_process() -> int:
        import os

        return os.getpid()

    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(its_process())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_it_ends_early_and_begins_anew():
    with process_id as function:
        first = function()
    assert not Path(f"/proc/{first}").exists()
    assert repr(process_id).endswith("STOPPED>")
    second = process_id()
    assert second != first
    process_id.close()
    process_id.close()
    assert not Path(f"/proc/{second}").exists()


def test_a_pod_that_died_is_started_anew_and_knows_the_function():
    @isolated
    def die() -> None:
        import os

        os._exit(3)

    with pytest.raises(PodDiedError):
        die()
    pid = process_id()
    os.kill(pid, signal.SIGKILL)
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        pass
    assert process_id() != pid
    assert add(2) == 4


def test_a_forked_child_has_a_pod_of_its_own():
    ours = process_id()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.write(writing, str(process_id()).encode())
            process_id.close()
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as file:
        theirs = int(file.read())
    assert os.waitpid(child, 0)[1] == 0
    assert theirs not in (ours, 0)
    assert process_id() == ours


# --- what it may use ----------------------------------------------------------------------------


def test_constants_around_it_are_sent_as_they_are_when_it_is_called(monkeypatch):
    factor = 2

    @isolated
    def compute(n: int) -> Any:
        return n * RATE * factor, LEVELS

    assert compute(1) == (6, LEVELS)
    monkeypatch.setattr(sys.modules[__name__], "RATE", 5)
    assert compute(1) == (10, LEVELS)
    factor = 3
    assert compute(1) == (15, LEVELS)
    monkeypatch.setattr(sys.modules[__name__], "RATE", open)
    with pytest.raises(ValueTransferError, match='it uses "RATE"'):
        compute(1)


def test_a_constant_is_told_from_an_equal_one(monkeypatch):
    @isolated
    def kind() -> str:
        return repr(RATE)

    for value in (1, True, 1.0, 0.0, -0.0):
        monkeypatch.setattr(sys.modules[__name__], "RATE", value)
        assert kind() == repr(value)


def test_helpers_recursion_and_classes_inside_it():
    @isolated
    def work(n: int) -> Any:
        from dataclasses import dataclass, field

        @dataclass
        class Pair:
            x: int
            rest: list = field(default_factory=list)

            def doubled(self) -> Any:
                return Pair(self.x * 2, self.rest)

        def fall(k):
            return 0 if k == 0 else 1 + fall(k - 1)

        return (
            n if n < 2 else n * work(n - 1),
            Pair(fall(n)).doubled().x,
            [fall(i) for i in range(3)],
        )

    assert work(1) == (1, 2, [0, 1, 2])


def test_defaults_are_sent_and_kept():
    @isolated
    def collect(item: int, items: list[int] = [], *, start: int = len("ab")) -> Any:  # noqa: B006
        items.append(item + start)
        return items

    assert collect(1) == [3]
    assert collect(2, start=0) == [3, 2]


def test_annotations_are_not_evaluated():
    @isolated
    def f(x: NotThere, *args: Neither, **kwargs: Nor) -> Missing:  # noqa: F821
        y: NotThere = x  # noqa: F821
        return y

    assert f(3) == 3


def test_a_text_over_several_lines_keeps_its_indentation():
    if True:

        @isolated
        def text() -> str:
            return """first
  second
        third"""

    assert text() == "first\n  second\n        third"
    assert text() == text.__wrapped__()


def test_decorators_above_it_are_those_of_this_program():
    calls: list[Any] = []

    def noted(function: Any) -> Any:
        @functools.wraps(function)
        def call(*args: Any) -> Any:
            calls.append(args)
            return function(*args)

        return call

    @noted
    @isolated
    def f(n: int) -> int:
        return n + 1

    assert f(1) == 2
    assert calls == [(1,)]


def test_assertions_in_it_are_as_they_were_written():
    """pytest rewrites those of this file."""

    @isolated
    def check(n: int) -> int:
        assert n > 0, "too small"
        return n

    assert check(1) == 1
    with pytest.raises(AssertionError, match=r"^too small"):
        check(0)


def plain(n):
    return n


class Kept:
    def method(self):
        pass

    @staticmethod
    def static():
        pass


def refuse_module():
    return os.getpid()


def refuse_function():
    return plain(1)


def refuse_class():
    return Kept()


def refuse_list():
    return STATE


def refuse_isolated():
    return add(1)


def refuse_missing():
    return not_there_yet  # noqa: F821


def refuse_in_comprehension():
    return [os.getpid() for _ in range(3)]


def refuse_in_class():
    class Inner:
        here = os.sep

    return Inner


def refuse_global():
    global RATE
    RATE = 4


def refuse_default(f=open):
    return f


def refuse_keyword_default(*, f=(open,)):
    return f


@functools.lru_cache
def cached():
    pass


@functools.wraps(plain)
def wrapped(n):
    return n


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (refuse_module, 'it uses the module "os"; import it inside the function'),
        (refuse_function, 'it uses "plain" (a function), which cannot be sent; define it inside'),
        (refuse_class, 'it uses "Kept" (a type), which cannot be sent; import or define it inside'),
        (refuse_list, 'it uses "STATE" (a list), which cannot be sent; pass it as an argument'),
        (refuse_isolated, 'it uses "add" (a pypods.pods.isolated_function.IsolatedFunction)'),
        (refuse_missing, 'it uses "not_there_yet", which is not there yet; import or define it'),
        (refuse_in_comprehension, 'it uses the module "os"'),
        (refuse_in_class, 'it uses the module "os"'),
        (refuse_global, 'it assigns the global "RATE", which would change in the pod alone'),
        (refuse_default, 'the default of "f" is a builtin_function_or_method, which cannot'),
        (refuse_keyword_default, 'the default of "f" is a tuple, which cannot be sent'),
        (lambda: 1, "it is a lambda; write it as a def"),
        (Kept, "it is a class; isolate a function that uses it"),
        (Kept.method, "it is a method; isolate a function outside the class"),
        (Kept().method, "it is a method; isolate a function outside the class"),
        (Kept.__dict__["static"], "it is a method; isolate a function outside the class"),
        (functools.partial(plain, 1), "it is a functools.partial, no plain function; where that"),
        (cached, "write that decorator above isolated"),
        (wrapped, "another decorator has wrapped it; write that decorator above isolated"),
        (len, "it is a builtin_function_or_method, no plain function"),
        (add, "no plain function"),
    ],
    ids=lambda each: getattr(each, "__name__", "") if callable(each) else "",
)  # fmt: skip
def test_what_cannot_be_sent_is_refused_at_decoration_by_name(function, message):
    with pytest.raises(ValueTransferError) as caught:
        isolated(function)
    assert str(caught.value).startswith("isolated function ")
    assert message in str(caught.value)


def test_an_open_connection_around_it_is_refused_by_name():
    with Path(os.devnull).open() as file:

        def read() -> str:
            return file.read()

        with pytest.raises(ValueTransferError, match=r'uses "file" \(a _io\.TextIOWrapper\)'):
            isolated(read)
        assert read() == ""


def test_a_variable_of_the_function_around_it_cannot_be_assigned():
    count = 0

    def step() -> None:
        nonlocal count
        count += 1

    with pytest.raises(ValueTransferError, match=r"it assigns a variable of the function around"):
        isolated(step)
    step()
    assert count == 1


def test_a_function_without_a_source_is_refused():
    """As one that was typed at the prompt of a Python before 3.13."""
    space: dict[str, Any] = {}
    exec("def typed():\n    return 1\n", space)
    with pytest.raises(ValueTransferError, match=r"source cannot be read from <string>; write it"):
        isolated(space["typed"])


def test_a_function_of_a_notebook_has_its_lines_in_the_traceback():
    source = "\n\ndef cell(n):\n    # a comment\n    return n / 0\n"
    name = "<ipython-input-3-abc>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, name, "exec"), space)
    try:
        function = isolated(space["cell"])
    finally:
        del linecache.cache[name]
    with pytest.raises(ZeroDivisionError) as caught:
        function(1)
    assert f'File "{name}", line 5, in cell\n    return n / 0\n' in caught.value.remote_traceback


def test_a_source_that_has_changed_since_is_refused(tmp_path: Path):
    path = tmp_path / "module.py"
    path.write_text("def f(a):\n    return a\n")
    space: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), space)
    path.write_text("def f(a, b):\n    return a\n")
    with pytest.raises(ValueTransferError, match=r"has changed; start the program again"):
        isolated(space["f"])
    path.write_text("def f(a:\n    return a\n")
    linecache.checkcache(str(path))
    with pytest.raises(ValueTransferError, match=r"has changed"):
        isolated(space["f"])


# --- what goes wrong in it ----------------------------------------------------------------------


def test_an_error_has_the_functions_own_file_and_line():
    @isolated
    def outer(key: str) -> Any:
        def inner() -> Any:
            return {}[key]

        return inner()

    with pytest.raises(PodCallError) as caught:
        outer("a")
    error = caught.value
    assert isinstance(error, KeyError)
    lines, start = inspect.getsourcelines(outer.__wrapped__)
    at = {text.strip(): start + number for number, text in enumerate(lines)}
    expected = textwrap.dedent(f"""\
        Traceback (most recent call last):
          File "{__file__}", line {at["return inner()"]}, in outer
            return inner()
          File "{__file__}", line {at["return {}[key]"]}, in inner
            return {{}}[key]
        KeyError: 'a'
        """)
    shown = [
        each for each in error.remote_traceback.splitlines(True) if set(each.strip()) - {"^", "~"}
    ]
    assert "".join(shown) == expected
    assert error.pod_name == "isolated"


def test_a_source_too_new_for_its_python_is_said_with_its_place(find_python):
    @isolated(python=find_python("3.8"))
    def choose(n: int) -> str:
        match n:
            case 1:
                return "one"
        return "other"

    _, start = inspect.getsourcelines(choose.__wrapped__)
    with pytest.raises(SyntaxError) as caught:
        choose(1)
    assert f'File "{__file__}", line {start + 2}' in caught.value.remote_traceback


def test_wrong_arguments_are_a_type_error():
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'a'"):
        add()


def test_a_definition_larger_than_a_message_is_refused(bare_loader):
    with bare_loader("", max_frame_bytes=5000):
        pass
    loader = bare_loader("", max_frame_bytes=5000)
    loader.load_pod()
    big = Define(name="big", file="f", line=1, source="#" * 6000, future=0, values=b"")
    with pytest.raises(ValueTransferError, match="more than max_frame_bytes=5000; pass large"):
        loader.session().define(big)


def test_the_name_is_public():
    assert pypods.isolated is isolated
