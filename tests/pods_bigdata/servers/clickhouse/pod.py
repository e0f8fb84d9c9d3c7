"""ClickHouse's HTTP interface over chdb, which is ClickHouse in a process: all SQL is its own.

A request is one statement, in a connection of its own or in that of its ``session_id``; what the
URL says beside the interface's own parameters are settings.
"""

import base64
import json
import os
import re
import shutil
import signal
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import chdb

#: Parameters of the interface, which are no settings.
_OWN = {
    "query", "database", "default_format", "session_id", "session_check", "session_timeout",
    "query_id", "user", "password", "compress", "decompress", "wait_end_of_query", "quota_key",
    "client_protocol_version", "role", "buffer_size", "enable_http_compression",
    "http_headers_progress_interval_ms", "send_progress_in_http_headers",
    "http_zlib_compression_level", "cancel_http_readonly_queries_on_client_close",
}  # fmt: skip
#: What ClickHouse answers to some of its errors; 500 to the others.
_STATUS = {516: 403, 192: 403, 193: 403, 194: 401, 62: 400, 60: 404, 81: 404, 47: 404, 46: 404}
#: An INSERT, up to where its data begins.
_INSERT = re.compile(rb"(\s*insert\s+into\s.+?)(\sformat\s+\w+)\s*\n", re.IGNORECASE | re.DOTALL)
_VERSION = " (version {} (official build))"

_servers = []
#: Whom to kill, and after how many statements.
_victim: dict = {}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, users) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.users = users
        # Thousands of small files: some disks take minutes to remove them.
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = tempfile.mkdtemp(prefix="clickhouse-", dir=memory)
        self.keeper = chdb.connect(self.folder)
        self.version = self.keeper.query("select version()", "TSVRaw").bytes().decode().strip()
        self.sessions: dict = {}
        self.lock = threading.Lock()

    def connection(self, session_id):
        if not session_id:
            return chdb.connect(self.folder)
        with self.lock:
            if session_id not in self.sessions:
                self.sessions[session_id] = chdb.connect(self.folder)
            return self.sessions[session_id]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    #: Headers and body in one piece: two would wait for each other's acknowledgement.
    wbufsize = 2**16

    def log_message(self, *_) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/ping" or (path == "/" and not urlsplit(self.path).query):
            self._send(200, b"Ok.\n", {})
            return
        self._answer(b"")

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b"".join(self._chunks())
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer(body)

    def _chunks(self):
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            chunk = self.rfile.read(size)
            self.rfile.readline()
            if not size:
                return
            yield chunk

    def _answer(self, body) -> None:
        given = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        user, password = self._credentials(given)
        if self.server.users.get(user) != password:
            self._fail(
                f"Code: 516. DB::Exception: {user}: Authentication failed: password is incorrect, "
                f"or there is no user with such name. (AUTHENTICATION_FAILED)"
            )
            return
        statement = given.get("query", "").encode()
        statement = statement + b"\n" + body if statement and body else statement or body
        connection = self.server.connection(given.get("session_id"))
        try:
            sets = ["max_threads = 1"]  # Little runs here, and beside much else.
            for name, value in given.items():
                if name not in _OWN:
                    text = value.replace("\\", "\\\\").replace("'", "\\'")
                    sets.append(f"{name} = '{text}'")
            connection.query(f"set {', '.join(sets)}")
            if given.get("database"):
                name = given["database"].replace("\\", "\\\\").replace("`", "\\`")
                connection.query(f"use `{name}`")
            default = given.get("default_format") or self.headers.get("X-ClickHouse-Format")
            result = self._run(connection, statement, default or "TabSeparated")
            data = result.bytes()
            _count_down()
        except Exception as exc:
            self._fail(str(exc))
            return
        finally:
            if not given.get("session_id"):
                connection.close()
        format_ = re.search(rb"\bformat\s+(\w+)\s*;?\s*$", statement, re.IGNORECASE)
        summary = {"read_rows": str(result.rows_read()), "read_bytes": str(result.bytes_read())}
        self._send(200, data, {
            "X-ClickHouse-Summary": json.dumps(summary),
            "X-ClickHouse-Query-Id": given.get("query_id", ""),
            "X-ClickHouse-Format": format_[1].decode() if format_ else default or "TabSeparated",
            "X-ClickHouse-Timezone": "UTC",
        })  # fmt: skip

    def _run(self, connection, statement, default):
        """Run a statement. What is inserted goes through a file: chdb reads text after a query."""
        insert = _INSERT.match(statement)
        if not insert:
            return connection.query(statement, default)
        with tempfile.NamedTemporaryFile(dir=self.server.folder) as file:
            file.write(statement[insert.end() :])
            file.flush()
            source = f" from infile '{file.name}' compression 'none'".encode()
            return connection.query(insert[1] + source + insert[2], default)

    def _credentials(self, given):
        header = self.headers.get("Authorization", "")
        if header.startswith("Basic "):
            user, _, password = base64.b64decode(header[6:]).decode().partition(":")
            return user, password
        if "X-ClickHouse-User" in self.headers:
            return self.headers["X-ClickHouse-User"], self.headers.get("X-ClickHouse-Key", "")
        return given.get("user", "default"), given.get("password", "")

    def _fail(self, message) -> None:
        found = re.search(r"Code: (\d+)", message)
        code = int(found[1]) if found else 1000
        text = message.strip() + _VERSION.format(self.server.version) + "\n"
        self._send(
            _STATUS.get(code, 500), text.encode(), {"X-ClickHouse-Exception-Code": str(code)}
        )

    def _send(self, status, data, headers) -> None:
        self.send_response(status)
        for name, value in {"X-ClickHouse-Server-Display-Name": "chdb", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/plain; charset=UTF-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _count_down() -> None:
    """Kill whom we were asked to, once what it wants is done and before it is told so."""
    if _victim:
        _victim["statements"] -= 1
        if not _victim["statements"]:
            os.kill(_victim["pid"], signal.SIGKILL)
            _victim.clear()


def kill_after(pid, statements) -> None:
    """Kill a process when so many more statements were executed."""
    _victim.update(pid=pid, statements=statements)


def spare() -> None:
    """Kill nobody."""
    _victim.clear()


def start(users):
    """Start it for these users and their passwords, and return its port."""
    server = _Server(users)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    _servers.append(server)
    return server.server_address[1]


def stop() -> None:
    """End what was started, and remove what it kept."""
    while _servers:
        server = _servers.pop()
        server.shutdown()
        server.server_close()
        server.keeper.close()
        shutil.rmtree(server.folder, ignore_errors=True)
