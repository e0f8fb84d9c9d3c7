"""The broker by itself: order, slow observers, observers that raise."""

from __future__ import annotations

import threading

from pypods.integrator.events import QUEUE_EVENTS, Broker, Event


def event(name: str, rows: int = 0) -> Event:
    return Event(name, "e", "o", "i", rows_written=rows)


def test_events_come_in_their_order_to_whom_they_concern():
    broker = Broker()
    finished, every = [], []
    broker.subscribe("finished", finished.append)
    broker.subscribe("*", every.append)
    for name in ("started", "batch_read", "finished"):
        broker.publish(event(name))
    assert broker.drain()
    assert [each.name for each in finished] == ["finished"]
    assert [each.name for each in every] == ["started", "batch_read", "finished"]
    broker.publish(event("started"))  # Also after a drain.
    assert broker.drain()
    assert len(every) == 4


def test_a_slow_observer_misses_progress_and_nothing_else():
    broker = Broker()
    release = threading.Event()
    seen = []

    def observe(one):
        assert release.wait(60)
        seen.append(one)

    broker.subscribe("*", observe)
    for rows in range(QUEUE_EVENTS + 500):
        broker.publish(event("batch_written", rows))
    for _ in range(100):
        broker.publish(event("retry"))
    assert broker.dropped >= 499
    assert not broker.drain(0.01)
    release.set()
    assert broker.drain()
    assert len([each for each in seen if each.name == "retry"]) == 100
    assert len(seen) == QUEUE_EVENTS + 500 - broker.dropped + 100


def test_who_raises_is_told_of_the_next_event(caplog):
    broker = Broker()
    seen = []

    def observe(one):
        seen.append(one)
        raise ValueError("no")

    broker.subscribe("*", observe)
    others = []
    broker.subscribe("*", others.append)
    for _ in range(3):
        broker.publish(event("started"))
    assert broker.drain()
    assert (len(seen), len(others), broker.errors) == (3, 3, 3)
    assert len(caplog.records) == 1


def test_without_observers_there_is_no_thread():
    broker = Broker()
    before = threading.active_count()
    broker.publish(event("started"))
    assert threading.active_count() == before
    assert broker.drain()


def test_an_event_is_a_document():
    document = event("started", 5).document()
    assert (document["name"], document["rows_written"]) == ("started", 5)
