"""A server of HTTP in a thread, which answers what a test says; and one of SOAP, in a pod."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from pypods.pods import PodLoader


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Else the last packet of an answer waits for the acknowledgment of the one before.
    wbufsize = -1

    def answer(self):
        server = self.server.here
        length = int(self.headers.get("Content-Length") or 0)
        url = urlsplit(self.path)
        asked = SimpleNamespace(
            method=self.command, path=url.path, names=[unquote(s) for s in url.path.split("/")[1:]],
            query={k: v[-1] for k, v in parse_qs(url.query, keep_blank_values=True).items()},
            headers=self.headers, body=self.rfile.read(length).decode(), handler=self,
        )  # fmt: skip
        server.asked.append(asked)
        answer = server.answer(asked)
        if answer is None:  # Whoever answers has done it, or has gone.
            self.close_connection = True
            return
        status, document, headers = (*answer, {})[:3]
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


for _method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"):
    setattr(Handler, f"do_{_method}", Handler.answer)


class Server:
    """``answer`` takes what is asked, and returns status, document or bytes, and headers."""

    def __init__(self):
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.here = self
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.reset()

    def reset(self):
        self.asked = []
        self.answer = lambda asked: (404, {"message": "nobody is here"})

    def stop(self):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture(scope="session")
def http_server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def server(http_server: Server) -> Server:
    """Return a server that answers nothing but what the test says."""
    http_server.reset()
    return http_server


@pytest.fixture
def rest(load_connector):
    """Return the pod of the connector for REST."""
    return load_connector("rest").load_pod()


class Tables:
    """A service that keeps tables: pages of records, rows added, rows put at their keys."""

    def __init__(self, *, token=None):
        self.tables = {}
        self.token = token
        self.answers = {}
        self.lock = threading.Lock()

    def __call__(self, asked):
        if self.token and asked.headers.get("Authorization") != f"Bearer {self.token}":
            return 401, {"message": f"{asked.headers.get('Authorization')} is nobody"}
        if asked.path == "/":
            return 200, {}
        with self.lock:
            return self.table(asked)

    def table(self, asked):
        table, *key = asked.names
        if asked.method == "GET":
            if table not in self.tables:
                return 404, {"message": f"no table {table}"}
            rows = list(self.tables[table].values())
            start, size = int(asked.query.get("offset", 0)), int(asked.query.get("limit", 100))
            return 200, ('{"rows": [' + ",".join(rows[start : start + size]) + "]}").encode()
        identity = asked.headers.get("Idempotency-Key")
        if identity in self.answers:
            return self.answers[identity]
        rows = self.tables.setdefault(table, {})
        # The texts, as they came: numbers stay what they were.
        if asked.method == "PUT":
            old = json.loads(rows.get(key[0], "{}"), parse_float=Text, parse_int=Text)
            new = json.loads(asked.body, parse_float=Text, parse_int=Text)
            rows[key[0]] = dumped({**old, **new})
        else:
            for row in json.loads(asked.body, parse_float=Text, parse_int=Text):
                rows[f"#{len(rows)}"] = dumped(row)
        self.answers[identity] = 200, {}
        return self.answers[identity]


class Text(str):
    """A number, as it was written."""

    __slots__ = ()


def dumped(value):
    if isinstance(value, Text):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{dumped(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dumped, value)) + "]"
    return json.dumps(value)


@pytest.fixture
def tables(server: Server) -> Tables:
    """Return a service of tables on the server."""
    server.answer = Tables()
    return server.answer


ANY_TABLE = {
    "path": "/{stream}",
    "records": "rows",
    "pagination": {"kind": "offset", "param": "offset", "size": 400, "size_param": "limit"},
    "write": {"rows_per_request": 25},
    "upsert": {},
}


@pytest.fixture
def any_table() -> dict[str, object]:
    """Return the declaration of a table of that service."""
    return dict(ANY_TABLE)


@pytest.fixture(scope="session")
def soap_service(tmp_path_factory, request):
    """Return the pod of a server that speaks SOAP, with its address."""
    folder = tmp_path_factory.mktemp("servers")
    shutil.copytree(Path(__file__).parent / "servers" / "soap", folder / "soap")
    if sys.version_info >= (3, 12):  # spyne 2.14 does not run there.
        (folder / "soap" / ".python-version").write_text(
            str(request.getfixturevalue("find_python")("3.11"))
        )
    with PodLoader("soap", pods_directory=folder) as pod:
        pod.address = pod.start()
        yield pod
