"""Another program that speaks to Redis."""

import redis


def _client(place):
    return redis.Redis(
        host=place["host"], port=place["port"], db=place["database"],
        password=place.get("password"), decode_responses=True,
    )  # fmt: skip


def run(place, *commands):
    """Run commands, each a list of texts, and return what they say."""
    with _client(place) as client:
        return [client.execute_command(*command) for command in commands]


def keys(place, prefix):
    """Return the keys that have that text in them."""
    with _client(place) as client:
        return sorted(client.scan_iter(match=f"*{prefix}*", count=1000))


def remove(place, prefix):
    """Remove all keys that have that text in them, the connector's own too."""
    with _client(place) as client:
        own = [key for key in client.scan_iter(match=".pypods/*", count=1000) if prefix in key]
        found = [*client.scan_iter(match=f"*{prefix}*", count=1000), *own]
        if found:
            client.unlink(*found)
