"""What speaks MongoDB's protocol as far as the driver needs it, over mongomock's collections.

It is no MongoDB: what it does with a query is what mongomock does.
"""

import logging
import socketserver
import struct
import threading

import bson
import mongomock
from bson.codec_options import CodecOptions
from mongomock.collection import Collection
from mongomock.filtering import filter_applies

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
OPTIONS = CodecOptions(document_class=dict)
FAILED, UNAUTHORIZED, NOT_FOUND = 1, 18, 26
HELLO = {
    "ismaster": True, "isWritablePrimary": True, "maxBsonObjectSize": 16 * 2**20,
    "maxMessageSizeBytes": 48_000_000, "maxWriteBatchSize": 100_000, "minWireVersion": 0,
    "maxWireVersion": 21, "readOnly": False,
}  # fmt: skip

logging.disable(logging.CRITICAL)
_client = mongomock.MongoClient()
_cursors = {}
_lock = threading.Lock()
_servers = []


def start():
    """Start it, and return its port."""
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    _servers.append(server)
    return server.server_address[1]


def insert(database, collection, documents):
    """Insert documents as another program does; they are BSON."""
    _client[database][collection].insert_many([bson.decode(each) for each in documents])


def documents(database, collection):
    """Return the documents, as texts."""
    return [repr(each) for each in _client[database][collection].find()]


def drop(database):
    """Remove a database."""
    _client.drop_database(database)


def indexes(database, collection, add=None):
    """Return the names of the indexes; with one more, on a field of that name."""
    found = _client[database][collection]
    if add is not None:
        found.create_index(add, name=add)
    return sorted(found.index_information())


class _Handler(socketserver.BaseRequestHandler):
    def handle(self):
        while True:
            header = self._receive(16)
            if header is None:
                return
            length, request, _, code = struct.unpack("<iiii", header)
            body = self._receive(length - 16)
            if body is None:
                return
            if code == OP_QUERY:
                start = body.index(b"\0", 4) + 1 + 8
                reply = bson.encode(_answer(bson.decode(body[start:], OPTIONS), "admin"))
                raw = struct.pack("<iqii", 8, 0, 0, 1) + reply
                self._send(raw, request, OP_REPLY)
            else:
                command = _command(body)
                reply = bson.encode(_answer(command, command.get("$db", "admin")))
                self._send(struct.pack("<i", 0) + b"\0" + reply, request, OP_MSG)

    def _receive(self, count):
        parts = b""
        while len(parts) < count:
            try:
                part = self.request.recv(min(count - len(parts), 2**20))
            except OSError:
                return None
            if not part:
                return None
            parts += part
        return parts

    def _send(self, raw, request, code):
        self.request.sendall(struct.pack("<iiii", len(raw) + 16, 0, request, code) + raw)


def _command(body):
    at, command, lists = 4, {}, {}
    while at < len(body):
        kind, at = body[at], at + 1
        (size,) = struct.unpack_from("<i", body, at)
        if kind == 0:
            command = bson.decode(body[at : at + size], OPTIONS)
        else:
            name_end = body.index(b"\0", at + 4)
            name = body[at + 4 : name_end].decode()
            lists[name] = bson.decode_all(body[name_end + 1 : at + size], OPTIONS)
        at += size
    return {**command, **lists}


def _answer(command, database):
    name = next(iter(command))
    with _lock:
        try:
            answer = _COMMANDS[name](_client[database], command)
        except KeyError:
            return {"ok": 0, "code": 59, "errmsg": f"no such command: {name}"}
        except mongomock.OperationFailure as error:
            return {"ok": 0, "code": error.code or FAILED, "errmsg": str(error)}
    return {"ok": 1, **answer} if "ok" not in answer else answer


def _refuse(database, command):
    return {"ok": 0, "code": UNAUTHORIZED, "errmsg": "Authentication failed."}


def _page(space, found, command):
    size = command.get("batchSize", 101)
    first, rest = found[:size], found[size:]
    number = 0
    if rest and not command.get("singleBatch"):
        number = len(_cursors) + 1
        _cursors[number] = rest
    return {"cursor": {"id": bson.Int64(number), "ns": space, "firstBatch": first}}


def _find(database, command):
    collection = database[command["find"]]
    cursor = collection.find(command.get("filter") or {}, command.get("projection"))
    if command.get("sort"):
        cursor = cursor.sort(list(command["sort"].items()))
    if command.get("limit"):
        cursor = cursor.limit(command["limit"])
    return _page(f"{database.name}.{collection.name}", list(cursor), command)


def _more(database, command):
    number, size = command["getMore"], command.get("batchSize", 1000)
    found = _cursors.pop(number)
    if found[size:]:
        _cursors[number] = found[size:]
    left = number if found[size:] else 0
    space = f"{database.name}.{command['collection']}"
    return {"cursor": {"id": bson.Int64(left), "ns": space, "nextBatch": found[:size]}}


def _kill(database, command):
    for number in command["cursors"]:
        _cursors.pop(number, None)
    return {"cursorsKilled": command["cursors"]}


