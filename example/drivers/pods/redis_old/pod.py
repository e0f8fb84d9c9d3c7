# /// script
# requires-python = ">=3.8,<3.12"
# ///
"""redis 2.10.6, of 2017: keys of each kind, written and read. It needs distutils, gone in 3.12."""

import redis


def version():
    """Return the driver's version."""
    return redis.__version__


def server_version(address):
    """Return the server's version."""
    return _connect(address).info("server")["redis_version"]


def prepare(address, place, tables):  # noqa: ARG001 - as the other pods have it
    """See that the server answers: a key needs no place made for it."""
    _connect(address).ping()


def write(address, place, table, rows):
    """Write keys, each (name, kind, value); return how many there are then."""
    client = _connect(address)
    pipeline = client.pipeline(transaction=False)
    for name, kind, value in rows:
        key = f"{place}:{table}:{name}"
        if kind == "string":
            pipeline.set(key, value)
        elif kind == "hash":
            pipeline.hmset(key, value)
        elif kind == "list":
            pipeline.rpush(key, *value)
        elif kind == "set":
            pipeline.sadd(key, *value)
        elif kind == "zset":
            # This version takes score, member, score, member …
            pipeline.zadd(key, *(part for member, score in value for part in (score, member)))
    pipeline.execute()
    return len(list(client.scan_iter(f"{place}:{table}:*", 1000)))


def read(address, place, table):
    """Return the keys, each (name, kind, value), by name."""
    client = _connect(address)
    keys = sorted(client.scan_iter(f"{place}:{table}:*", 1000))
    pipeline = client.pipeline(transaction=False)
    for key in keys:
        pipeline.type(key)
    kinds = [kind.decode() for kind in pipeline.execute()]
    for key, kind in zip(keys, kinds):
        if kind == "string":
            pipeline.get(key)
        elif kind == "hash":
            pipeline.hgetall(key)
        elif kind == "list":
            pipeline.lrange(key, 0, -1)
        elif kind == "set":
            pipeline.smembers(key)
        elif kind == "zset":
            pipeline.zrange(key, 0, -1, withscores=True)
    names = [key.decode().rpartition(":")[2] for key in keys]
    return list(zip(names, kinds, pipeline.execute()))


def drop(address, place):
    """Remove every key written here."""
    client = _connect(address)
    for key in client.scan_iter(f"{place}:*", 1000):
        client.delete(key)


def _connect(address):
    return redis.StrictRedis(
        host=address["host"],
        port=address["port"],
        password=address["password"] or None,
        db=int(address["database"] or 0),
    )
