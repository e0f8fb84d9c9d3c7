"""When requests are sent again, and how pages follow one another; nothing is sent here."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pypods.connectors.errors import DataError, SettingsError, UnreachableError
from pypods.connectors.records.paging import Page, check_pagination, make_pager
from pypods.connectors.records.repeating import Waits, is_worth_repeating, retry_after_seconds

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        (None, None, None),
        ("0", None, 0),
        (" 120 ", None, 120),
        ("Fri, 15 Jan 2027 08:00:30 GMT", None, 30),
        ("Fri, 15 Jan 2027 07:00:00 GMT", None, 0),
        ("Fri, 15 Jan 2027 09:00:30 GMT", "Fri, 15 Jan 2027 09:00:00 GMT", 30),
        ("Fri, 15 Jan 2027 08:00:30 GMT", "no date", 30),
        ("soon", None, None),
        ("-5", None, None),
        ("Fri, 99 Jan 2027 08:00:30 GMT", None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, date, seconds):
    assert retry_after_seconds(value, date, NOW) == seconds


@pytest.mark.parametrize(
    ("status", "repeatable", "asks", "worth"),
    [
        (200, True, False, False),
        (400, True, True, False),
        (408, True, False, True),
        (408, False, False, False),
        (429, False, False, True),
        (500, True, False, True),
        (500, False, True, False),
        (501, True, False, False),
        (503, False, True, True),
        (503, False, False, False),
        (504, True, False, True),
    ],
)
def test_what_is_worth_repeating(status, repeatable, asks, worth):
    assert is_worth_repeating(status, repeatable=repeatable, asks_to_wait=asks) is worth


def waits(slept, **options):
    given = {"retries": 3, "backoff": 0.5, "longest": 60, **options}
    return Waits(**given, sleep=slept.append, random=lambda: 1.0, now=lambda: NOW)


def test_waits_double_up_to_the_longest():
    slept = []
    for repetition in (0, 1, 2, 3, 10, 5000):
        waits(slept).wait(repetition, None, "GET x")
    assert slept == [0.5, 1, 2, 4, 60, 60]
    half = Waits(
        retries=1, backoff=8, longest=60, sleep=slept.append, random=lambda: 0.0, now=lambda: NOW
    )
    half.wait(0, None, "GET x")
    assert slept[-1] == 4


def test_what_the_server_asks_for_is_kept_or_refused():
    slept = []
    waits(slept).wait(0, 59.0, "GET x")
    with pytest.raises(UnreachableError, match=r"GET x asks to come back in 61 s.*60 s") as caught:
        waits(slept).wait(0, 61.0, "GET x")
    assert slept == [59.0]
    assert caught.value.retry


def pager(declared, **options):
    return make_pager("things", check_pagination("things", declared), **options)


def page(document, records, headers=()):
    return Page(SimpleNamespace(headers=dict(headers)), document, records)


def test_numbers_of_pages_end_with_an_empty_one():
    pages = pager({"kind": "page", "param": "p", "size": 2, "size_param": "n"})
    assert pages.first() == (None, {"n": 2, "p": 1})
    assert pages.next(page({}, [1])) == (None, {"n": 2, "p": 2})
    assert pages.next(page({}, [])) is None


def test_offsets_go_on_by_what_came():
    pages = pager({"kind": "offset", "param": "o", "start": 10})
    assert pages.first() == (None, {"o": 10})
    assert pages.next(page({}, [1, 2, 3])) == (None, {"o": 13})
    assert pages.next(page({}, [])) is None


def test_a_page_may_say_whether_there_are_more():
    pages = pager({"kind": "page", "param": "p", "more": "meta.more"})
    assert pages.next(page({"meta": {"more": True}}, [1])) == (None, {"p": 2})
    assert pages.next(page({"meta": {"more": "false"}}, [2])) is None
    with pytest.raises(DataError, match=r"no true or false at 'meta\.more'"):
        pages.next(page({"meta": {}}, [3]))


@pytest.mark.parametrize("kind", ["page", "offset"])
def test_the_same_page_again_is_an_error_unless_that_may_be(kind):
    pages = pager({"kind": kind, "param": "p", "start": 1})
    pages.next(page({}, [{"a": 1}]))
    with pytest.raises(DataError, match="p=2 with the page before"):
        pages.next(page({}, [{"a": 1}]))
    pages = pager({"kind": kind, "param": "p", "same_pages": True})
    assert pages.next(page({}, [1])) is not None
    assert pages.next(page({}, [1])) is not None


def test_empty_pages_that_say_there_are_more_are_no_endless_loop():
    pages = pager({"kind": "offset", "param": "o", "more": "more"})
    assert pages.next(page({"more": True}, [])) == (None, {"o": 0})
    with pytest.raises(DataError, match="o=0 with the page before"):
        pages.next(page({"more": True}, []))


@pytest.mark.parametrize("end", [{}, {"next": None}, {"next": ""}])
def test_cursors_end_where_there_is_none(end):
    pages = pager({"kind": "cursor", "param": "c", "cursor": "next"})
    assert pages.first() == (None, {})
    assert pages.next(page({"next": "abc"}, [1])) == (None, {"c": "abc"})
    assert pages.next(page({"next": 7}, [])) == (None, {"c": 7})
    assert pages.next(page({"next": {"a": 1}}, [])) == (None, {"c": '{"a": 1}'})
    assert pages.next(page(end, [1])) is None


def test_a_cursor_that_was_there_is_an_error_that_names_it():
    pages = pager({"kind": "cursor", "param": "c", "cursor": "next"})
    pages.next(page({"next": "abc"}, [1]))
    pages.next(page({"next": "def"}, [1]))
    with pytest.raises(DataError, match="things answered with the cursor 'abc' a second time"):
        pages.next(page({"next": "abc"}, [1]))


@pytest.mark.parametrize(
    ("header", "link"),
    [
        ('<https://h/a?p=2>; rel="next"', "https://h/a?p=2"),
        ('</a?p=1>; rel=prev, </a?p=3>; title="x, y"; rel="first next"', "/a?p=3"),
        ('</a?b=1,2;c=3>; rel="next"', "/a?b=1,2;c=3"),
        ("</a>; REL=Next", "/a"),
        ('</a>; rel="last"', None),
        ("", None),
        ("nonsense", None),
    ],
)
def test_links_of_headers(header, link):
    pages = pager({"kind": "link"}, follow=lambda answer, link: link)
    got = pages.next(page({}, [1], {"link": header}))
    assert got == (None if link is None else (link, {}))


def test_links_in_bodies_end_and_do_not_go_round():
    pages = pager({"kind": "next", "url": "links.next"}, follow=lambda answer, link: "h" + link)
    assert pages.next(page({"links": {"next": "/2"}}, [1])) == ("h/2", {})
    with pytest.raises(DataError, match="the link '/2' a second time"):
        pages.next(page({"links": {"next": "/2"}}, [1]))
    assert pages.next(page({"links": {"next": None}}, [1])) is None
    with pytest.raises(DataError, match="a next link that is 5"):
        pages.next(page({"links": {"next": 5}}, [1]))


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({}, "kind is one of"),
        ({"kind": "pages"}, "not 'pages'"),
        ({"kind": "page"}, "needs 'param'"),
        ({"kind": "cursor", "param": "c"}, "needs 'cursor'"),
        ({"kind": "next"}, "needs 'url'"),
        ({"kind": "page", "param": "p", "start": "1"}, "'start' is a number"),
        ({"kind": "page", "param": "p", "size": 1}, "go together"),
        ({"kind": "link", "param": "p"}, "link has no 'param'"),
    ],
)
def test_declarations_that_are_none(declared, words):
    with pytest.raises(SettingsError, match=words):
        check_pagination("things", declared)
