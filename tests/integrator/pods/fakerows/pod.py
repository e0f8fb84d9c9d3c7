"""A source for tests that has no pyarrow: rows as tuples, from a file of JSON."""


# ruff: noqa: PTH123

import json


def describe_connector():
    return {
        "name": "fakerows",
        "title": "JSON for tests",
        "driver": "json",
        "settings": [],
        "capabilities": {
            "read": True,
            "query": False,
            "where": False,
            "order": False,
            "after": False,
            "partition": False,
            "snapshot": False,
            "write": [],
            "atomic": False,
            "resume": False,
            "schema": False,
            "execute": False,
            "truncate": False,
            "count": False,
            "rows": True,
        },
        "verified": False,
    }


def check(connection):
    return {"server": "none", "driver": "json"}


def load(connection):
    with open(connection["file"]) as file:
        return json.load(file)


def schema(connection, stream, *, query=None, columns=None, names=None):
    fields = load(connection)["schema"]
    return {
        "schema": [((names or {}).get(name, name), kind, True) for name, kind in fields],
        "key": [],
        "rows": None,
    }


def read(connection, stream, *, columns=None, limit=None, batch_rows=65536, names=None):
    rows = [tuple(row) for row in load(connection)["rows"]][:limit]
    for i in range(0, len(rows), batch_rows):
        yield rows[i : i + batch_rows]
