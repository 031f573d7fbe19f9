"""The page on small databases: offline, escaped, nothing left blank, what is simulated or not judged says so."""

from __future__ import annotations

import functools
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pytest
from helpers import batch
from helpers.scenes import CATEGORIES, image, ordinary
from PIL import Image

from label_quality.outliers import build_outliers
from label_quality.performance import build_outcomes, build_performance
from label_quality.performance.relations import build_relations
from label_quality.rates import OVERALL_ERROR_RATES
from label_quality.report import render_report
from label_quality.schema import TABLES
from label_quality.store.views import views

NASTY = "<img src=x onerror=alert(1)>&\"'"
_VOID = {"meta", "img", "br", "hr", "link", "rect", "path", "polyline", "polygon"}


class _Checker(HTMLParser):
    """Notes tags that are not closed, and every attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, (tag, self.open[-5:])
        self.open.pop()


def check(page: str) -> str:
    """The page, once it is found well-formed, without scripts, and without anything from elsewhere."""
    checker = _Checker()
    checker.feed(page)
    assert checker.open == []
    assert not checker.tags & {"script", "link", "iframe", "object", "base", "form"}
    for tag, name, value in checker.attributes:
        assert not name.startswith("on"), (tag, name)
        if name in ("src", "href"):
            assert value.startswith(("data:image/jpeg;base64,", "#")), value[:80]
    assert "url(" not in page
    assert "@import" not in page
    assert "None" not in re.sub(r"base64,[^\"]*", "", page)
    return page


def published(con: duckdb.DuckDBPyConnection, *, overall: bool = True) -> duckdb.DuckDBPyConnection:
    """The database with the views that are published, and with what `refresh` computes."""
    if overall:
        tables = build_outliers(con) | {"overall_error_rates": OVERALL_ERROR_RATES}
        for name, sql in tables.items():
            con.execute(f"insert into {name} by name {sql}")
    for view in views():
        con.execute(f"create or replace view {view.name} as {view.select}")
    return con


class Audited:
    """Databases of one audit, published: it is made once for each name of the first category, and copied for each test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, name: str = "cat", **files: str) -> duckdb.DuckDBPyConnection:
        con = duckdb.connect(config={"threads": 2})
        self._copy(con, self._made(name), "made", "memory")
        for column, value in files.items():
            con.execute(f"update images set {column} = ?", [value])
        return con

    @functools.cache  # noqa: B019  as long as the module's tests run
    def _made(self, name: str) -> Path:
        images, labels, seen = ordinary(12)
        images = [i | {"file_state": "ok"} for i in images]
        categories = [{**c, "name": name} if c["id"] == 1 else c for c in CATEGORIES]
        con = batch.audit(batch.database(images, labels[2:], seen, categories))
        columns = [c.name for c in TABLES["annotation_metrics"].columns]
        known = {"batch", "annotation_id", "image_id", "category_id", "iscrowd"}
        chosen = ", ".join(
            c if c in known else "width * height" if c == "area" else "null" for c in columns
        )
        con.execute(f"insert into annotation_metrics select {chosen} from annotations")
        file = self._folder / f"{len(list(self._folder.iterdir()))}.duckdb"
        self._copy(published(con), file, "memory", "made")
        return file

    @staticmethod
    def _copy(con: duckdb.DuckDBPyConnection, file: Path, source: str, target: str) -> None:
        con.execute(f"attach '{file}' as made")
        con.execute(f"copy from database {source} to {target}")
        con.execute("detach made")


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Audited:
    return Audited(tmp_path_factory.mktemp("audited"))


def test_a_page_of_an_audit(audited: Audited) -> None:
    page = check(render_report(audited(), {}))
    for heading in (
        "Estimated label-error rates",
        "The first findings of each type",
        "Outliers",
        "Model performance",
    ):
        assert f">{heading}</h2>" in page
    assert "<strong>Not calibrated:</strong>" in page
    assert "<strong>Simulated:</strong>" in page
    assert "batch-1" in page
    assert page.count("no picture") == page.count('<figure class="tile">') > 0


