"""Functions of the host that a pod keeps: called in later calls, and let go of by both sides."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from pypods.errors import PodCallError, PodDiedError, PodTimeoutError, ValueTransferError

LoadPod = Callable[..., Any]

SOURCE = """
import asyncio, atexit, functools, gc, logging, sqlite3, threading, time
kept = {}
def same(x): return x
def nothing(*args, **kwargs): return None
def refuse(*args): raise ValueError("refused")
def keep(name, value): kept[name] = value
def drop(name=None): kept.pop(name, None) if name else kept.clear()
def call(name, *args, **kwargs): return kept[name](*args, **kwargs)
async def call_async(name, *args):
    await asyncio.sleep(0)
    return kept[name](*args)
def stream(name, n):
    for i in range(n): yield kept[name](i)
def keep_partial(name, f, *args): kept[name] = functools.partial(f, *args)
def give(name): return kept[name]
def give_and_drop(name): return kept.pop(name)
def give_in_a_list(name, n): return [kept[name]] * n
def is_kept(name, f): return kept[name] is f
def is_same(f, g): return f is g and f == g and len({f, g}) == 1 and hash(f) == hash(g)
def raise_with(f): raise ValueError(f)
def fail_to_return(f): return [f, (x for x in ()), asyncio.sleep(0)]
def listen(f): kept.setdefault("listeners", []).append(f)
def unlisten(f): kept["listeners"].remove(f)
def tell(x): return [f(x) for f in kept["listeners"]]
def catches(name):
    try: kept[name]()
    except ValueError as exc: return str(exc), type(exc).__mro__[1].__name__
def in_a_thread(name):
    said = []
    def run():
        try: said.append(kept[name](1))
        except BaseException as exc: said.append(repr(exc))
    thread = threading.Thread(target=run)
    thread.start(); thread.join()
    return said[0]
def at_exit(name, path):
    def run():
        try: text = kept[name](1)
        except RuntimeError as exc: text = str(exc)
        with open(path, "w") as file: file.write(str(text))
    atexit.register(run)
class Cyclic:
    def __init__(self, f): self.f, self.me = f, self
    def __del__(self):
        try: kept["said"] = self.f("last words")
        except BaseException as exc: kept["said"] = repr(exc)
def leave_a_cycle(f): Cyclic(f); return None
def collect(): gc.collect(); return kept.pop("said", None)
class Handler(logging.Handler):
    def __init__(self, f):
        super().__init__()
        self.f = f
    def emit(self, record): self.f(record.getMessage())
def log_to(f): logging.getLogger("kept").addHandler(Handler(f))
def log_no_more(): logging.getLogger("kept").handlers.clear()
def log(text): logging.getLogger("kept").error(text)
def held():
    gc.collect()
    from pypods.worker.host_functions import HostFunctions
    return sum(len(each) for each in gc.get_objects() if type(each) is HostFunctions)
def nap(seconds): time.sleep(seconds)
def nap_with(seconds, f):
    for _ in range(int(seconds * 100)): time.sleep(0.01)
