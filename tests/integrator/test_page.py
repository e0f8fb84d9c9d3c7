"""The report's page: whole by itself, and nothing of anybody's in it as HTML."""

from __future__ import annotations

from html.parser import HTMLParser
from xml.etree import ElementTree as ET

from pypods.integrator import ExecutionReport, IntegrationReport, report_page
from pypods.integrator.page import speeds
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
