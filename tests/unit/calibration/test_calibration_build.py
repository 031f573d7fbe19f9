"""The whole of it on real components: a small batch with a simulated second opinion, planted into, scored and fitted."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pytest
from helpers.batch import BATCH, audit, database

from label_quality.calibration import build, build_tables, calibrate, is_current
from label_quality.calibration.folds import EVERY, HALVES
from label_quality.calibration.rounds import even_shares, plant_round
from label_quality.calibration.sample import choose, opened
from label_quality.calibration.verdicts import NOBODY
from label_quality.planting import SHAPES
from label_quality.schema import ERROR_TYPES, TABLES
from label_quality.store import Calibration


def scenes(images: int, seed: int = 0) -> duckdb.DuckDBPyConnection:
    """A batch of five objects an image, and a model that finds nine of ten, with a little noise and some false alarms."""
    rng = np.random.default_rng(seed)
    labels: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for image in range(1, images + 1):
        for place in range(5):
            box = [place * 120.0 + 10, 20.0 + rng.uniform(0, 200), *rng.uniform(40, 100, 2)]
            category = int(rng.integers(1, 3))
            label = {"id": len(labels) + 1, "image_id": image, "category_id": category, "bbox": box}
            labels.append(label)
            if rng.random() < 0.9:
                near = (np.array(box) + rng.normal(0, 2, 4)).tolist()
                kind = category if rng.random() < 0.97 else 3 - category
                found.append(
                    {
                        "image_id": image,
                        "category_id": kind,
                        "bbox": near,
                        "score": rng.uniform(0.5, 1),
                    }
                )
            if rng.random() < 0.1:
                alarm = [rng.uniform(0, 500), rng.uniform(300, 400), 50.0, 50.0]
                found.append(
                    {
                        "image_id": image,
                        "category_id": 1,
                        "bbox": alarm,
                        "score": rng.uniform(0.05, 0.6),
                    }
                )
    pictures = [{"id": k, "width": 640, "height": 480} for k in range(1, images + 1)]
    return audit(database(pictures, labels, {"model": found}))


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    return scenes(120)


@pytest.fixture(scope="module")
def fitted(con: duckdb.DuckDBPyConnection) -> Calibration:
    found = calibrate(con, {BATCH: "v1"}, NOBODY)
    assert not isinstance(found, str), found
    return found


def test_both_halves_have_every_type_and_no_shape_in_common() -> None:
    assert sorted(EVERY) == sorted(SHAPES)
    assert len(set(EVERY)) == len(EVERY)
    for half in HALVES:
        assert {SHAPES[name].error_type for name in half} == set(ERROR_TYPES)


def test_errors_are_planted_evenly_over_types() -> None:
    shares = even_shares(HALVES[0], 0.1)
    for kind in ERROR_TYPES:
        mine = [s for name, s in shares.items() if SHAPES[name].error_type == kind]
        assert sum(mine) == pytest.approx(0.02)
        assert len(set(mine)) == 1


def test_a_round_tells_which_findings_name_which_planted_errors(
    con: duckdb.DuckDBPyConnection,
) -> None:
    (part,) = choose(con)
    with opened(con, part) as copy:
        planted = plant_round(copy, HALVES[0], [0])
        again = plant_round(copy, HALVES[0], [0])
    assert len(planted.error_kinds) == pytest.approx(60, abs=12)
    assert set(planted.error_kinds.tolist()) == set(range(5))
    assert np.flatnonzero(planted.hit).tolist() == sorted(set(planted.hit_findings.tolist()))
    assert np.array_equal(planted.scores, again.scores)
    assert planted.scores[planted.hit].mean() > 2 * planted.scores[~planted.hit].mean()


def test_few_errors_are_expected_where_there_are_none(fitted: Calibration) -> None:
    expected = {t.error_type: t.expected_errors for t in fitted.types}
    assert set(expected) == set(ERROR_TYPES)
    assert expected["duplicate"] + expected["inaccurate"] < 6
    assert (
        expected["spurious"] < 20
    )  # 60 objects are missed by the model, and nothing tells them from labels on nothing
    assert 0.25 <= fitted.default_cut <= 0.5


def test_obvious_errors_are_expected_to_be_found(fitted: Calibration) -> None:
    recall = {(b.error_type, b.budget): b.recall for b in fitted.recall}
    assert recall["duplicate", 0.2] > 0.8
    for kind in ERROR_TYPES:
        rising = [recall[kind, b] for b in sorted({b for _, b in recall})]
        assert rising == sorted(rising)


def test_the_same_data_give_the_same_version(
    con: duckdb.DuckDBPyConnection, fitted: Calibration
) -> None:
    again = calibrate(con, {BATCH: "v2"}, NOBODY)
    assert isinstance(again, Calibration)
    assert again.version == fitted.version


def test_its_tables_are_of_the_schema(con: duckdb.DuckDBPyConnection, fitted: Calibration) -> None:
    for calibration, some in ((fitted, True), (None, False)):
        for table, sql in build_tables(con, calibration).items():
            rows = con.sql(f"select * from ({sql})").to_arrow_table()
            assert rows.schema.names == list(TABLES[table].column_names)
            assert bool(rows.num_rows) == some


def test_too_few_labels_are_not_calibrated_on() -> None:
    found = calibrate(scenes(20), {}, NOBODY)
    assert (
        found
        == f"not calibrated: 100 labels in batches with predictions are too few, {build.LABELS_NEEDED} are needed"
    )


def test_a_sample_is_bounded_and_made_of_whole_images(con: duckdb.DuckDBPyConnection) -> None:
    (part,) = choose(con, most=100)
    assert 100 <= part.labels <= 105
    with opened(con, part) as copy:
        ((images, labels),) = copy.execute(
            "select (select count(*) from images), (select count(*) from annotations)"
        ).fetchall()
    assert (images, labels) == (part.images, part.labels) == (20, 100)


@pytest.mark.parametrize(
    ("versions", "verdicts", "current"),
    [
        ({BATCH: "v1"}, 0, True),
        ({BATCH: "v2"}, 0, False),  # all labels are new
        ({BATCH: "v1"}, 3, False),
    ],
)
def test_it_is_done_again_when_enough_has_changed(
    con: duckdb.DuckDBPyConnection,
    fitted: Calibration,
    versions: dict[str, str],
    verdicts: int,
    current: bool,
) -> None:
    assert is_current(con, fitted, versions, verdicts) == current
    assert not is_current(con, None, versions, verdicts)