def test_figures_are_those_of_the_tables(audited: Audited) -> None:
    con = audited()
    page = render_report(con, {})
    rate = con.execute(
        "select rate from overall_error_rates where error_type = 'any' and category_name is null"
    ).fetchall()[0][0]
    assert f">{rate:.1%} " in page
    labels = con.execute("select count(*) from annotations where not iscrowd").fetchall()[0][0]
    judged = re.search(r"<td>Labels</td><td class=\"text\">robust</td><td>(\d+)</td>", page)
    assert judged and int(judged[1]) == labels
    worst = con.execute(
        "select reason from findings order by p_error desc, finding_id limit 1"
    ).fetchall()[0][0]
    assert worst.replace("'", "&#39;") in page


def test_names_are_escaped(audited: Audited) -> None:
    page = check(render_report(audited(NASTY, file_name=f"{NASTY}.jpg"), {}))
    assert "onerror=alert" in page
    assert "<img src=x" not in page


def test_pictures_stand_in_the_page(audited: Audited, tmp_path: Path) -> None:
    Image.new("RGB", (640, 480), "white").save(tmp_path / "one.jpg")
    page = check(render_report(audited(file_name="one.jpg"), {batch.BATCH: tmp_path}))
    assert "no picture" not in page
    assert page.count("data:image/jpeg;base64,") == page.count('<figure class="tile">') > 0
    assert str(tmp_path) not in page
    assert len(page) < 3_000_000


@pytest.mark.parametrize("state", ["missing", "unsafe_name", "unreadable", "not_checked"])
def test_only_files_that_ingest_found_good_are_opened(
    audited: Audited, tmp_path: Path, state: str
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    Image.new("RGB", (640, 480)).save(tmp_path / "secret.jpg")
    con = audited(file_name="../secret.jpg", file_state=state)
    assert "data:image/jpeg" not in render_report(con, {batch.BATCH: folder})


def test_a_file_that_is_damaged_since(audited: Audited, tmp_path: Path) -> None:
    (tmp_path / "one.jpg").write_bytes(b"not a picture")
    page = check(render_report(audited(file_name="one.jpg"), {batch.BATCH: tmp_path}))
    assert "no picture" in page


def test_without_predictions() -> None:
    images, labels, _ = ordinary(3)
    con = published(batch.audit(batch.database(images, labels, {}, CATEGORIES)))
    page = check(render_report(con, {}))
    assert (
        "Not judged, for want of predictions: inaccurate, missing, spurious, wrong class." in page
    )
    assert "No model was judged" in page
    assert "No metric could be related" in page


def test_an_empty_batch_is_a_page_of_sentences() -> None:
    con = published(batch.audit(batch.database([image(1)], [], {}, CATEGORIES)), overall=False)
    page = check(render_report(con, {}))
    assert page.count('class="nothing"') == 8
    assert "<svg" not in page


def test_models_are_judged_and_named_as_simulated(audited: Audited) -> None:
    con = audited()
    build_outcomes(con)
    for name in ("prediction_outcomes", "label_outcomes"):
        con.execute(f"insert into {name} by name from new_{name}")
    for name, sql in (build_performance(con) | build_relations(con)).items():
        con.execute(f"insert into {name} by name {sql}")
    page = check(render_report(con, {}))
    (ap,) = con.execute(
        """select value from performance where category_name is null and iou_type = 'bbox' and metric = 'AP50'
           and area = 'all' and max_dets = 100"""
    ).fetchall()
    assert f"<td>{ap[0]:.3f}</td>" in page
    assert "<td>det (simulated)</td>" in page
    for heading in (
        "Precision and recall",
        "Weakest categories",
        "What is taken for what",
        "What would be gained",
    ):
        assert f"<h3>{heading}</h3>" in page
    assert "<figcaption>det (simulated): Is a label found?</figcaption>" in page
    assert "area" in page.split('id="by-metric"')[1]
    assert "<title>apple → background: 12 (100%)</title>" in page  # the model never sees one
    assert 'class="nothing"' not in page.split('id="performance"')[1]
