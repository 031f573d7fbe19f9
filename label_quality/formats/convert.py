"""A folder in another format becomes annotations.json in COCO's, beside a list of what was refused. Pictures stay where they are."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import msgspec

from label_quality.formats.folder import files_below
from label_quality.formats.records import Converted, ConvertError
from label_quality.formats.voc import find_voc, read_voc
from label_quality.formats.yolo import read_yolo
from label_quality.formats.yolo_files import looks_like_yolo
from label_quality.store.files import replacing

FORMATS = ("auto", "voc", "yolo")
ANNOTATIONS, REFUSED = "annotations.json", "refused.csv"
_DESCRIPTION = "Converted by label_quality from "


@dataclass(frozen=True)
class Conversion:
    """What was written. `images` is the folder that the file names start from; `refused` is None when nothing was."""

    converted: Converted
    annotations: Path
    images: Path
    refused: Path | None


def convert(
    folder: Path,
    output: Path,
    *,
    form: str = "auto",
    split: str | None = None,
    origin: str = "auto",
) -> Conversion:
    """Converts `folder` and writes ``annotations.json`` and, if anything was refused, ``refused.csv`` to `output`.

    Raises ConvertError when there is nothing to convert or `output` holds somebody else's labels, OSError when it
    cannot be written.
    """
    if not folder.is_dir():
        raise ConvertError(f"{folder} is not a folder")
    target, report = output / ANNOTATIONS, output / REFUSED
    _refuse_foreign(target)
    if form == "auto":
        form = _recognise(folder)
    if form == "voc":
        converted = read_voc(folder, split=split, origin=origin)
    else:
        converted = read_yolo(folder, split=split)
    converted.check()
    output.mkdir(parents=True, exist_ok=True)
    document = {
        "info": {"description": f"{_DESCRIPTION}{converted.format}"},
        "images": converted.images,
        "annotations": converted.annotations,
        "categories": converted.categories,
    }
    _write_refused(converted, report)
    with replacing(target) as temporary:
        temporary.write_bytes(msgspec.json.encode(document))
    return Conversion(converted, target, folder, report if converted.refused else None)


def _recognise(folder: Path) -> str:
    names = files_below(folder)
    yolo, voc = looks_like_yolo(names), bool(find_voc(names))
    if yolo and voc:
        raise ConvertError(f"{folder} holds labels of both VOC and YOLO: say which with --format")
    if not yolo and not voc:
        raise ConvertError(
            f"{folder} holds neither VOC's XML files nor YOLO's labels/, data.yaml, obj.names or classes.txt"
        )
    return "yolo" if yolo else "voc"


def _refuse_foreign(target: Path) -> None:
    """Do not overwrite somebody's own labels."""
    if not target.exists():
        return
    with target.open("rb") as file:
        head = file.read(200)
    if _DESCRIPTION.encode() not in head:
        raise ConvertError(
            f"{target} was not written by label-quality convert: choose another --output"
        )


def _write_refused(converted: Converted, report: Path) -> None:
    if not converted.refused:
        report.unlink(missing_ok=True)
        return
    with replacing(report) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["file", "line", "record", "reason", "original"])
        for one in converted.refused:
            line = "" if one.line is None else one.line
            out.writerow([one.file, line, one.record, one.reason, one.original])
