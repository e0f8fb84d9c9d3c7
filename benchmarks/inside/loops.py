"""Workers' loops that a user of a bare transport would write; each calls functions of `work`."""

import os
import pickle
import sys

import work


def over_connection(connection):
    """Answer calls on a connection of multiprocessing, until its other end is closed."""
    while True:
        try:
            name, args = connection.recv()
        except EOFError:
            return
        if name == "count":
            for item in work.count(*args):
                connection.send(item)
        else:
            connection.send(getattr(work, name)(*args))


def over_zmq(address):
    """Answer calls at an address of ZeroMQ, pickled, until the parent is gone."""
    import zmq

    parent = os.getppid()
    context = zmq.Context()
    replies = context.socket(zmq.REP)
    replies.bind(address)
    print("ready", flush=True)
    while True:
        if not replies.poll(1000):
            if os.getppid() != parent:
                return
            continue
        name, args = pickle.loads(replies.recv(copy=False).buffer)
        if name == "count":
            items = context.socket(zmq.PUSH)
            items.connect(args[1])
            for item in work.count(args[0]):
                items.send(pickle.dumps(item, 5))
            items.close()
            replies.send(pickle.dumps(None, 5))
        else:
            replies.send(pickle.dumps(getattr(work, name)(*args), 5), copy=False)


def over_pipes():
    """Answer pickled calls on stdin with pickles on stdout: nothing but pickle and two pipes."""
    calls, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb", buffering=0)
    while True:
        try:
            name, args = pickle.load(calls)
        except EOFError:
            return
        if name == "count":
            for item in work.count(*args):
                answers.write(pickle.dumps(item, 5))
        else:
            data = memoryview(pickle.dumps(getattr(work, name)(*args), 5))
            while data:
                data = data[answers.write(data) :]


def over_rpyc():
    """Serve functions to RPyC on stdin and stdout."""
    import rpyc
    from rpyc.core.stream import PipeStream

    stream = PipeStream(os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)

    class Functions(rpyc.Service):
        def exposed_get(self, name):
            return getattr(work, name)

    config = {"allow_all_attrs": True, "allow_pickle": True, "sync_request_timeout": None}
    rpyc.connect_stream(stream, service=Functions, config=config).serve_all()


class Functions:
    """An actor's class, for who has actors."""

    def run(self, name, *args):
        return getattr(work, name)(*args)

    def count(self, items):
        for item in work.count(items):  # noqa: UP028 - Ray delegates to no iterator of range
            yield item


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