# mongomock looks through all documents for those that a query is about, at each update anew.

_look_through_all = Collection._iter_documents
#: What the update under way can be about; None: anything.
_candidates = None


def _look_through(collection, query):
    """Return the documents that a query is about: by ``_id``, or of few that are known."""
    wanted = _plain(query).get("_id")
    if _candidates is not None:
        few = _candidates
    elif isinstance(wanted, (str, bson.ObjectId)):
        few = [collection._store[wanted]] if wanted in collection._store else []
    else:
        return _look_through_all(collection, query)
    return (each for each in few if filter_applies(query, each))


Collection._iter_documents = _look_through


def _plain(query):
    """Return a query with values where it asks whether something is equal."""
    return {
        name: value["$eq"] if isinstance(value, dict) and [*value] == ["$eq"] else value
        for name, value in query.items()
    }


class _Index:
    """Documents by the values of some fields; those with values that cannot be a key are by all."""

    def __init__(self, collection, names):
        self.names = names
        self.found, self.others = {}, []
        for document in collection._store.documents:
            self.add(document)

    def add(self, document):
        """Add a document."""
        try:
            key = tuple(document.get(name) for name in self.names)
            self.found.setdefault(key, []).append(document)
        except TypeError:
            self.others.append(document)

    def candidates(self, query):
        """Return the documents that may have the values of a query; None: any may."""
        try:
            return self.found.get(tuple(query[name] for name in self.names), []) + self.others
        except TypeError:
            return None


def _update(database, command):
    global _candidates
    collection, changed, upserted, index = database[command["update"]], 0, [], None
    for at, each in enumerate(command["updates"]):
        # An inserted document has what the query says is equal; mongomock knows only one way to.
        query, change = _plain(each["q"]), each["u"]
        is_change = next(iter(change), "").startswith("$")
        update = collection.update_one if is_change else collection.replace_one
        if "_id" in query:
            index = None  # What is changed so may be in it.
        else:
            if index is None or index.names != [*query]:
                index = _Index(collection, [*query])
            _candidates = index.candidates(query)
        try:
            result = update(query, change, upsert=each.get("upsert", False))
        finally:
            _candidates = None
        changed += result.matched_count
        if result.upserted_id is not None:
            upserted.append({"index": at, "_id": result.upserted_id})
            if index is not None:
                index.add(collection._store[result.upserted_id])
        elif any(change.get("$set", {}).get(name, query[name]) != query[name] for name in query):
            index = None  # What it is found by is not what it was.
    new = {"upserted": upserted} if upserted else {}
    return {"n": changed + len(upserted), "nModified": changed, **new}


def _insert(database, command):
    database[command["insert"]].insert_many(command["documents"])
    return {"n": len(command["documents"])}


def _delete(database, command):
    collection, count = database[command["delete"]], 0
    for each in command["deletes"]:
        remove = collection.delete_one if each["limit"] else collection.delete_many
        count += remove(each["q"]).deleted_count
    return {"n": count}


def _list_collections(database, command):
    found = [{"name": name, "type": "collection"} for name in database.list_collection_names()]
    return _page(f"{database.name}.$cmd.listCollections", found, {"batchSize": 10**6})


def _list_indexes(database, command):
    name = command["listIndexes"]
    if name not in database.list_collection_names():
        return {"ok": 0, "code": NOT_FOUND, "errmsg": "ns does not exist"}
    found = [
        {"v": 2, "name": index, "key": dict(about["key"])}
        for index, about in database[name].index_information().items()
    ]
    return _page(f"{database.name}.{name}", found, {"batchSize": 10**6})


def _create_indexes(database, command):
    for each in command["indexes"]:
        database[command["createIndexes"]].create_index(
            list(each["key"].items()), name=each["name"]
        )
    return {}


def _create(database, command):
    database.create_collection(command["create"])
    return {}


def _drop(database, command):
    database.drop_collection(command["drop"])
    return {}


def _rename(_, command):
    database, _, name = command["renameCollection"].partition(".")
    new = command["to"].partition(".")[2]
    _client[database][name].rename(new, dropTarget=command.get("dropTarget", False))
    return {}


def _count(database, command):
    return {"n": database[command["count"]].count_documents(command.get("query") or {})}


_COMMANDS = {
    "ismaster": lambda *_: HELLO, "isMaster": lambda *_: HELLO, "hello": lambda *_: HELLO,
    "ping": lambda *_: {}, "endSessions": lambda *_: {}, "saslStart": _refuse,
    "buildInfo": lambda *_: {"version": "0.0.0 (a stand-in)", "versionArray": [0, 0, 0, 0]},
    "buildinfo": lambda *_: {"version": "0.0.0 (a stand-in)", "versionArray": [0, 0, 0, 0]},
    "find": _find, "getMore": _more, "killCursors": _kill, "insert": _insert, "update": _update,
    "delete": _delete, "listCollections": _list_collections, "listIndexes": _list_indexes,
    "createIndexes": _create_indexes, "create": _create, "drop": _drop,
    "renameCollection": _rename, "count": _count,
}  # fmt: skip
