"""Does in a pod what pods do: prints, logs, raises, starts children."""

import os
import sys

import helpers
from pods.zoo.helpers import double

SEEN_AT_IMPORT = sorted(sys.modules)


def add(a, b=2, *, times=1):
    """Add two numbers."""
    return (a + b) * times


def modules_and_path():
    return SEEN_AT_IMPORT, list(sys.path)


def try_import(name):
    try:
        __import__(name)
    except ImportError as exc:
        return str(exc)
    return None


def where():
    return __name__, __file__, helpers.__name__, sys.modules["pods"].zoo.__name__, sys.argv


def read_stdin():
    return sys.stdin.read(), os.read(0, 10)


def print_in_every_way(mark):
    """Python, the system call, the C library, a shell and a program."""
    import ctypes
    import subprocess

    print("python " + mark)
    sys.stdout.write("no end " + mark)
    print()
    print("bad \ud800 " + mark)
    print("stderr " + mark, file=sys.stderr)
    os.write(1, ("write " + mark + "\n").encode())
    libc = ctypes.CDLL(None)
    libc.puts(("puts " + mark).encode())
    libc.fflush(None)
    os.system("echo shell " + mark)
    subprocess.run([sys.executable, "-c", "print('child', " + repr(mark) + ")"], check=True)
    return mark


def descriptors():
    """Return what the numbers 0 and 1 are, and which numbers a child would get."""
    inheritable = [fd for fd in range(3, 64) if is_open(fd) and os.get_inheritable(fd)]
    return os.readlink("/proc/self/fd/0"), os.path.samestat(os.fstat(1), os.fstat(2)), inheritable


def is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def square(number):
    print("squaring", number)
    return number * number, __name__, double(number)


def answer(queue, number):
    import logging

    logging.getLogger("child").error("from a child")
    queue.put(square(number))


def in_another_process(method, number):
    """Let multiprocessing run a function of this file in a child."""
    import multiprocessing

    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=answer, args=(queue, number))
    process.start()
    value = queue.get(timeout=30)
    process.join(30)
    code = process.exitcode
    queue.close()
    queue.join_thread()
    return value, code


def fork_and_come_back():
    """Return twice: once in the parent, once in a child that should not be here."""
    pid = os.fork()
    if pid == 0:
        return "child"
    _, status = os.waitpid(pid, 0)
    return status


def fork_and_raise():
    pid = os.fork()
    if pid == 0:
        raise ValueError("in a child")
    _, status = os.waitpid(pid, 0)
    return status


def is_loaded(name):
    return name in sys.modules


def log(level, message, name="zoo.sub"):
    import logging

    logging.getLogger(name).log(level, message)


def log_with_basic_config(**options):
    import logging

    logging.basicConfig(**options)
    logging.getLogger("configured").warning("after basicConfig")
    return [type(handler).__name__ for handler in logging.getLogger().handlers]


def log_badly():
    import logging

    logging.getLogger("bad").error("%d", "no number")


def log_in_thread(mark):
    import logging
    import threading

    thread = threading.Thread(target=logging.getLogger("thread").error, args=(mark,))
    thread.start()
    thread.join()


def fail(message):
    raise ValueError(message)


class OwnError(KeyError):
    def __str__(self):
        return "own text"


def fail_in_chain():
    try:
        try:
            {}["missing"]
        except KeyError as exc:
            raise OwnError("key", 7) from exc
    except OwnError:
        raise ValueError("last")  # noqa: B904 - so that it has a context


def nap(seconds):
    import time

    time.sleep(seconds)
    return seconds


def leave(status):
    sys.exit(status)


def interrupt_me():
    raise KeyboardInterrupt


def limits():
    return sys.getrecursionlimit()


def fail_large(size):
    raise ValueError("y" * 100, b"x" * size)
