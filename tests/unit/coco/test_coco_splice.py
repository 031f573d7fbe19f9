"""A file that is written again: what was not asked to change is as it was, to the byte, in any layout."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from label_quality.coco.document import Document
from label_quality.coco.splice import Edit, Spliced, splice

Record = dict[str, Any]


def label(id_: Any, **fields: Any) -> Record:
    return {
        "id": id_,
        "image_id": 1,
        "category_id": 1,
        "bbox": [1, 2, 3, 4],
        "note": "ü}]",
        **fields,
    }


def coco(labels: list[Record], **more: Any) -> Record:
    images = [{"id": 1, "file_name": "a.jpg", "width": 9, "height": 9}]
    return {"info": {"x": 1.50}, "images": images, "annotations": labels, "categories": [], **more}


LAYOUTS: dict[str, Record] = {
    "compact": {"separators": (",", ":")},
    "spaced": {},
    "indented": {"indent": 2},
    "ascii": {"ensure_ascii": True, "indent": 1},
}


def write(folder: Path, document: Record, **layout: Any) -> Path:
    file = folder / "labels.json"
    file.write_text(json.dumps(document, **{"ensure_ascii": False} | layout), "utf-8")
    return file


def spliced(file: Path, edits: dict[Any, Edit], additions: list[Record]) -> tuple[bytes, Spliced]:
    out = io.BytesIO()
    with Document(file, file.name) as document:
        done = splice(document, edits, additions, out)
    return out.getvalue(), done


@pytest.mark.parametrize("layout", LAYOUTS)
def test_without_edits_it_is_the_same_file(tmp_path: Path, layout: str) -> None:
    file = write(tmp_path, coco([label(1), label(2)]), **LAYOUTS[layout])
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes() + b"\n \n")
    assert spliced(file, {}, [])[0] == file.read_bytes()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_value_changes_and_nothing_else(tmp_path: Path, layout: str) -> None:
    file = write(tmp_path, coco([label(1), label(7), label(3)]), **LAYOUTS[layout])
    out, done = spliced(file, {7: Edit({"category_id": 25})}, [])
    assert done.before == {7: label(7)}
    assert done.after == {7: label(7, category_id=25)}
    before, after = file.read_bytes().split(b'"id"'), out.split(b'"id"')
    changed = [k for k, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
    assert len(changed) == 1
    assert after[changed[0]].replace(b"25", b"1", 1) == before[changed[0]]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("removed", [[1], [2], [3], [1, 2], [2, 3], [1, 3], [1, 2, 3]])
@pytest.mark.parametrize("added", [0, 2])
def test_labels_go_and_come(tmp_path: Path, layout: str, removed: list[int], added: int) -> None:
    labels = [label(k) for k in (1, 2, 3)]
    file = write(tmp_path, coco(labels), **LAYOUTS[layout])
    new = {"image_id": 1, "category_id": 2, "bbox": [0.5, 1.0, 2.0, 2.0], "area": 4.0, "iscrowd": 0}
    out, done = spliced(file, dict.fromkeys(removed, Edit(remove=True)), [new] * added)
    fresh = [{**new, "id": 4 + k} for k in range(added)]
    assert done.added == fresh
    assert json.loads(out) == coco([a for a in labels if a["id"] not in removed] + fresh)
    if removed == [2] and not added:
        assert len(out) < len(file.read_bytes())
        assert b"  \n" not in out


@pytest.mark.parametrize("text", ["[]", "[ \n ]"])
def test_into_an_empty_list(tmp_path: Path, text: str) -> None:
    file = tmp_path / "labels.json"
    file.write_text(json.dumps(coco(["X"])).replace('["X"]', text))  # type: ignore[list-item]
    out, _ = spliced(file, {}, [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1]}])
    (new,) = json.loads(out)["annotations"]
    assert new == {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1]}


def test_ids_of_text_and_what_only_lenient_readers_take(tmp_path: Path) -> None:
    labels = [
        label("a7", score=float("nan")),
        label("8", category_id="c"),
        {"id": None},
        "nonsense",
    ]
    file = write(tmp_path, coco(labels))  # type: ignore[arg-type]
    out, done = spliced(
        file,
        {"a7": Edit({"bbox": [1, 2.5, 3, 4]}), 8: Edit({"category_id": "d"}), 9: Edit(remove=True)},
        [{"image_id": 1, "category_id": "d", "bbox": [0, 0, 1, 1]}],
    )
    assert sorted(done.before, key=str) == [8, "a7"]
    now = json.loads(out)["annotations"]
    assert [a["id"] for a in now if isinstance(a, dict)] == ["a7", "8", None, 9]
    assert out.count(b"NaN") == 1
    assert now[0]["bbox"] == [1, 2.5, 3, 4]
    assert now[1]["category_id"] == "d"


def test_of_two_records_with_one_id_the_right_one(tmp_path: Path) -> None:
    file = write(tmp_path, coco([label(5, bbox=[0, 0, -1, 0]), label(5)]))
    out, _ = spliced(file, {5: Edit(remove=True, is_it=lambda r: r["bbox"] == [1, 2, 3, 4])}, [])
    assert json.loads(out)["annotations"] == [label(5, bbox=[0, 0, -1, 0])]


def test_keys_that_a_record_lacks_are_added(tmp_path: Path) -> None:
    file = write(tmp_path, coco([label(5)]), indent=2)
    out, _ = spliced(file, {5: Edit({"area": 12.5, "category_id": 2})}, [])
    assert json.loads(out)["annotations"] == [label(5, category_id=2, area=12.5)]


def test_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("label_quality.coco.locate._CHUNK", 150)
    labels = [label(k) for k in range(1, 40)]
    file = write(tmp_path, coco(labels))
    out, done = spliced(file, {k: Edit({"category_id": 3}) for k in (1, 13, 39)}, [{"image_id": 1}])
    assert json.loads(out) == coco(
        [{**a, "category_id": 3} if a["id"] in (1, 13, 39) else a for a in labels]
        + [{"id": 40, "image_id": 1}]
    )
    assert list(done.before) == [1, 13, 39]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ids=st.lists(st.integers(-5, 60), unique=True, max_size=8),
    removed=st.sets(st.integers(-5, 60)),
    changed=st.sets(st.integers(-5, 60)),
    layout=st.sampled_from(sorted(LAYOUTS)),
    note=st.text(),
)
def test_any_edit_is_that_edit(
    tmp_path: Path, ids: list[int], removed: set[int], changed: set[int], layout: str, note: str
) -> None:
    labels = [label(i, note=note) for i in ids]
    file = write(tmp_path, coco(labels, extra=[note]), **LAYOUTS[layout] | {"ensure_ascii": True})
    edits = {i: Edit({"bbox": [0.5, 0, 1, 1]}) for i in changed} | dict.fromkeys(
        removed, Edit(remove=True)
    )
    out, _ = spliced(file, edits, [])
    expected = [
        {**a, "bbox": [0.5, 0, 1, 1]} if a["id"] in changed else a
        for a in labels
        if a["id"] not in removed
    ]
    assert json.loads(out) == coco(expected, extra=[note])