"""

MODES: list[dict[str, Any]] = [{}, {"threads": 3}]


@pytest.fixture(scope="module", params=MODES, ids=["one at a time", "threads=3"])
def loader(module_loader: LoadPod, request: pytest.FixtureRequest) -> Any:
    name = "kept" + "_".join(request.param)
    loader = module_loader(SOURCE, name, **request.param, measured=True)
    loader.load_pod()
    return loader


@pytest.fixture
def pod(loader: Any) -> Any:
    loader.pod.drop()
    assert lent_after(loader) == 0
    return loader.pod


def functions_of(loader: Any) -> Any:
    return loader.session_at(0)._handles.functions


def lent_after(loader: Any) -> int:
    """Return how many functions the host has lent, once the pod has said what it let go of."""
    for _ in range(300):
        loader.pod.collect()
        if not functions_of(loader):
            break
        time.sleep(0.01)  # Another thread of the pod may not have left its call yet.
    return len(functions_of(loader))


# Calling -----------------------------------------------------------------------------------------


def test_it_runs_on_the_thread_that_makes_the_later_call(pod):
    pod.keep("f", threading.get_ident)
    threads: list[int] = []
    thread = threading.Thread(target=lambda: threads.append(pod.call("f")))
    thread.start()
    thread.join(30)
    assert threads == [thread.ident]
    assert pod.call("f") == threading.get_ident()


def test_it_is_called_by_a_stream_a_partial_and_an_async_function(pod):
    pod.keep("f", lambda x: x + 1)
    assert list(pod.stream("f", 40)) == list(range(1, 41))
    assert pod.call_async("f", 1) == 2
    pod.keep_partial("g", lambda a, b: (a, b), "first")
    assert pod.call("g", "second") == ("first", "second")
    assert pod.call.submit("f", 2).result(30) == 3
    assert list(pod.call.map(["f"] * 5, range(5))) == [1, 2, 3, 4, 5]


def test_its_exception_travels_as_in_the_call_that_it_was_passed_to(pod):
    def fail() -> None:
        raise ValueError("later")

    pod.keep("f", fail)
    assert pod.catches("f") == ("later", "HostCallError")
    with pytest.raises(ValueError, match="later") as caught:
        pod.call("f")
    assert isinstance(caught.value, PodCallError)
    assert type(caught.value.__cause__) is ValueError
    assert pod.catches("f")
    with pytest.raises(KeyError) as other:
        pod.call("not there")
    assert other.value.__cause__ is None


def test_it_may_call_the_pod_and_keep_more_there(pod):
    pod.keep("inner", lambda x: x * 2)
    pod.keep("f", lambda x: pod.call("inner", x) + 1)
    assert pod.call("f", 20) == 41
    pod.keep("g", lambda: pod.keep("h", lambda: "kept meanwhile"))
    assert pod.call("g") is None
    assert pod.call("h") == "kept meanwhile"


def test_what_it_returns_may_be_a_function(pod):
    pod.keep("make", lambda n: [lambda x: x + n])
    (add,) = pod.call("make", 5)
    assert add(1) == 6
    pod.keep("f", lambda: partial(max, 3))
    assert pod.call("f")(7) == 7
    pod.keep("f", lambda: iter([1]))
    with pytest.raises(PodCallError, match="the host's answer"):
        pod.call("f")


def test_after_a_timeout_and_ctrl_c_it_still_is_there(pod):
    def interrupted() -> None:
        raise KeyboardInterrupt

    pod.keep("f", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pod.call("f")
    with pytest.raises(PodTimeoutError):
        pod.nap_with.options(timeout=0.2)(60, interrupted)
    pod.keep("h", lambda x: x)
    assert pod.call("h", 5) == 5
    assert pod.give("f") is interrupted


@pytest.mark.parametrize(
    ("options", "advice"),
    [({}, "load the pod with threads=1"), ({"threads": 1}, "no call of it runs on this thread")],
    ids=str,
)
def test_a_thread_of_the_pods_own_has_nobody_to_ask(bare_loader: LoadPod, options, advice):
    pod = bare_loader(SOURCE, **options).load_pod()
    pod.keep("f", lambda x: x + 1)
    said = pod.in_a_thread("f")
    assert said.startswith("RuntimeError")
    assert advice in said
    assert pod.call("f", 1) == 2


@pytest.mark.parametrize("options", MODES, ids=str)
def test_at_the_pods_end_there_is_nobody_to_ask(bare_loader: LoadPod, tmp_path, options):
    loader = bare_loader(SOURCE, **options)
    pod = loader.load_pod()
    pod.keep("f", lambda x: x)
    pod.at_exit("f", str(tmp_path / "said"))
    loader.unload_pod()
    assert "no call of it runs on this thread of the pod" in (tmp_path / "said").read_text()


def test_with_workers_each_keeps_its_own(bare_loader: LoadPod):
    loader = bare_loader(SOURCE, workers=2)
    loader.load_pod()

    def function(x: Any) -> Any:
        return x, os.getpid()

    for _ in range(2):
        with loader.sticky() as one:
            one.keep("f", function)
            assert one.call("f", 1) == (1, os.getpid())
            assert one.give("f") is function
            inner = one.call
            one.keep("g", lambda inner=inner: inner("f", 2))
            assert one.call("g") == (2, os.getpid())


# Identity ----------------------------------------------------------------------------------------


def test_the_same_function_is_the_same_in_the_pod(pod):
    def function() -> None: ...

    assert pod.is_same(function, function)
    assert not pod.is_same(function, lambda: None)
    pod.keep("f", function)
    assert pod.is_kept("f", function)
    assert pod.is_same(print, print)


class Listener:
    def __init__(self, name: str) -> None:
        self.name = name

    def hear(self, x: Any) -> Any:
        return self.name, x

    def __eq__(self, other: object) -> bool:
        raise AssertionError("nothing is compared")

    __hash__ = None  # type: ignore[assignment]


def test_a_bound_method_is_the_same_each_time_it_is_passed(pod):
    first, second, items = Listener("first"), Listener("second"), [1]
    assert pod.is_same(first.hear, first.hear)
    assert not pod.is_same(first.hear, second.hear)
    assert pod.is_same(items.append, items.append)
    assert not pod.is_same(items.append, [1].append)
    assert pod.is_same(items.__len__, items.__len__)
    pod.listen(first.hear)
    pod.listen(second.hear)
    pod.unlisten(first.hear)
    assert pod.tell(1) == [("second", 1)]


def test_the_host_gets_its_own_function_back(pod):
    def function() -> None: ...

    assert pod.same(function) is function
    assert pod.same({"a": [function, (function,)]}) == {"a": [function, (function,)]}
    pod.keep("f", function)
    assert pod.give("f") is function
    assert pod.give_in_a_list("f", 3) == [function] * 3
    with pytest.raises(ValueError, match="function") as caught:
        pod.raise_with(function)
    assert caught.value.args == (function,)
    assert pod.call("f") is None
    seen: list[Any] = []
    pod.keep("g", seen.append)
    pod.call("g", function)
    pod.call("g", pod.give("g"))
    assert seen[0] is function
    assert seen[1].__self__ is seen


def test_it_is_copied_as_functions_are(pod):
    pod.keep("copy", lambda x: x)
    module = pod._pypods_source.session().import_module("copy")
    assert module.deepcopy([print]) == [print]
    assert module.copy(print) is print


# Letting go --------------------------------------------------------------------------------------


def test_it_lives_as_long_as_the_pod_keeps_it(pod, loader):
    def function() -> None: ...

    watched = weakref.ref(function)
    pod.keep("f", function)
    del function
    gc.collect()
    assert pod.call("f") is None
    assert watched() is not None
    pod.drop("f")
    pod.nothing()
    gc.collect()
    assert watched() is None
    assert lent_after(loader) == 0
    assert pod.held() == 0


def test_one_that_the_pod_does_not_keep_ends_with_its_call(pod, loader):
    def function() -> None: ...

    watched = weakref.ref(function)
    pod.same(pod.nothing(function))
    del function
    assert watched() is None
    assert len(functions_of(loader)) == 0


def test_a_hundred_thousand_leave_nothing(pod, loader):
    watched: weakref.WeakSet[Any] = weakref.WeakSet()
    most = 0
    for n in range(10_000 if loader._threads else 100_000):
        function = lambda n=n: n  # noqa: E731 - one of many
        if n % 10 == 0:
            watched.add(function)
        pod.nothing(function)
        if n % 1000 == 0:
            most = max(most, len(functions_of(loader)), len(watched))
    del function
    gc.collect()
    assert most < 10
    assert len(watched) == 0
    assert lent_after(loader) == 0
    assert pod.held() == 0


def test_many_at_once_go_at_once(pod, loader):
    functions = [lambda n=n: n for n in range(50_000)]
    watched = weakref.ref(functions[0])
    pod.keep("many", functions)
    assert len(functions_of(loader)) == 50_000
    assert pod.give("many") == functions
    del functions
    gc.collect()
    assert watched() is not None
    pod.drop("many")
    assert lent_after(loader) == 0
    assert watched() is None


def test_one_that_is_sent_again_while_it_is_let_go_of_is_not_lost(pod, loader):
    """Many threads send, keep, call, drop and get back the same function."""

    def function(x: int) -> int:
        return x + 1

    errors: list[Any] = []

    def run(name: str) -> None:
        try:
            for n in range(150):
                pod.keep(name, function)
                assert pod.call(name, n) == n + 1
                assert pod.give_and_drop(name) is function
                assert pod.same([function, function]) == [function] * 2
                assert pod.same.submit(function).result(30) is function
        except BaseException as exc:  # Told in the main thread.
            errors.append(exc)

    threads = [threading.Thread(target=run, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert not any(thread.is_alive() for thread in threads)
    assert lent_after(loader) == 0
    assert pod.held() == 0


def test_what_fails_on_its_way_leaves_nothing(pod, loader):
    import datetime as dt
    from zoneinfo import ZoneInfo

    def function() -> None: ...

    nowhere = ZoneInfo.no_cache("Europe/Paris")
    session = loader.session_at(0)
    checks: list[tuple[type[BaseException], Callable[[], Any]]] = [
        (ValueTransferError, lambda: pod.same([function, object()])),  # It is never sent.
        (ValueTransferError, lambda: pod.same([function, "x" * session._max_frame_bytes])),
        (ValueError, lambda: pod.refuse(function)),
        (AttributeError, lambda: pod.not_there(function)),
        (ValueTransferError, lambda: pod.fail_to_return(function)),
        (PodTimeoutError, lambda: pod.nap_with.options(timeout=0.2)(60, function)),
        (TypeError, lambda: pod.keep("f", lambda: [function, object()]) or pod.call("f")),
    ]
    for kind, check in checks:
        with pytest.raises(kind):
            check()
        pod.drop()
        assert (lent_after(loader), pod.held()) == (0, 0), kind
    when = dt.datetime(2024, 1, 1, tzinfo=nowhere)
    number = session._next_number()
    frame = session._call_frame(number, call_head_of(pod.same), ([function, when, function],), {})
    with pytest.raises(ValueTransferError, match="Europe/Pariz"):
        session._request(number, frame.replace(b"Paris", b"Pariz"), 30)
    assert lent_after(loader) == 0
    assert pod.held() == 0


def call_head_of(function: Any) -> bytes:
    head: bytes = function._head
    return head


def test_calls_that_are_cancelled_before_they_begin_leave_nothing(pod, loader):
    watched: weakref.WeakSet[Any] = weakref.WeakSet()
    busy = [pod.nap.submit(0.3) for _ in range(4)]
    waiting = []
    for n in range(20):
        function = lambda n=n: n  # noqa: E731 - one of many
        watched.add(function)
        waiting.append(pod.same.submit(function))
    del function
    for each in waiting:
        each.cancel()
    for each in busy:
        with contextlib.suppress(Exception):
            each.result(30)
    del waiting, each
    assert lent_after(loader) == 0
    gc.collect()
    assert len(watched) == 0


def test_a_finalizer_in_a_cycle_may_still_call_it(pod, loader):
    said: list[Any] = []

    def function(words: str) -> str:
        said.append(words)
        return "heard"

    watched = weakref.ref(function)
    pod.leave_a_cycle(function)
    del function
    assert pod.collect() in ("heard", None)  # None: it was collected earlier, by itself.
    assert said == ["last words"]
    assert lent_after(loader) == 0
    assert watched() is None


def test_after_the_pods_death_the_host_keeps_nothing(bare_loader: LoadPod):
    loader = bare_loader(SOURCE)
    for end in ("kill", "unload"):
        pod = loader.load_pod()

        def function() -> None: ...

        watched = weakref.ref(function)
        pod.keep("f", function)
        functions = functions_of(loader)
        assert len(functions) == 1
        if end == "kill":
            os.kill(loader.pids[0], signal.SIGKILL)
            # KeyError where its death is noticed first: the pod was then started anew.
            with pytest.raises((PodDiedError, KeyError)):
                [pod.call("f") for _ in range(1000)]
        else:
            loader.unload_pod()
        del function
        gc.collect()
        assert watched() is None
        assert len(functions) == 0
        assert not functions._numbers


# Libraries ---------------------------------------------------------------------------------------


def test_sqlite_keeps_functions_of_the_host(pod, loader):
    connection = pod.sqlite3.connect(":memory:", check_same_thread=False)
    threads: list[int] = []

    def triple(x: int) -> int:
        threads.append(threading.get_ident())
        return 3 * x

    watched = weakref.ref(triple)
    connection.create_function("triple", 1, triple)
    del triple
    if loader._threads:
        connection.close()  # sqlite may be used there on one thread at a time only.
        return
    assert connection.execute("select triple(14)").fetchone() == (42,)
    assert threads == [threading.get_ident()]
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    connection.execute("select 1")
    assert statements == ["select 1"]
    connection.set_trace_callback(None)
    connection.execute("select 2")
    assert statements == ["select 1"]
    connection.create_collation("backwards", lambda a, b: (a < b) - (a > b))
    rows = connection.execute("select value from json_each('[1,3,2]') order by value || '' ")
    assert rows.fetchall() == [(1,), (2,), (3,)]
    names = connection.execute(
        "select value || '' from json_each('[1,3,2]') order by 1 collate backwards"
    )
    assert names.fetchall() == [("3",), ("2",), ("1",)]
    with pytest.raises(ValueTransferError, match="type cannot cross by value"):
        connection.create_aggregate("total", 1, int)
    connection.close()
    del rows, names, connection
    assert lent_after(loader) == 0
    assert watched() is None


def test_a_logging_handler_keeps_one(pod):
    heard: list[str] = []
    pod.log_to(heard.append)
    pod.log("first")
    pod.log("second")
    pod.log_no_more()
    pod.log("third")
    assert heard == ["first", "second"]
