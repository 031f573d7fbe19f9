"""The Explorer's answers against the published tables: order and pages, every filter, counts, histograms, tags."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from fastapi.testclient import TestClient
from helpers.published import own_root
from helpers.review_batch import LARGE_ID
from measured_batches import NASTY, ask, rows
from review_tools import client_of

KEYS = {
    "image": ("batch", "image_id"),
    "annotation": ("batch", "annotation_id"),
    "prediction": ("batch", "model", "prediction_id"),
}
ITEMS, OVERVIEW, FACETS = (f"/api/explorer/{name}" for name in ("items", "overview", "facets"))


def identity(item: dict[str, Any], kind: str) -> tuple[Any, ...]:
    return tuple(int(v) if isinstance(v := item[k], str) and v.isdigit() else v for k in KEYS[kind])


def shown(client: TestClient, kind: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """The identities on one page that holds all."""
    found = ask(client, ITEMS, kind=kind, limit=200, **parameters)
    assert found["more"] is False
    return [identity(item, kind) for item in found["items"]]


def expected(root: Path, kind: str, where: str, sort: str, order: str) -> list[tuple[Any, ...]]:
    keys = ", ".join(KEYS[kind])
    return rows(
        root,
        f"select {keys} from {kind}_metrics m where isfinite({sort}) and {where} order by {sort} {order}, {keys}",
    )


# Order and pages ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize(
    ("kind", "sort"),
    [
        ("image", "object_count"),
        ("image", "random"),
        ("annotation", "area"),  # nearly all of one value: the ids decide
        ("annotation", "brightness"),
        ("prediction", "confidence"),
        ("prediction", "aspect_ratio"),
    ],
)
def test_pages_forth_and_back_are_the_whole_order(
    measured: TestClient, measured_root: Path, kind: str, sort: str, order: str
) -> None:
    whole = expected(measured_root, kind, "true", sort, order)
    assert len(whole) > 10
    asked = {"kind": kind, "sort": sort, "order": order, "limit": 9}
    forth: list[dict[str, Any]] = []
    more = True
    while more:
        after = {"after": forth[-1]["key"]} if forth else {}
        found = ask(measured, ITEMS, **asked, **after)
        forth += found["items"]
        more = found["more"]
    assert [identity(i, kind) for i in forth] == whole
    back: list[dict[str, Any]] = [forth[-1]]
    while True:
        found = ask(measured, ITEMS, **asked, before=back[0]["key"])
        back = found["items"] + back
        if not found["more"]:
            break
    assert [identity(i, kind) for i in back] == whole


def test_what_has_no_value_is_counted_and_not_listed(
    measured: TestClient, measured_root: Path
) -> None:
    without = "annotation_metrics where mask_fill is null"
    ((n,),) = rows(measured_root, f"select count(*) from {without}")
    ((total,),) = rows(measured_root, "select count(*) from annotation_metrics")
    assert n > 0  # of the box without a mask
    found = ask(measured, OVERVIEW, sort="mask_fill")
    assert (found["total"], found["without_value"]) == (total - n, n)
    assert len(shown(measured, "annotation", sort="mask_fill")) == total - n


# Filters --------------------------------------------------------------------------------------------------------

_CATEGORY = (
    "(batch, category_id) in (select (batch, category_id) from categories where name = '{}')"
)
_OUTCOME = """exists (from {}_outcomes o where o.batch = m.batch and o.{}_id = m.{}_id and o.model = 'other'
    and o.iou_type = 'bbox' and {})"""
FILTERS: list[tuple[str, dict[str, Any], str]] = [
    ("image", {"batch": "second"}, "batch = 'second'"),
    ("annotation", {"batch": ["first", "second"]}, "true"),
    ("annotation", {"category": "cat"}, _CATEGORY.format("cat")),
    ("annotation", {"category": NASTY}, _CATEGORY.format(NASTY)),
    ("annotation", {"category": "bird"}, "false"),
    ("prediction", {"category": NASTY}, _CATEGORY.format(NASTY)),
    ("image", {"category": "dog"}, "batch = 'first' and image_id = 2"),
    ("prediction", {"model": "other"}, "model = 'other'"),
    ("prediction", {"range": "confidence:0.5:0.9"}, "confidence between 0.5 and 0.9"),
    ("prediction", {"range": ["confidence:0.8:", "iou::0"]}, "confidence >= 0.8 and iou <= 0"),
    ("image", {"range": "object_count::0"}, "object_count <= 0"),
    ("annotation", {"model": "other", "outcome": "FN"}, _OUTCOME.format("label", "annotation", "annotation", "outcome = 'FN'")),
    ("annotation", {"model": "other", "outcome": ["FN", "TP"]}, _OUTCOME.format("label", "annotation", "annotation", "outcome in ('FN', 'TP')")),
    ("prediction", {"model": "other", "outcome": "FP"}, "model = 'other' and " + _OUTCOME.format("prediction", "prediction", "prediction", "outcome = 'FP'")),
    ("prediction", {"model": "other", "reason": ["duplicate", "background"]}, "model = 'other' and " + _OUTCOME.format("prediction", "prediction", "prediction", "reason in ('duplicate', 'background')")),
    ("annotation", {"error": "duplicate"}, "exists (from findings f where f.batch = m.batch and f.annotation_id = m.annotation_id and error_type = 'duplicate')"),
    ("annotation", {"outlier": "any"}, "exists (from outliers o where o.batch = m.batch and o.annotation_id = m.annotation_id and kind = 'annotation' and rule = 'robust')"),
    ("annotation", {"outlier": "area", "severity": "severe"}, "batch = 'first' and annotation_id = 30"),
    ("annotation", {"outlier": "any", "severity": "moderate"}, "false"),  # by the other rule only
    ("image", {"outlier": "object_count"}, "batch = 'first' and image_id = 3"),
    ("annotation", {"image": "first/3"}, "batch = 'first' and image_id = 3"),
    ("prediction", {"image": "second/3"}, "batch = 'second' and image_id = 3"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "filters", "where"), FILTERS)
def test_filters_show_what_the_tables_say(
    measured: TestClient, measured_root: Path, kind: str, filters: dict[str, Any], where: str
) -> None:
    sort = {"image": "object_count", "annotation": "area", "prediction": "confidence"}[kind]
    whole = expected(measured_root, kind, where, sort, "asc")
    assert bool(whole) == (where != "false")  # no two empty lists are compared by accident
    assert shown(measured, kind, sort=sort, **filters) == whole
    assert ask(measured, OVERVIEW, kind=kind, sort=sort, **filters)["total"] == len(whole)


def test_masks_have_outcomes_of_their_own(measured: TestClient, measured_root: Path) -> None:
    by_masks = shown(measured, "annotation", model="model", by="segm", outcome="FN")
    found = rows(
        measured_root,
        """select batch, annotation_id from label_outcomes join annotation_metrics using (batch, annotation_id)
           where model = 'model' and iou_type = 'segm' and outcome = 'FN' order by area, batch, annotation_id""",
    )
    assert by_masks == found


def test_labels_without_a_model_are_judged_by_the_first(measured: TestClient) -> None:
    assert shown(measured, "annotation", outcome="TP") == shown(
        measured, "annotation", outcome="TP", model="model"
    )


# Cards ----------------------------------------------------------------------------------------------------------


def test_a_label_comes_with_its_prediction_its_twin_and_its_metrics(measured: TestClient) -> None:
    (item,) = [
        i
        for i in ask(measured, ITEMS, image="first/3", sort="same_class_iou", order="desc")["items"]
        if i["annotation_id"] == 39
    ]
    assert item["category"] == "cat"
    assert item["box"] == [21.0, 20.0, 40.0, 30.0]
    assert item["other_annotation_id"] == 30
    assert item["other_box"] == [20.0, 20.0, 40.0, 30.0]
    assert item["value"] == item["metrics"]["same_class_iou"] == pytest.approx(39 * 30 / (41 * 30))
    assert "duplicate" in item["errors"]
    assert (item["outcome"], item["reason"]) == ("FN", "shared")
    assert item["predicted_box"] == [20.0, 20.0, 40.0, 30.0]


def test_a_prediction_comes_with_the_label_that_it_meets(measured: TestClient) -> None:
    found = ask(measured, ITEMS, kind="prediction", model="model", image="first/2")["items"]
    (wrong,) = [i for i in found if i["reason"] == "wrong_class"]
    assert (wrong["category"], wrong["label_category"], wrong["outcome"]) == ("cat", "dog", "FP")
    assert wrong["label_box"] == [20.0, 20.0, 40.0, 30.0]


def test_an_image_comes_with_its_labels(measured: TestClient) -> None:
    found = ask(measured, ITEMS, kind="image", batch="first", sort="object_count", order="desc")
    (third,) = [i for i in found["items"] if i["image_id"] == 3]
    assert [label["annotation_id"] for label in third["labels"]] == [30, 31, 39]
    assert found["items"][-1]["labels"] == []  # the first picture has none


def test_an_id_beyond_what_javascript_holds_stays_exact(measured: TestClient) -> None:
    found = ask(measured, ITEMS, image="first/4")["items"]
    (large,) = [i for i in found if i["annotation_id"] == str(LARGE_ID)]
    after = ask(measured, ITEMS, image="first/4", after=large["key"])["items"]
    assert large["key"] not in [i["key"] for i in after]


def test_similar_images_come_by_the_bits_in_which_they_differ(
    measured: TestClient, measured_root: Path
) -> None:
    ((own,),) = rows(
        measured_root,
        "select perceptual_hash from image_metrics where batch = 'first' and image_id = 2",
    )
    found = ask(measured, ITEMS, kind="image", like="first/2")["items"]
    assert len(found) == 12
    hashes = {
        (b, i): h for b, i, h in rows(measured_root, "select batch, image_id, perceptual_hash from image_metrics")
    }  # fmt: skip
    for item in found:
        other = hashes[item["batch"], item["image_id"]]
        assert item["value"] == (int(own, 16) ^ int(other, 16)).bit_count()
    assert [i["value"] for i in found] == sorted(i["value"] for i in found)
    assert ask(measured, OVERVIEW, kind="image", like="first/2")["figure"] is None


def _look(root: Path) -> None:
    """What a model that was run on the pictures leaves: neighbours and a place on the map of each label."""
    with duckdb.connect(str(root / "label_quality.duckdb")) as con:
        con.execute(
            """create table if not exists label_neighbours (batch varchar, model varchar, annotation_id bigint, image_id bigint,
                 category_id bigint, neighbours bigint[], similarity double, agreement double, voted_category_id bigint,
                 map_x double, map_y double);
               insert into label_neighbours by name
               select batch, 'looked' as model, annotation_id, image_id, category_id,
                      [n.annotation_id for n in others if n.annotation_id <> a.annotation_id] as neighbours,
                      a.annotation_id::double as map_x, -a.annotation_id::double as map_y
               from annotations a join (
                 select batch, list({'annotation_id': annotation_id} order by annotation_id desc)[:4] as others
                 from annotations group by batch
               ) using (batch) where a.annotation_id < 1000"""
        )


def test_similar_labels_and_the_map_where_a_model_has_looked(
    measured_root: Path, tmp_path: Path
) -> None:
    own = tmp_path / "root"
    own.mkdir()
    for entry in measured_root.iterdir():
        if entry.name not in ("readers", "reviews.db", "label_quality.duckdb"):
            (own / entry.name).symlink_to(entry)
    shutil.copy(measured_root / "label_quality.duckdb", own)
    with client_of(own) as client:
        assert ask(client, "/api/explorer/known")["looking_model"] == ""
        assert ask(client, "/api/explorer/map")["figure"] is None
        assert client.get(ITEMS, params={"near": "second/30"}).status_code == 400
        assert client.get(ITEMS, params={"map": "0:1:0:1"}).status_code == 400
    _look(own)
    with client_of(own) as client:
        assert ask(client, "/api/explorer/known")["looking_model"] == "looked"
        found = ask(client, ITEMS, near="second/30")["items"]
        ids = [i["annotation_id"] for i in found]
        assert ids == [30, str(LARGE_ID), 41, 39, 31]
        assert [i["value"] for i in found] == [0, 1, 2, 3, 4]
        assert shown(client, "annotation", near="second/30")[0] == ("second", 30)
        assert shown(client, "annotation", map="20:31:-31:0") == expected(
            own, "annotation", "annotation_id between 20 and 31", "area", "asc"
        )
        drawn = ask(client, "/api/explorer/map")
        places = sum(len(trace["x"]) for trace in drawn["figure"]["data"])
        assert places == drawn["drawn"] == drawn["labels"] > 10
        for wrong in (
            {"near": "second/999"},
            {"map": "1:2"},
            {"map": "nan:1:2:3"},
            {"kind": "image", "near": "second/30"},
        ):
            assert client.get(ITEMS, params=wrong).status_code == 400, wrong  # fmt: skip


# Counts ---------------------------------------------------------------------------------------------------------


def test_a_histogram_holds_everything_but_its_own_range(measured: TestClient) -> None:
    whole = ask(measured, OVERVIEW, kind="prediction", sort="confidence")
    counts = whole["figure"]["data"][0]["y"]
    edges = whole["figure"]["layout"]["meta"]["edges"]
    assert sum(counts) == whole["total"]
    assert len(edges) == len(counts) + 1
    assert edges == sorted(edges)
    narrow = ask(measured, OVERVIEW, kind="prediction", sort="confidence", range="confidence:0.9:")
    assert narrow["figure"] == whole["figure"]
    assert narrow["total"] < whole["total"]
    # A range that ends where a bin does, shows what the bins before it count.
    k = len(counts) // 2
    low = ask(
        measured,
        OVERVIEW,
        kind="prediction",
        sort="confidence",
        range=f"confidence:{edges[k]!r}:",
    )
    assert (
        abs(low["total"] - sum(counts[k:])) <= 1
    )  # a value on the edge itself may round either way


def test_a_logarithmic_histogram_and_one_of_a_single_value(measured: TestClient) -> None:
    areas = ask(measured, OVERVIEW, sort="area")
    assert sum(areas["figure"]["data"][0]["y"]) == areas["total"]
    single = ask(measured, OVERVIEW, kind="image", sort="width")
    assert single["figure"]["data"][0]["y"] == [12]


def test_facets_count_what_each_value_would_show(measured: TestClient) -> None:
    found = ask(measured, FACETS, kind="prediction", model="other", category="cat")
    for facet in found["category"]:
        total = ask(measured, OVERVIEW, kind="prediction", model="other", category=facet["value"])
        assert total["total"] == facet["n"]
    assert {f["value"] for f in found["category"]} == {"cat", "dog", NASTY}
    for facet in found["model"]:
        total = ask(measured, OVERVIEW, kind="prediction", category="cat", model=facet["value"])
        assert total["total"] == facet["n"]
    labels = ask(measured, FACETS, kind="annotation", model="other")
    for facet in labels["outcome"]:
        chosen = {
            "outcome": facet["outcome"],
            **({"reason": facet["reason"]} if facet["reason"] else {}),
        }
        total = ask(measured, OVERVIEW, kind="annotation", model="other", **chosen)
        assert total["total"] == facet["n"], facet  # fmt: skip


# The confusion matrix -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["model", "other"])
def test_every_cell_of_the_confusion_matrix_shows_its_cases(
    measured: TestClient, measured_root: Path, model: str
) -> None:
    cells = rows(
        measured_root,
        """select category_name, predicted_category_name, count from confusion where model = ? and iou_type = 'bbox'""",
        model,
    )
    assert len(cells) >= 3
    for label, predicted, count in cells:
        kind = "prediction" if label is None else "annotation"
        asked = {"kind": kind, "model": model, "cell": json.dumps([label, predicted])}
        found = ask(measured, ITEMS, limit=200, **asked)["items"]
        assert len(found) == count == ask(measured, OVERVIEW, **asked)["total"]
        for item in found:
            own, partner = (
                ("category", "predicted_category")
                if kind == "annotation"
                else ("label_category", "category")
            )
            if label is not None:
                assert item[own] == label
            if predicted is not None:
                assert item[partner] == predicted  # fmt: skip


def test_the_cells_of_one_batch(measured: TestClient) -> None:
    asked = {"kind": "annotation", "model": "model", "cell": '["dog", "cat"]'}
    everywhere = ask(measured, ITEMS, **asked)["items"]
    assert [(i["batch"], i["annotation_id"]) for i in everywhere] == [("first", 20)]
    assert ask(measured, ITEMS, **asked, cell_batch="second")["items"] == []


# Tags -----------------------------------------------------------------------------------------------------------


def _tag(client: TestClient, kind: str, item: dict[str, Any], **more: Any) -> None:
    named = {k: item[k] for k in (*KEYS[kind], "image_id")}
    body = {"author": "Ada", "tag": "look again", "things": [{"kind": kind, **named}], **more}
    assert client.post("/api/tags", json=body).status_code == 200


@pytest.mark.parametrize("kind", ["image", "annotation", "prediction"])
def test_things_of_each_kind_are_tagged_found_by_it_and_untagged(
    measured_root: Path, tmp_path: Path, kind: str
) -> None:
    own = own_root(measured_root, tmp_path / "root")
    with client_of(own) as client:
        first, second = ask(client, ITEMS, kind=kind, limit=2)["items"]
        assert first["tags"] == []
        _tag(client, kind, first)
        assert shown(client, kind, tag="look again") == [identity(first, kind)]
        assert identity(first, kind) not in shown(client, kind, untagged=True)
        assert identity(second, kind) in shown(client, kind, untagged=True)
        found = ask(client, ITEMS, kind=kind, limit=1)["items"]
        assert found[0]["tags"] == ["look again"]
        assert {"value": "look again", "n": 1} in ask(client, FACETS, kind=kind)["tag"]
        if kind == "image":
            labels = shown(client, "annotation", image_tag="look again")
            assert labels == shown(
                client, "annotation", image=f"{first['batch']}/{first['image_id']}"
            )
        _tag(client, kind, first, remove=True)
        assert shown(client, kind, tag="look again") == []


# What is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [
        {"sort": "nope"},
        {"sort": 'area" desc; drop table images; --'},
        {"kind": "image", "outcome": "FP"},
        {"kind": "image", "cell": '["a", "b"]'},
        {"kind": "annotation", "like": "first/1"},
        {"kind": "image", "like": "first/999"},
        {"like": "first/x", "kind": "image"},
        {"image": "first"},
        {"image": "first/9223372036854775808"},
        {"range": "nope:1:2"},
        {"range": "area:x:2"},
        {"range": "area:nan:"},
        {"range": "area:1:inf"},
        {"range": "area) or (true:1:2"},
        {"outlier": "nope"},
        {"model": "no such model", "outcome": "FN"},
        {"cell": "person"},
        {"cell": '["cat", "dog", "bird"]'},
        {"after": "x"},
        {"after": "[1]"},
        {"after": '["a", "first", 1]'},
        {"after": '[1, "first", "1; drop"]'},
        {"after": '[1, "first", 9223372036854775808]'},
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_sentence(
    measured: TestClient, parameters: dict[str, Any]
) -> None:
    answer = measured.get(ITEMS, params=parameters)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]


@pytest.mark.parametrize(
    "parameters",
    [{"kind": "video"}, {"limit": 0}, {"limit": 10**6}, {"order": "up"}, {"by": "x"}, {"severity": "x"}, {"what": 1}, {"outcome": "TN"}],
)  # fmt: skip
def test_unknown_words_are_refused(measured: TestClient, parameters: dict[str, Any]) -> None:
    assert measured.get(ITEMS, params=parameters).status_code == 422


@pytest.mark.parametrize("field", ["batch", "category", "tag", "image_tag", "error", "reason"])
def test_values_are_values(measured: TestClient, field: str) -> None:
    texts = ["' or true --", "<b>", "%", "\\", "x" * 3000]
    found = ask(measured, ITEMS, kind="annotation", **{field: texts})
    assert found["items"] == []


def test_the_page_and_what_it_offers(measured: TestClient) -> None:
    page = measured.get("/explorer")
    assert page.status_code == 200
    assert 'src="/static/' in page.text
    assert "<script>" not in page.text
    known = ask(measured, "/api/explorer/known")
    assert known["models"] == ["model", "other"]
    assert known["batches"] == ["first", "second"]
    assert known["masks"] is True
    names = [m["name"] for m in known["metrics"]["annotation"]]
    assert {"area", "aspect_ratio", "same_class_iou"} <= set(names)
    assert all(m["description"] for kind in known["metrics"].values() for m in kind)
