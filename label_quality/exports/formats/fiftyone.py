"""A dataset folder for FiftyOne: images with labels, predictions of each model and findings, as boxes; tags and verdicts with them.

It is the folder that ``fiftyone.types.FiftyOneDataset`` reads, in the plain JSON of its first version. Boxes are shares of the
picture. DuckDB makes the JSON, one document per image: a file may have millions of predictions.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from label_quality.exports.registry import Exporter, Result
from label_quality.store.files import replacing, write_json
from label_quality.store.scan import quoted

if TYPE_CHECKING:
    from label_quality.exports.source import Source

_ROWS = 500  # documents fetched at a time
_BOX = "[t.x / i.width, t.y / i.height, t.width / i.width, t.height / i.height]"
_NO_TAGS = "[]::varchar[]"


def write(source: Source, folder: Path) -> Result:
    """``<batch>/samples.json`` and ``<batch>/metadata.json`` for each batch."""
    result = Result()
    for batch in source.batches:
        place = folder / batch
        models = source.rows("select model from models where batch = ? order by 1", batch)
        fields = _fields([r["model"] for r in models])
        info = {"batch": batch, "models": {f: m for m, f in fields.items()}}
        write_json(place / "metadata.json", {"name": batch, "media_type": "image", "info": info})
        file = place / "samples.json"
        with replacing(file) as temporary, temporary.open("w", encoding="utf-8") as out:
            count = _write_samples(source, batch, fields, out)
        result.files += [place / "metadata.json", file]
        result.says.append(f"{batch}: {count} images")
        if source.images(batch) is None:
            result.says.append(
                f"  {batch} came without images: give FiftyOne their folder as rel_dir"
            )
    return result


def _fields(models: list[str]) -> dict[str, str]:
    """The name of the field that each model's predictions stand in."""
    names = [f"predictions_{re.sub('[^a-z0-9]+', '_', m.lower()).strip('_')}" for m in models]
    return {
        m: n if names.count(n) == 1 and n.isascii() else f"predictions_{k}"
        for k, (m, n) in enumerate(zip(models, names, strict=True), start=1)
    }


def _write_samples(source: Source, batch: str, fields: dict[str, str], out: TextIO) -> int:
    images = source.images(batch)
    root = f"{images.absolute()}/" if images else ""
    source.con.execute(_samples(batch, root, fields))
    out.write('{"samples": [')
    count = 0
    while rows := source.con.fetchmany(_ROWS):
        out.write(",\n" if count else "\n")
        out.write(",\n".join(text for (text,) in rows))
        count += len(rows)
    out.write("\n]}\n")
    return count


def _samples(batch: str, root: str, fields: dict[str, str]) -> str:
    """One JSON document per image."""
    name = quoted(batch)
    parts = {
        "ground_truth": (
            f"select t.image_id, {_detection('c.name', tags='tag.tags', annotation_id='t.annotation_id', iscrowd='t.iscrowd')} as d "
            "from annotations t join images i using (batch, image_id) join categories c using (batch, category_id) "
            f"left join (select annotation_id, list(tag order by tag) as tags from _tags where kind = 'annotation' and batch = {name} "
            f"group by all) tag using (annotation_id) where t.batch = {name} order by t.annotation_id"
        ),
        "findings": (
            f"select t.image_id, {_detection('t.error_type', 't.p_error', finding_id='t.finding_id', annotation_id='t.annotation_id', category='c.name', suggested_fix='t.suggested_fix', reason='t.reason', verdict='v.verdict')} as d "
            "from findings t join images i using (batch, image_id) left join categories c using (batch, category_id) "
            "left join (select batch, attached_finding_id as finding_id, case when bool_or(disagreement) then 'disagreement' else "
            "arg_max(verdict, seq) end as verdict from _verdicts where not superseded and attached_finding_id is not null "
            f"group by all) v using (batch, finding_id) where t.batch = {name} order by t.p_error desc, t.finding_id"
        ),
    }
    for model, field in fields.items():
        parts[field] = (
            f"select t.image_id, {_detection('c.name', 't.score', prediction_id='t.prediction_id')} as d "
            "from predictions t join images i using (batch, image_id) join categories c using (batch, category_id) "
            f"where t.batch = {name} and t.model = {quoted(model)} order by t.prediction_id"
        )
    ctes = ", ".join(
        f"{field} as (select image_id, list(d) as d from ({sql}) group by all)"
        for field, sql in parts.items()
    )
    joins = " ".join(f"left join {field} using (image_id)" for field in parts)
    detections = ", ".join(
        f"'{f}': {{'_cls': 'Detections', 'detections': coalesce({f}.d, [])}}" for f in parts
    )
    return f"""
        with {ctes}, tagged as (
          select image_id, list(tag order by tag) as tags from _tags where kind = 'image' and batch = {name} group by all
        )
        select to_json({{'filepath': {quoted(root)} || i.file_name, 'tags': coalesce(tagged.tags, {_NO_TAGS}),
          'metadata': {{'_cls': 'ImageMetadata', 'width': i.width, 'height': i.height}},
          'batch': i.batch, 'image_id': i.image_id, {detections}}})::varchar
        from images i left join tagged using (image_id) {joins}
        where i.batch = {name} order by i.image_id"""


def _detection(
    label: str, confidence: str = "null::double", tags: str = _NO_TAGS, **more: str
) -> str:
    extra = "".join(f", '{key}': {sql}" for key, sql in more.items())
    return (
        f"{{'_cls': 'Detection', 'attributes': map {{}}, 'tags': coalesce({tags}, {_NO_TAGS}), 'label': {label}, "
        f"'bounding_box': {_BOX}, 'confidence': {confidence}{extra}}}"
    )


EXPORTER = Exporter(
    "fiftyone",
    "A FiftyOne dataset folder: labels, predictions, findings, tags and verdicts, as boxes.",
    write,
)
