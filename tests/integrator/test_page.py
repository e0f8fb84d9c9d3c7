"""The report's page: whole by itself, and nothing of anybody's in it as HTML."""

from __future__ import annotations

from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from pypods.integrator import ExecutionReport, IntegrationReport, report_page
from pypods.integrator.page import short, speeds
from pypods.integrator.report import MAX_POINTS, Throughput, Verification


def page(**settings: object) -> str:
    one = IntegrationReport("<b>one</b>", "a s", "b t", "append", status="failed", **settings)
    return report_page(ExecutionReport("e", "<script>", "failed", 1.0, 2.0, [one], error="a < b"))


def test_names_are_text():
    text = page(changes=["<i>"], error="</p>")
    for raw in ("<b>one", "<script>", "<i>", "a < b"):
        assert raw not in text


def test_it_needs_nothing_else():
    seen = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            seen.append(tag)
            assert not {"src", "href"} & {name for name, _ in attrs}

    Reader().feed(page(throughput=[(0.0, 0), (1.0, 10)]))
    assert "svg" in seen
    assert not {"script", "link", "img"} & set(seen)


def test_the_plot_is_a_picture_of_the_speed():
    text = page(throughput=[(0.0, 0), (1.0, 1000), (2.0, 1000), (4.0, 9000)])
    svg = text[text.index("<svg") : text.index("</svg>") + 6]
    root = ET.fromstring(svg)
    points = root.find("polyline").get("points").split()
    heights = [float(point.split(",")[1]) for point in points]
    assert len(points) == 60
    assert min(heights) == heights[-1]  # The most rows a second, at the end.
    assert heights[20] == max(heights)  # Nothing in the second second.
    assert "4.0 k" in svg


def test_speeds_add_up_to_the_rows():
    curve = speeds([(0.0, 0), (0.31, 7), (0.5, 100), (3.0, 1000)])
    assert abs(sum(speed * 3.0 / 60 for _, speed in curve) - 1000) < 1e-6


def test_rows_from_before_were_not_moved():
    throughput = Throughput()
    throughput.begin(1.0, 500)
    throughput.end(3.0, 700)
    curve = speeds(throughput.points)
    assert max(speed for seconds, speed in curve if seconds < 0.95) == 0
    assert abs(sum(speed * 3.0 / 60 for _, speed in curve) - 200) < 1e-6


def test_without_rows_there_is_no_plot():
    assert "<svg" not in page(throughput=[(0.0, 0), (1.0, 0)])
    assert "<svg" not in page()


def test_points_are_few_however_long_it_takes():
    throughput = Throughput()
    for number in range(100_000):
        throughput.add(number / 100, number)
    throughput.end(1000.0, 100_000)
    assert len(throughput.points) <= MAX_POINTS
    assert throughput.points[0] == (0.0, 0)
    assert throughput.points[-1] == (1000.0, 100_000)
    assert throughput.points == sorted(throughput.points)
    assert len(throughput.points) > MAX_POINTS / 4


def test_checksums_are_told():
    text = page(verification=Verification(False, "some differ", 5, 5, "ab", "cd"))
    assert "different" in text
    assert "ab and cd" in text


def test_facts_that_there_are_not_are_not_on_the_page():
    text = page()
    for name in ("rows in the target", "there from before", "parts", "memory", "checksums", "sums"):
        assert f"<dt>{name}" not in text


def test_facts_that_there_are_stand_on_the_page():
    text = page(rows_in_target=1234, rows_resumed=5, parts=3, peak_pod_memory=12_000_000)
    for name, value in (
        ("rows in the target", "1,234"), ("there from before", "5"), ("parts", "3"),
        ("pods&#x27; memory, at most", "12 MB"),
    ):  # fmt: skip
        assert f"<dt>{name}</dt><dd>{value}</dd>" in text


@pytest.mark.parametrize(
    ("equal", "word"),
    [
        (None, "<td>not compared</td>"),
        (True, '<span class="equal">equal</span>'),
        (False, '<span class="different">different</span>'),
    ],
)
def test_what_verifying_found_is_a_word_and_its_sums(equal, word):
    found = Verification(equal, "a note", source_sum="1f", target_sum="2e")
    text = page(verification=found)
    assert word in text
    assert "<dt>checksums</dt><dd>a note</dd>" in text
    assert "<dt>sums</dt><dd>1f and 2e</dd>" in text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (999.4, "999"), (1500, "1.5 k"), (2.5e6, "2.5 M")]
)
def test_numbers_are_short(number, text):
    assert short(number) == text


def test_without_time_there_is_no_speed():
    assert speeds([]) == []
    assert speeds([(0.0, 0)]) == []
    assert "<svg" not in page(throughput=[(0.0, 5), (1.0, 5)])


def page_of(status, *integrations, error=None):
    return report_page(
        ExecutionReport("e-1", "nightly", status, 1.0, 2.0, [*integrations], error=error)
    )


def test_an_error_is_said_once_with_what_to_do_next():
    failed = IntegrationReport(
        "one", "a s", "b t", "append", status="failed", error="one: it broke"
    )
    text = page_of("failed", failed, error="one: it broke")
    assert text.count("one: it broke") == 1
    assert "<code>pypods integrate resume e-1</code>" in text
    assert page_of("failed", failed, error="another").count('<p class="error">') == 2
    done = IntegrationReport("one", "a s", "b t", "append", status="finished")
    assert "resume" not in page_of("finished", done)


def test_what_did_not_begin_has_no_numbers():
    skipped = IntegrationReport("two", "a s", "b t", "append", status="skipped")
    text = page_of("failed", skipped)
    assert "It did not begin." in text
    assert '<td class="number">0' not in text
    assert "<dt>rows read</dt>" not in text


def test_a_cursor_is_a_value_and_equal_sums_are_one():
    text = page(
        cursor_before={"type": "datetime", "value": "2026-01-01"}, cursor_after=7,
        verification=Verification(True, "equal", 5, 5, "ab", "ab"),
    )  # fmt: skip
    assert "<dt>cursor from</dt><dd>2026-01-01</dd>" in text
    assert "<dt>cursor to</dt><dd>7</dd>" in text
    assert "<dt>sums</dt><dd>ab</dd>" in text
