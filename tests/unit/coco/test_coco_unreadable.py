"""Files that cannot be read at all: one sentence that names the file and the place."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from coco_documents import read, read_results, small

from label_quality.coco import UnreadableFile, read_labels

GOOD = small().render()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "file.json, line 1, column 1: the file is empty"),
        (b" \n\t ", "file.json, line 1, column 1: the file holds only white space"),
        (gzip.compress(GOOD), "file.json, byte 0: the file is compressed with gzip: unpack it first"),
        (b"PK\x03\x04....", "file.json, byte 0: the file is a zip archive: unpack it first"),
        (GOOD.decode().encode("utf-16"), "file.json, byte 0: the file is encoded as UTF-16, and JSON has to be UTF-8"),
        (GOOD.decode().encode("utf-16-le"), "file.json, byte 1: a zero byte; JSON has to be text in UTF-8"),
        (GOOD.replace(b"cat", "Kätzchen".encode("latin-1")), "the byte 0xe4 is not part of a UTF-8 character"),
        (b"hello", "file.json, line 1, column 1: the JSON should start with { here"),
        (b"<html>", "file.json, line 1, column 1: the JSON should start with { here"),
        (b"\n[{}]", "file.json, line 2, column 1: a list stands here, as in a results file; an annotation file is an object"),
        (b"{}", 'file.json, line 1, column 1: the object that starts here has no list "images"'),
        (b'{"images": [], "annotations": []}', 'has no list "categories"'),
        (b'{"images": [], "annotations": {}, "categories": []}', 'has no list "annotations"'),
        (b'{"images": null, "annotations": [], "categories": []}', 'has no list "images"'),
        (b'{"images": [],\n "annotations": [],\n "categories": [], }', "file.json, line 3, column 20: a comma stands before this }"),
        (b'{"images": [],\n "annotations": [1 2],\n "categories": []}', "file.json, line 2, column 20: a comma or ] should stand here: unexpected '2],"),
        (b'{"images": [], "annotations": [{"id": 1,}], "categories": []}', "file.json, line 1, column 4"),
        (b'{"images": [], "annotations": [], "categories": []} x', "column 53: the JSON ends before this: unexpected 'x'"),
        (b'{"images": [], "annotations": [], "categories": []}}', "the JSON ends before this"),
        (b'{"images": [], "annotations": [], "categories": [], "images": [1]}', '"images" stands'),
        (b'{"images": [NaN], "annotations": [], "categories": [], "images": [1]}', 'column 66: the key "images" stands here a second time'),
        (b"{'images': []}", "column 2: a key in quotes should stand here: unexpected \"'images': []\""),
        (b'{"images" []}', "column 11: a colon should stand here"),
        (b'{"images": [], "annotations": [tru], "categories": []}', "column 32: unexpected 'tru], "),
        (b'{"images": [' + b"[" * 100_000, "nested too deeply"),
        (b'{"images": [], "annotations": [], "categories": [], "x": "\x01"}', "column 59: invalid control character at"),
        (GOOD[:-1], "the file ends here, in the middle of its JSON (was it cut off?)"),
        (GOOD[: GOOD.index(b"file_name") + 15], "this text has no closing quote: the file ends inside it (was it cut off?)"),
    ],
)  # fmt: skip
def test_annotation_files(content, message):
    for reader in ("auto", "tolerant"):
        with pytest.raises(UnreadableFile) as caught:
            read(content, reader)
        assert message in str(caught.value)
        assert str(caught.value).startswith("file.json, ")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b'"text"', "the JSON should start with { here"),
        (b"{}", "a results file is a list, or an object with a list predictions or annotations"),
        (b'{"predictions": 5}', "a results file is a list, or an object with a list"),
        (GOOD, "this looks like an annotation file (images, categories, no scores), not like a results file"),
        (b'[{"image_id": 1,', "line 1, column 17: the file ends here"),
        (b'[{"image_id": 1}', "line 1, column 17: a comma or ] should stand here: the file ends here"),
        (b'[{"image_id": 1}] []', "line 1, column 19: the JSON ends before this: unexpected '[]'"),
        (b'[{"image_id": 1}{"image_id": 2}]', "line 1, column 17: a comma or ] should stand here"),
        (b'[{"image_id": 1}\n{"image_id": 2}]', "line 2, column 1: a comma or ] should stand here"),
        (b'[{"image_id": 1},]', "line 1, column 18: a comma stands before this ]"),
        (b'{"image_id": 1}\n{"image_id": 2}', "line 2, column 1: the JSON ends before this"),
    ],
)  # fmt: skip
def test_results_files(content, message):
    labels = read(small()).labels
    for reader in ("auto", "tolerant"):
        with pytest.raises(UnreadableFile) as caught:
            read_results(content, labels, reader)
        assert message in str(caught.value)
        assert str(caught.value).startswith("file.json, ")


def test_a_file_that_is_not_there(tmp_path: Path):
    for path in (tmp_path / "no.json", tmp_path):
        with pytest.raises(UnreadableFile, match=r"^labels\.json cannot be opened: "):
            read_labels(path, "b", write_masks=lambda t: None, file_name="labels.json")
