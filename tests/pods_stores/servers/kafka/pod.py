"""A cluster that speaks Kafka's protocol, and another program that uses it: librdkafka's mock.

It acknowledges transactions, and neither takes back what was aborted nor fences anybody. Topics
are made when somebody asks for them by name, with four partitions; it keeps 5 MiB of each.
"""

from confluent_kafka import Producer

_clusters = []


def start():
    """Start it, with the topic of the connector's notes; return its address."""
    cluster = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 3})
    _clusters.append(cluster)
    brokers = cluster.list_topics("_pypods", timeout=10).brokers.values()
    return ",".join(f"{broker.host}:{broker.port}" for broker in brokers)


def produce(topic, messages):
    """Produce messages, each the arguments of librdkafka's produce, and wait for them."""
    cluster = _clusters[-1]
    for message in messages:
        if "headers" in message:
            message["headers"] = [tuple(each) for each in message["headers"]]
        cluster.produce(topic, **message)
    return cluster.flush(10)
