"""`label-quality convert`, and then the command that it prints: a VOC folder is audited as it lies there."""

from __future__ import annotations

import shlex
from pathlib import Path

from PIL import Image
from pipeline_tools import command, query

OBJECT = (
    "<object><name>{name}</name><difficult>1</difficult><bndbox><xmin>{x}</xmin><ymin>5</ymin>"
    "<xmax>{right}</xmax><ymax>40</ymax></bndbox></object>"
)


def test_what_was_converted_is_audited(home: Path, tmp_path: Path) -> None:
    folder, root = tmp_path / "voc", tmp_path / "root"
    (folder / "Annotations").mkdir(parents=True)
    (folder / "JPEGImages").mkdir()
    for stem in ("a", "b"):
        Image.effect_noise((100, 80), 60).save(folder / "JPEGImages" / f"{stem}.jpg")
        objects = [
            OBJECT.format(name="cat", x=1, right=30),
            OBJECT.format(name="dog", x=40, right=90),
        ]
        objects.append(OBJECT.format(name="cat", x="?", right=9))
        (folder / "Annotations" / f"{stem}.xml").write_text(
            f"<annotation><filename>{stem}.jpg</filename>{''.join(objects)}</annotation>"
        )
    done = command("convert", folder, "--root", root, home=home, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "6 labels read, 4 kept, 2 refused" in done.stdout
    (printed,) = [line for line in done.stdout.splitlines() if "label-quality audit" in line]
    done = command(*shlex.split(printed)[1:], home=home, cwd=tmp_path)
    assert done.returncode in (0, 1), done.stderr
    database = root / "label_quality.duckdb"
    assert query(database, "select count(*) from quarantine") == [(0,)]
    assert query(database, "select distinct batch, file_state from images") == [("voc", "ok")]
    assert query(
        database, "select x, y, width, height from annotations order by annotation_id limit 1"
    ) == [(0.0, 4.0, 30.0, 36.0)]
