"""Messages of a topic: from offsets on up to where the topic ends when reading begins."""

from __future__ import annotations

from confluent_kafka import TopicPartition

from pypods.connectors.errors import ConflictError, SettingsError

from .kafka_columns import vector_of, vector_text
from .kafka_notes import messages_until

_FROM = (">", ">=", "=")


class Reading:
    """One read of a topic, partition by partition."""

    def __init__(self, session, settings, columns, found, asked):
        self.session = session
        self.topic = found.stream.name
        self.schema = found.schema
        self.columns = columns
        self.asked = asked
        self.has_vectors = columns.offsets in asked.columns
        if self.has_vectors and asked.partition:
            raise SettingsError(
                f"column {columns.offsets!r} is known where a topic is read as a whole; leave it "
                f"out, or read in one part"
            )
        self.consumer = session.consumer(settings["isolation"])

    @property
    def in_order(self):
        """Whether messages come in the order that is wanted."""
        names = self.columns
        order = self.asked.order
        whole = [names.partition, names.offset]
        return order[:1] == [names.offsets] or order == whole[: len(order)] or order[:2] == whole

    def batches(self):
        """Yield the messages."""
        spans = self._spans()
        positions = {partition: start for partition, (start, _) in spans.items()}
        first = 0
        if spans:
            # Else it looks for a topic that is new to it in its own time, after up to a second.
            self.consumer.list_topics(self.topic, timeout=self.session.timeout)
        for partition, (start, end) in sorted(spans.items()):
            if start >= end:
                continue
            self.consumer.assign([TopicPartition(self.topic, partition, start)])
            for messages in messages_until(
                self.consumer, partition, start, end, self.session.timeout
            ):
                vectors = None
                if self.has_vectors:
                    vectors = []
                    for message in messages:
                        positions[partition] = message.offset() + 1
                        vectors.append(vector_text(positions))
                yield self.columns.batch(
                    self.topic, messages, self.schema, self.asked.columns, first, vectors
                )
                first += len(messages)
        self.consumer.unassign()

    def _spans(self):
        """Return from where to where each partition is read."""
        wanted = self.asked.partition.get("partitions")
        spans = ends(self.session, self.topic)
        if wanted is not None:
            spans = {int(each): _within(self.topic, each, span, spans)
                     for each, span in wanted.items()}  # fmt: skip
        starts = self._starts(spans)
        for partition, start in starts.items():
            low, end = spans[partition]
            if start > end:
                raise ConflictError(
                    f"partition {partition} of {self.topic} ends at {end}, and is to be read from "
                    f"{start}: the topic was made anew; read all again"
                )
            spans[partition] = (max(low, start), end)
        return spans

    def _starts(self, spans):
        """Return where to begin, by what is asked for."""
        names, chosen = self.columns, self.asked.chosen
        starts = {}
        for name, operator, value in chosen.conditions:
            if operator not in _FROM:
                continue
            if name == names.offset:
                for each, (low, end) in spans.items():
                    starts[each] = max(starts.get(each, low), min(value.as_py(), end))
            elif name == names.offsets and operator != "=":
                starts.update(self._vector(value.as_py(), spans))
            elif name == names.partition and operator == "=":
                # Whatever is in the others is not asked for.
                starts.update({e: end for e, (_, end) in spans.items() if e != value.as_py()})
        order, after = self.asked.order, self.asked.after
        if after is not None and after[0].is_valid:
            if order[:1] == [names.offsets]:
                starts.update(self._vector(after[0].as_py(), spans))
            elif order[:2] == [names.partition, names.offset] and after[1].is_valid:
                last, offset = after[0].as_py(), after[1].as_py()
                starts.update({each: end for each, (_, end) in spans.items() if each < last})
                if last in spans:
                    starts[last] = max(starts.get(last, 0), offset + 1)
        return starts

    def _vector(self, text, spans):
        starts = vector_of(text)
        for partition, start in starts.items():
            if partition not in spans:
                raise ConflictError(
                    f"{self.topic} has no partition {partition}, and is to be read from there: "
                    f"the topic was made anew; read all again"
                )
            low = spans[partition][0]
            if 0 < start < low:
                raise ConflictError(
                    f"messages {start} to {low - 1} of partition {partition} of {self.topic} are "
                    f"gone before they were read; read all again"
                )
        return starts


def ends(session, topic):
    """Return the first offset and the one after the last of each partition."""
    return {each: session.ends(topic, each) for each in session.partitions(topic)}


def _within(topic, partition, span, spans):
    low, _ = spans[int(partition)]
    start, end = span
    if start < low:
        raise ConflictError(
            f"messages {start} to {low - 1} of partition {partition} of {topic} are gone since it "
            f"was partitioned; begin anew"
        )
    return start, end


def split(session, topic, count):
    """Return at most that many partitions, each of one or more of the topic's own."""
    spans = ends(session, topic)
    parts = [{} for _ in range(min(max(count, 1), len(spans)))]
    # The largest first, each to the part that has the least.
    weights = [0] * len(parts)
    for partition, (start, end) in sorted(spans.items(), key=lambda each: each[1][0] - each[1][1]):
        least = weights.index(min(weights))
        parts[least][str(partition)] = [start, end]
        weights[least] += end - start
    return [{"partitions": part} for part in parts]


def check_partition(title, partition):
    """Raise SettingsError for what is no partition of ours."""
    if not partition:
        return
    spans = partition.get("partitions") if isinstance(partition, dict) else None
    if not isinstance(spans, dict) or not all(_is_span(*each) for each in spans.items()):
        raise SettingsError(f"{title} has no partition {partition!r}")


def _is_span(name, span):
    return (
        str(name).isdigit()
        and isinstance(span, (list, tuple))
        and len(span) == len(("start", "end"))
        and all(isinstance(each, int) for each in span)
    )
