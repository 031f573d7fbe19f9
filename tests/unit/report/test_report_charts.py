"""Charts: well-formed SVG, text escaped, lengths and places as the numbers say."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from label_quality.report.charts import Bar, Line, bars, compact, lines, matrix

NASTY = "<script>alert(1)</script>&\"'"
SVG = "{http://www.w3.org/2000/svg}"


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def test_bars_are_as_long_as_their_numbers() -> None:
    root = parsed(bars([Bar("a", [1.0], "1"), Bar("b", [0.25, 0.5], "2", 0.5, 2.0)], "title"))
    first, second, third = (float(r.attrib["width"]) for r in root.iter("rect"))
    assert second == pytest.approx(first / 4, abs=0.1)
    assert third == pytest.approx(first / 2, abs=0.1)
    (whisker,) = (p for p in root.iter("path") if p.attrib["class"] == "whisker")
    start, end = (
        float(v.split(" ")[0])
        for v in (whisker.attrib["d"][1:], whisker.attrib["d"].split("H")[1].split("m")[0])
    )
    assert end - start == pytest.approx(1.5 * first, abs=0.2)


def test_lines_go_from_the_lower_left_to_the_upper_right() -> None:
    root = parsed(
        lines([Line("a", [(0, 0), (1, 1)], [(0, 0.1), (0.9, 1)])], "title", x_name="x", y_name="y")
    )
    (line,) = root.iter("polyline")
    (x0, y0), (x1, y1) = (map(float, p.split(",")) for p in line.attrib["points"].split())
    assert x1 - x0 == y0 - y1 > 100
    (band,) = root.iter("polygon")
    assert len(band.attrib["points"].split()) == 4


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.text("0123456789.e-", min_size=1, max_size=9)), min_size=2
    )
)
def test_the_texts_of_ticks_stand_apart(ticks: list[tuple[float, str]]) -> None:
    ticks = [(0.0, "0"), *sorted(ticks), (1.0, "0.000123")]
    root = parsed(lines([Line("a", [(0, 0)])], "title", x_name="x", y_name="y", ticks=ticks))
    shown = [t for t in root.iter("text") if t.attrib["class"] == "tick x"]
    assert (shown[0].text, shown[-1].text) == ("0", "0.000123")
    for one, other in itertools.pairwise(shown):
        half = 6 * (len(one.text or "") + len(other.text or "")) / 2  # a digit is about 6 px wide
        assert float(other.attrib["x"]) - float(one.attrib["x"]) > half


def test_a_cell_names_itself_and_its_share() -> None:
    root = parsed(
        matrix(
            ["cat"], ["cat", "dog"], [[30, 10]], "title", row_name="label", column_name="prediction"
        )
    )
    assert [t.text for t in root.iter("title")] == [
        "title",
        "cat → cat: 30 (75%)",
        "cat → dog: 10 (25%)",
    ]


@pytest.mark.parametrize(
    "chart",
    [
        bars([Bar(NASTY, [1], NASTY)], NASTY, [NASTY]),
        lines([Line(NASTY, [(0, 0)]), Line(NASTY, [(0, 0)])], NASTY, x_name=NASTY, y_name=NASTY, ticks=[(0, NASTY)]),
        matrix([NASTY], [NASTY], [[1]], NASTY, row_name=NASTY, column_name=NASTY),
        bars([], "empty"),
        lines([], "empty", x_name="x", y_name="y"),
        matrix([], [], [], "empty", row_name="x", column_name="y"),
        bars([Bar("zero", [0.0], "0")], "zero"),
    ],
)  # fmt: skip
def test_charts_are_well_formed_and_escaped(chart: str) -> None:
    root = parsed(chart)
    assert root.tag == "svg"
    assert "<script" not in chart
    assert all(
        e.tag in ("svg", "title", "text", "rect", "path", "g", "polyline", "polygon")
        for e in root.iter()
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.01234, "0.0123"), (12.34, "12.3"), (1234, "1,234"), (-56_789, "-56.8k"), (3.07e5, "307k"), (4.56e6, "4.56M"), (7e9, "7G")],
)  # fmt: skip
def test_compact(value: float, text: str) -> None:
    assert compact(value) == text


@given(st.floats(-1e15, 1e15))
def test_compact_is_near_and_short(value: float) -> None:
    text = compact(value)
    assert len(text) <= 11
    factor = {"k": 1e3, "M": 1e6, "G": 1e9}.get(text[-1], 1)
    assert float(text.rstrip("kMG").replace(",", "")) * factor == pytest.approx(value, rel=0.01)
