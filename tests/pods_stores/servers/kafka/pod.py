"""A cluster that speaks Kafka's protocol, and another program that uses it: librdkafka's mock.

It acknowledges transactions, and neither takes back what was aborted nor fences anybody. Topics
are made when somebody asks for them by name, with four partitions; it keeps 5 MiB of each.
"""

from ctypes import CDLL, c_char_p, c_int, c_size_t, c_void_p, create_string_buffer

from confluent_kafka import Producer, cimpl

PRODUCER, BROKERS, REPLICAS = 0, 1, 1

# The library that the module is linked with: what Python's functions do not have of its mock.
_library = CDLL(cimpl.__file__)
for _name, _result, *_arguments in (
    ("rd_kafka_conf_new", c_void_p),
    ("rd_kafka_new", c_void_p, c_int, c_void_p, c_char_p, c_size_t),
    ("rd_kafka_mock_cluster_new", c_void_p, c_void_p, c_int),
    ("rd_kafka_mock_cluster_bootstraps", c_char_p, c_void_p),
    ("rd_kafka_mock_topic_create", c_int, c_void_p, c_char_p, c_int, c_int),
):
    getattr(_library, _name).restype = _result
    getattr(_library, _name).argtypes = _arguments

_clusters = []
_producers = []


def start():
    """Start it, with the topic of the connector's notes; return its address."""
    text = create_string_buffer(512)
    client = _library.rd_kafka_new(PRODUCER, _library.rd_kafka_conf_new(), text, len(text))
    _clusters.append(_library.rd_kafka_mock_cluster_new(client, BROKERS))
    address = _library.rd_kafka_mock_cluster_bootstraps(_clusters[-1]).decode()
    _producers.append(Producer({"bootstrap.servers": address, "log_level": 3}))
    _producers[-1].list_topics("_pypods", timeout=10)
    return address


def make_topic(name, partitions):
    """Make a topic with that many partitions."""
    error = _library.rd_kafka_mock_topic_create(_clusters[-1], name.encode(), partitions, REPLICAS)
    if error:
        raise ValueError(f"the topic {name} cannot be made: error {error}")


def produce(topic, messages):
    """Produce messages, each the arguments of librdkafka's produce, and wait for them."""
    producer = _producers[-1]
    for message in messages:
        if "headers" in message:
            message["headers"] = [tuple(each) for each in message["headers"]]
        producer.produce(topic, **message)
    return producer.flush(10)
