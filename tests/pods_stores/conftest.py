"""Connectors of stores and queues in their own environments, each built once in a session."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

import pytest

from pypods.pods import PodLoader


@pytest.fixture
def prefix() -> str:
    """Return what all names of one test begin with."""
    return f"pypods-test-{uuid.uuid4().hex}"


class RedisKeys:
    """Where the server is, and the prefix of keys that are removed after the test."""

    def __init__(self, place: dict, prefix: str) -> None:
        self.place = place
        self.prefix = prefix


@pytest.fixture
def redis_keys(redis, prefix, redis_client):
    """Return a prefix of keys in the server's database, none of which stays."""
    place = {"host": redis.host, "port": redis.port, "database": int(redis.database or 0)}
    if redis.password:
        place["password"] = redis.password
    yield RedisKeys(place, prefix)
    redis_client.remove(place, prefix)


@pytest.fixture(scope="session")
def redis_client(tmp_path_factory):
    """Return a pod that speaks to Redis as another program does."""
    with load_server("redis_client", tmp_path_factory) as pod:
        yield pod


def load_server(name, tmp_path_factory):
    """Return the loader of a pod of the tests."""
    folder = tmp_path_factory.mktemp("servers")
    shutil.copytree(Path(__file__).parent / "servers" / name, folder / name)
    return PodLoader(name, pods_directory=folder)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory):
    """Return librdkafka's mock cluster, in a pod of its own, with ``place``."""
    with load_server("kafka", tmp_path_factory) as pod:
        yield KafkaCluster(pod, {"servers": pod.start(), "timeout": 10})


class KafkaCluster:
    """The pod that has the cluster, and where it is."""

    def __init__(self, pod, place) -> None:
        self.pod = pod
        self.place = place


@pytest.fixture(scope="session")
def mongodb_pod(tmp_path_factory):
    """Return the pod with what speaks MongoDB's protocol, and its port."""
    with load_server("mongodb", tmp_path_factory) as pod:
        yield pod, pod.start()


class MongodbStandIn:
    """The pod that stands in for the server, and a database of its own there."""

    def __init__(self, pod, place) -> None:
        self.pod = pod
        self.place = place


@pytest.fixture
def mongodb(mongodb_pod, prefix):
    """Return a database of the stand-in, which is removed after the test."""
    pod, port = mongodb_pod
    place = {"host": "127.0.0.1", "port": port, "database": prefix, "timeout": 20}
    yield MongodbStandIn(pod, place)
    pod.drop(prefix)
