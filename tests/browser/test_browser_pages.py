"""Summary, Explorer and Performance as a person uses them: each control does what it says, and the URL says what is shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from browser_server import serving
from helpers.published import pictures, publish, refresh
from queue_page import log

Visit = Callable[..., Any]
NASTY = "<img src=x onerror=alert(1)>"


def ready(page: Any) -> Any:
    """Wait until the page has what it was asked for, charts too."""
    page.wait_for_selector("body[data-ready]")
    page.wait_for_load_state("networkidle")
    return page


def query(page: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query, keep_blank_values=True)


def asked(page: Any, path: str) -> Any:
    """What the server says to that path."""
    return page.evaluate("(p) => fetch(p).then((r) => r.json())", path)


def settled(page: Any, change: Callable[[], Any]) -> None:
    """Change the list of the Explorer, and wait until it is shown anew."""
    before = page.evaluate("document.body.dataset.ready")
    change()
    page.wait_for_function("(b) => document.body.dataset.ready !== b", arg=before)
    page.wait_for_load_state("networkidle")


def values(page: Any) -> list[float]:
    """The values under the tiles, as far as they are written."""
    texts = page.eval_on_selector_all(
        ".tile-card strong", "e => e.map((x) => x.title.split(' ').find((w) => /^-?[0-9.e+-]+$/.test(w)))"
    )  # fmt: skip
    return [float(t) for t in texts]


def chips(page: Any) -> list[str]:
    return [t.removesuffix("×").strip() for t in page.locator(".chips .chip").all_inner_texts()]


def middle_of(page: Any, selector: str) -> tuple[float, float, float, float]:
    box = page.locator(selector).first.bounding_box()
    return box["x"], box["y"], box["width"], box["height"]


def click_at(page: Any, mark: Any) -> None:
    """Click a mark of a chart: plotly has a layer of its own above, which takes the click and knows what lies below."""
    mark.evaluate("(e) => e.scrollIntoView({ block: 'center' })")
    box = mark.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_timeout(200)  # it looks for what lies below when the pointer rests
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


# Summary --------------------------------------------------------------------------------------------------------


def test_the_summary_leads_to_the_queue_and_the_explorer(server: Any, visit: Visit) -> None:
    page = ready(visit(f"{server.url}/summary"))
    found = asked(page, "/api/summary/errors")
    tiles = page.locator(".tiles").first.inner_text()
    for number in (found["totals"]["images"], found["totals"]["labels"], found["totals"]["findings"]):  # fmt: skip
        assert f"{number:,}" in tiles
    assert "Simulated" in page.inner_text(".notice")
    click_at(page, page.locator(".chart[aria-label='Error rates by type'] .point path").nth(1))
    page.wait_for_url("**/?type=*")
    shown = found["rates_figure"]["data"][0]["customdata"][1]["type"]
    assert query(page)["type"] == [shown]
    page.go_back()
    ready(page)
    page.click(".tile.wrong")  # severe outliers
    page.wait_for_url("**/explorer?*")
    ready(page)
    total = asked(page, "/api/summary/kind?kind=annotation")["outliers"]["severe"]
    assert page.inner_text(".total").split()[0] == f"{total:,}"
    assert chips(page) == ["severe outlier"]


def test_kinds_metrics_and_types_stand_in_the_address(server: Any, visit: Visit) -> None:
    page = ready(visit(f"{server.url}/summary"))
    page.click(".segmented button[data-kind=prediction]")
    page.wait_for_function(
        "() => document.querySelector('select[aria-label=Metric]').value === 'confidence'"
    )
    page.select_option("select[aria-label=Metric]", "aspect_ratio")
    page.select_option("select[aria-label='Type of error']", "missing")
    page.wait_for_load_state("networkidle")
    chosen = {"kind": ["prediction"], "metric": ["aspect_ratio"], "type": ["missing"]}
    assert query(page) | chosen == query(page)
    page.reload()
    ready(page)
    assert page.input_value("select[aria-label=Metric]") == "aspect_ratio"
    assert page.input_value("select[aria-label='Type of error']") == "missing"
    pressed = page.get_attribute(
        ".segmented button[data-kind=prediction]", "aria-pressed"
    )  # fmt: skip
    assert pressed == "true"


def test_a_box_over_two_metrics_opens_what_lies_in_it(server: Any, visit: Visit) -> None:
    page = ready(visit(f"{server.url}/summary"))
    chart = ".chart[aria-label='Two metrics'] .nsewdrag"
    page.locator(chart).evaluate("(e) => e.scrollIntoView({ block: 'center' })")
    x, y, width, height = middle_of(page, chart)
    page.mouse.move(x + width * 0.3, y + height * 0.2)
    page.mouse.down()
    page.mouse.move(x + width * 0.5, y + height * 0.5, steps=4)
    page.mouse.move(x + width * 0.7, y + height * 0.8, steps=4)
    page.mouse.up()
    page.click("text=Show these in the Explorer")
    page.wait_for_url("**/explorer?*")
    ready(page)
    ranges = query(page)["range"]
    assert [r.split(":")[0] for r in ranges] == ["area", "aspect_ratio"]
    assert len(chips(page)) == 2
    total = asked(page, "/api/explorer/overview?kind=annotation")["total"]
    assert 0 < int(page.inner_text(".total").split()[0].replace(",", "")) < total


# Explorer -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("view", "sort", "falling"),
    [
        ("Annotation Duplicates", "same_class_iou", True),
        ("Absolute Area", "area", False),
        ("Aspect Ratio", "aspect_ratio", True),
    ],
)
def test_three_views_are_one_click_away(
    server: Any, visit: Visit, view: str, sort: str, falling: bool
) -> None:
    page = ready(visit(f"{server.url}/explorer?sort=random"))
    settled(page, lambda: page.click(f".views button:has-text('{view}')"))
    assert page.input_value("select[aria-label='Sort by']") == sort
    assert page.get_attribute(f".views button:has-text('{view}')", "aria-pressed") == "true"
    shown = values(page)
    assert len(shown) == 48
    assert shown == sorted(shown, reverse=falling)
    settled(page, lambda: page.click(".order"))
    assert values(page) == sorted(values(page), reverse=not falling)
    assert page.locator(".tile-card .crop .box").count() > 0


def test_a_brush_over_the_histogram_is_a_range(server: Any, visit: Visit) -> None:
    page = ready(visit(f"{server.url}/explorer?kind=prediction"))
    total = page.inner_text(".total")
    x, y, width, height = middle_of(page, ".sorted .nsewdrag")

    def brush() -> None:
        page.mouse.move(x + width * 0.5, y + height / 2)
        page.mouse.down()
        page.mouse.move(x + width * 0.6, y + height / 2, steps=3)
        page.mouse.move(x + width * 0.8, y + height / 2, steps=3)
        page.mouse.up()

    settled(page, brush)
    (text,) = query(page)["range"]
    name, low, high = text.split(":")
    assert name == "confidence"
    assert values(page)
    assert all(float(low) <= v <= float(high) for v in values(page))
    assert page.inner_text(".total") != total
    (chip,) = chips(page)
    assert chip.startswith("confidence ")
    settled(page, lambda: page.click(".chips .chip"))
    assert "range" not in query(page)
    assert page.inner_text(".total") == total


def test_filters_count_what_they_show_and_can_be_taken_off(server: Any, visit: Visit) -> None:
    page = ready(visit(f"{server.url}/explorer?kind=annotation"))
    first = page.locator("fieldset[data-field=category] .choice").first
    name, n = first.locator(".clip").inner_text(), first.locator(".n").inner_text()
    settled(page, lambda: first.locator("input").click())
    assert chips(page) == [name]
    assert page.inner_text(".total").split()[0] == n
    assert set(page.locator(".tile-card .line.clip").all_inner_texts()[0].split(" · ")) >= {name}
    settled(
        page,
        lambda: page.locator("fieldset[data-field=outcome] .choice:has-text('not found') input").click(),
    )  # fmt: skip
    assert query(page)["outcome"] == ["FN"]
    assert {t.split()[0] for t in page.locator(".tile-card .badge").all_inner_texts()} == {"FN"}
    settled(page, lambda: page.click(".side-head button:has-text('Reset')"))
    assert chips(page) == []
    settled(page, page.go_back)  # a step back is a step of the person
    assert len(chips(page)) == 2


def test_pages_go_forth_and_back_and_stand_in_the_address(server: Any, visit: Visit) -> None:
    page = ready(visit(f"{server.url}/explorer?limit=24&sort=random"))
    first = values(page)
    assert page.is_disabled(".pager button:has-text('Previous')")
    settled(page, lambda: page.click(".pager button:has-text('Next')"))
    second = values(page)
    assert min(second) >= max(first)
    page.reload()
    ready(page)
    assert values(page) == second
    settled(page, lambda: page.click(".pager button:has-text('Previous')"))
    assert values(page) == first


SLOW_TAGS = """() => {
  const fetched = window.fetch;
  window.fetch = async (url, ...rest) => {
    if (String(url).includes('/api/tags') && !rest[0]?.body) await new Promise((r) => setTimeout(r, 400));
    return fetched(url, ...rest);
  };
}"""


def test_select_and_tag_with_a_new_tag_by_typing(server: Any, visit: Visit) -> None:
    page = ready(visit(f"{server.url}/explorer?kind=annotation&sort=random"))
    assert page.is_hidden(".bulk")
    checks = page.locator(".tile-card .check input")
    checks.nth(0).check()
    checks.nth(2).click(modifiers=["Shift"])
    assert page.inner_text(".bulk strong") == "3 selected"
    page.evaluate(SLOW_TAGS)  # what is typed before they are there counts
    page.keyboard.press("t")
    page.keyboard.type("needs a look")
    page.keyboard.press("Enter")
    page.wait_for_selector(".toast:has-text('Tagged: needs a look')")
    assert page.locator(".badge.tag").count() == 3
    entries = log(server.root)
    assert [(e["action"], e["kind"], e["tag"], e["author"]) for e in entries] == [("tag", "annotation", "needs a look", "Ada")] * 3  # fmt: skip
    page.wait_for_selector("fieldset[data-field=tag] .choice")
    settled(page, lambda: page.click("fieldset[data-field=tag] .choice input"))
    assert page.locator(".tile-card").count() == 3
    page.locator(".tile-card .picture").first.click()  # off again, in the large view
    page.click(".viewer .tags .chip:has-text('needs a look')")
    page.wait_for_selector(".toast:has-text('Taken off')")
    page.keyboard.press("Escape")
    page.reload()
    ready(page)
    assert page.locator(".tile-card").count() == 2


@pytest.mark.parametrize("kind", ["image", "prediction"])
def test_images_and_predictions_are_tagged_too(server: Any, visit: Visit, kind: str) -> None:
    page = ready(visit(f"{server.url}/explorer?kind={kind}"))
    page.locator(".tile-card .picture").nth(1).click()
    page.wait_for_selector(".viewer[open] .crop .box")
    page.keyboard.press("t")
    page.keyboard.type("odd")
    page.keyboard.press("Enter")
    page.wait_for_selector(".viewer .tags .chip:has-text('odd')")
    (entry,) = log(server.root)
    assert (entry["kind"], entry["tag"]) == (kind, "odd")
    page.keyboard.press("Escape")
    page.wait_for_selector(".viewer", state="hidden")
    assert page.locator(".badge.tag").count() == 1


def test_the_large_view_by_keys_only(server: Any, visit: Visit) -> None:
    page = ready(visit(f"{server.url}/explorer?sort=area&order=desc&limit=24"))
    titles = page.eval_on_selector_all(
        ".tile-card .picture", "e => e.map((x) => x.ariaLabel.replace('Open ', ''))"
    )
    page.locator(".tile-card .picture").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".viewer[open]")
    assert page.inner_text(".viewer h2") == titles[0]
    page.keyboard.press("ArrowRight")
    assert page.inner_text(".viewer h2") == titles[1]
    page.keyboard.press("ArrowLeft")
    assert page.inner_text(".viewer h2") == titles[0]
    view = "document.querySelector('.viewer .crop').getAttribute('viewBox')"
    before = page.evaluate(view)
    page.keyboard.press("+")
    assert page.evaluate(view) != before
    page.keyboard.press("0")
    assert page.evaluate(view) == before
    page.keyboard.press("1")
    assert page.locator(".viewer .of-label .box >> visible=true").count() == 0
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    page.wait_for_selector(".viewer", state="hidden")
    page.locator(".tile-card .picture").last.click()  # beyond the last one comes the next page
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => location.search.includes('after=')")
    page.wait_for_function(
        "(t) => !t.includes(document.querySelector('.viewer h2').textContent)", arg=titles
    )


def test_similar_images_and_what_lies_in_one(coco_server: Any, visit: Visit) -> None:
    page = ready(visit(f"{coco_server.url}/explorer?kind=image"))
    page.locator(".tile-card .picture").nth(2).click()
    name = page.inner_text(".viewer h2")
    settled(page, lambda: page.click(".viewer button:has-text('Similar images')"))
    assert page.locator(".tile-card .line.clip").first.inner_text() == name
    bits = values(page)
    assert bits[0] == 0
    assert bits == sorted(bits)
    assert page.is_hidden(".sorted .chart")
    page.locator(".tile-card .picture").first.click()
    labels = int(page.inner_text(".viewer .badge").split()[0])
    settled(page, lambda: page.click(f".viewer button:has-text('Its {labels} labels')"))
    assert page.inner_text(".total").split()[0] == str(labels)


def test_layers_and_size_of_the_tiles(server: Any, visit: Visit) -> None:
    page = ready(visit(f"{server.url}/explorer?kind=prediction"))
    seen = ".tile-card .of-prediction .box >> visible=true"
    assert page.locator(seen).count() > 0
    page.click(".explorer-tools .layer.predictions")
    assert page.locator(seen).count() == 0
    assert query(page)["hide"] == ["predictions"]
    page.keyboard.press("2")
    assert page.locator(seen).count() > 0
    page.keyboard.press("h")
    assert page.locator(".tile-card .box >> visible=true").count() == 0
    page.keyboard.press("h")
    wide = page.locator(".tile-card").first.bounding_box()["width"]
    page.locator("input[aria-label='Size of the pictures']").fill("320")
    assert page.locator(".tile-card").first.bounding_box()["width"] > wide
    page.click("#help")
    assert "Tag what is selected" in page.inner_text("dialog.help")


def test_confident_false_positives_as_the_blog_has_them(coco_server: Any, visit: Visit) -> None:
    page = ready(visit(f"{coco_server.url}/explorer?kind=prediction"))
    settled(page, lambda: page.click(".views button:has-text('Confident false positives')"))
    shown = values(page)
    assert len(shown) > 10
    assert min(shown) >= 0.75
    assert shown == sorted(shown, reverse=True)
    assert {t.split()[0] for t in page.locator(".tile-card .badge").all_inner_texts()} == {"FP"}
    assert sorted(chips(page)) == ["confidence ≥ 0.75", "false positive"]


# Performance ----------------------------------------------------------------------------------------------------


def numbers(page: Any) -> dict[str, str]:
    return {
        tile.get_attribute("data-name"): tile.locator(".number").first.inner_text()
        for tile in page.locator(".live .tile").all()
    }


def test_the_slider_answers_while_it_moves(coco_server: Any, visit: Visit) -> None:
    page = ready(visit(f"{coco_server.url}/performance"))
    slider = page.locator("input[aria-label='IoU that matches']")
    slider.focus()
    for _ in range(25):  # faster than the answers come; the last stop is the one that counts
        page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('.live').dataset.iou === '0.75'")
    page.wait_for_load_state("networkidle")
    subject = '["yolov5s-seg",""]'
    found = asked(page, f"/api/performance/counts?iou=0.75&subject={subject}")["subjects"][0]
    shown = numbers(page)
    assert shown["tp"] == f"{found['tp'][0]:,}"
    assert shown["fn"] == f"{found['fn'][0]:,}"
    assert shown["ap"] == f"{found['ap'][0]:.3f}"
    assert query(page)["iou"] == ["0.75"]
    page.select_option("select[aria-label=Class]", "person")
    page.wait_for_function(
        "() => document.querySelector('tr.chosen')?.textContent.startsWith('person')"
    )
    page.wait_for_load_state("networkidle")
    place = found["category_name"].index("person")
    assert numbers(page)["tp"] == f"{found['tp'][place]:,}"
    assert page.locator(".live .tile[data-name=ap]").inner_text().startswith("AP")


def test_two_models_side_by_side(coco_server: Any, visit: Visit) -> None:
    page = ready(visit(f"{coco_server.url}/performance"))
    page.click("button:has-text('Compare')")
    page.wait_for_function("() => document.querySelectorAll('.live .difference').length > 0")
    page.wait_for_load_state("networkidle")
    assert page.input_value("select[aria-label=Model]") == "yolov5s-seg"
    assert page.input_value("select[aria-label='Compared model']") == "yolov7-seg"
    assert "better" in page.get_attribute(".live .tile[data-name=ap] .difference", "class")
    for chart, n in (("Confusion matrix", 2), ("What would be gained", 2), ("importance", 2)):
        assert page.locator(f".chart[aria-label='{chart}']").count() == n, chart
    assert page.locator(".scroll table").first.locator("tbody tr").count() == 2
    page.click(".segmented button[data-value=segm]")
    page.wait_for_load_state("networkidle")
    assert query(page)["by"] == ["segm"]
    page.click("button:has-text('One alone')")
    page.wait_for_function("() => document.querySelectorAll('.live .difference').length === 0")


def test_a_cell_of_the_matrix_opens_its_cases(coco_server: Any, visit: Visit) -> None:
    page = ready(visit(f"{coco_server.url}/performance?most=8"))
    chart = page.locator(".chart[aria-label='Confusion matrix']")
    chart.evaluate("(e) => e.scrollIntoView({ block: 'center' })")
    subject = '["yolov5s-seg",""]'
    figure = asked(page, f"/api/performance/confusion?most=8&subject={subject}")["figures"][0]
    cells = figure["data"][0]
    across, down = len(cells["z"][0]), len(cells["z"])
    row, column = next(
        (i, j)
        for i in range(down - 1)
        for j in range(across - 1)
        if i != j and cells["z"][i][j]
    )  # fmt: skip
    box = chart.locator(".nsewdrag").bounding_box()
    at = (
        box["x"] + box["width"] * (column + 0.5) / across,
        box["y"] + box["height"] * (row + 0.5) / down,
    )
    page.mouse.move(*at)
    page.wait_for_timeout(200)
    page.mouse.click(*at)
    page.wait_for_url("**/explorer?*")
    ready(page)
    names = cells["customdata"][row][column]
    assert json.loads(query(page)["cell"][0]) == names
    count = cells["text"][row][column]
    assert page.inner_text(".total").split()[0] == count
    label, predicted = names
    assert f"label {label} → prediction {predicted}" in chips(page)
    captions = page.locator(".tile-card .caption text").all_text_contents()
    assert label in captions
    assert any(c.startswith(predicted) for c in captions)
    settled(page, lambda: page.click(f".chip:has-text('label {label}')"))
    assert "cell" not in query(page)


def test_reasons_and_metrics_lead_on(server: Any, visit: Visit) -> None:
    page = ready(visit(f"{server.url}/performance"))
    reason = page.locator(".reason.inner").first
    n = reason.locator(".numbers").inner_text()
    reason.click()
    page.wait_for_url("**/explorer?*")
    ready(page)
    assert page.inner_text(".total").split()[0] == n
    page.go_back()
    ready(page)
    bars = page.locator(".chart[aria-label='importance'] .point path")
    click_at(page, bars.nth(1))
    page.wait_for_function("() => new URLSearchParams(location.search).has('metric') || document.querySelector('select[aria-label=Metric]').value === 'prediction:confidence'")  # fmt: skip
    assert page.locator(".questions .chart").count() >= 1
    page.click("button[data-value=annotation]")
    page.wait_for_load_state("networkidle")
    page.click("button[data-value=correlation]")
    page.wait_for_selector(".chart[aria-label='correlation'] .point path")
    assert query(page)["view"] == ["correlation"]
    page.click(".classes th button:has-text('AP')")
    shown = [float(t.split()[0]) for t in page.locator(".classes tbody td:nth-child(3)").all_inner_texts()]  # fmt: skip
    assert shown == sorted(shown, reverse=True)


# All of them ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/summary", "/explorer?kind=image", "/explorer?kind=annotation", "/explorer?kind=prediction", "/performance?compare=yes"])  # fmt: skip
@pytest.mark.parametrize(("width", "dark"), [(1400, True), (800, False), (390, False)])
def test_pages_fit_wide_and_narrow_light_and_dark(
    server: Any, visit: Visit, path: str, width: int, dark: bool
) -> None:
    page = ready(visit(f"{server.url}{path}", width=width, dark=dark))
    over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(over) == 0
    theme = page.evaluate("document.documentElement.dataset.theme")
    assert theme == ("dark" if dark else "light")
    page.click("#theme")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.dataset.theme") != theme
    if width < 1000 and path.startswith("/explorer"):
        page.click(".filters-button")
        page.wait_for_selector(".side.open fieldset")
        page.click(".side .close")
        page.wait_for_selector(".side.open", state="detached")


def test_names_from_the_data_stay_text(tmp_path: Path, visit: Visit) -> None:
    images = [{"id": 1, "width": 200, "height": 150, "file_name": f"{NASTY}.jpg"}]
    folder = pictures(tmp_path / "images", [f"{NASTY}.jpg"])
    labels = [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 50, 40]}]
    seen = [
        {"image_id": 1, "category_id": k, "bbox": [12, 10, 50, 40], "score": 0.9} for k in (1, 2)
    ]
    document = {
        "images": images,
        "annotations": labels,
        "categories": [{"id": 1, "name": NASTY}, {"id": 2, "name": f"{NASTY}2"}],
    }
    store = publish(tmp_path / "root", document, {"m": seen}, images=folder, metrics=True)
    refresh(store)
    with serving(store.root) as served:
        for path in ("/summary", "/explorer?kind=annotation", "/explorer?kind=prediction", "/performance"):  # fmt: skip
            page = ready(visit(f"{served.url}{path}"))
            assert page.locator("img[src=x]").count() == 0
            assert "img src=x" in page.content()  # shown, as text
        page = ready(visit(f"{served.url}/explorer?kind=annotation"))
        page.check(".tile-card .check input", force=True)
        page.keyboard.press("t")
        page.wait_for_selector(".chooser input")
        page.keyboard.type(NASTY)
        page.keyboard.press("Enter")
        page.wait_for_selector(".badge.tag")
        page.locator(".tile-card .picture").first.click()
        page.wait_for_selector(".viewer[open] .chip")
        assert page.locator("img[src=x]").count() == 0
