"""The report's pages are well-formed, and hold as many marks as their tables have rows."""

import os
import subprocess
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest


@pytest.fixture(scope="module")
def pages(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    subprocess.run(
        [program("training_report_test"), "--gtest_filter=Report.WritesThePagesThatThePythonTestReads"],
        env={**os.environ, "SAMEBITS_TEST_FOLDER": str(folder)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return folder / "reports"


class Balance(HTMLParser):
    """Raises on a tag that closes another one than the innermost open."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, self.getpos()


@pytest.mark.parametrize("name", ["sample", "sparse", "large", "empty"])
def test_page_is_well_formed_html_and_xml(pages, name):
    text = (pages / f"{name}.html").read_text(encoding="utf-8")
    balance = Balance()
    balance.feed(text)
    balance.close()
    assert balance.open == []
    ElementTree.fromstring(text)


@pytest.mark.parametrize("name, epochs, layers", [("sample", 8, 4), ("large", 300, 120)])
def test_charts_and_tables_hold_every_epoch_and_layer(pages, name, epochs, layers):
    page = ElementTree.parse(pages / f"{name}.html")
    for chart, curves in zip(page.findall(".//svg[@class='chart']"), (2, 1), strict=True):
        series = chart.findall("g")
        assert len(series) == curves
        for curve in series:
            assert len(curve.findall("circle")) == epochs
            assert len(curve.find("path").get("d").replace("L", "M").split("M")) == epochs + 1
    assert len(page.findall(".//svg[@class='histogram']")) == layers
    assert len(page.findall(".//details//tbody/tr")) == epochs
    assert [len(table.findall("tbody/tr")) for table in page.findall(".//table")] == [5, epochs, 3, layers]  # results, epochs, classes, layers


def test_marks_stay_inside_their_chart(pages):
    page = ElementTree.parse(pages / "sample.html")
    for svg in page.findall(".//svg[@class='chart']"):
        _, _, width, height = map(float, svg.get("viewBox").split())
        for circle in svg.findall(".//circle"):
            assert 54 <= float(circle.get("cx")) <= width
            assert 40 <= float(circle.get("cy")) <= height - 44
