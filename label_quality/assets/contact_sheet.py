"""A picture of the top findings for the Dagster UI: crops with label (blue) and suggestion (orange), under 100 KB."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LABEL, PREDICTION = "#2f7de1", "#ff8c1a"
_COLUMNS, _ROWS = 4, 3
_TILE, _CAPTION, _GAP = 226, 22, 6
_LARGEST = 70_000  # bytes of JPEG: base64 makes a third more of it


def contact_sheet(con: DuckDBPyConnection, images: Path | None) -> bytes | None:
    """The first findings of the queue as a JPEG, or None where there are no pictures to show.

    Args:
        con: shows ``findings``, ``images`` and ``categories``.
        images: the image root; only files that ingest found safe and readable are opened.
    """
    if images is None:
        return None
    rows = (
        con.sql(
            f"""
        select f.*, i.file_name,
               case when f.error_type = 'wrong_class' then c.name || ' is ' || s.name else c.name end as name
        from findings f join images i using (image_id)
        join categories c on c.category_id = f.category_id
        left join categories s on s.category_id = f.suggested_category_id
        where i.file_state in ('ok', 'size_differs')
        order by f.p_error desc, f.finding_id limit {_COLUMNS * _ROWS}
        """
        )
        .to_arrow_table()
        .to_pylist()
    )
    tiles = [tile for row in rows if (tile := _tile(images, row)) is not None]
    if not tiles:
        return None
    lines = -(-len(tiles) // _COLUMNS)
    size = (_COLUMNS * (_TILE + _GAP) - _GAP, lines * (_TILE + _CAPTION))
    sheet = Image.new("RGB", size, "#16181c")
    for place, tile in enumerate(tiles):
        row, column = divmod(place, _COLUMNS)
        sheet.paste(tile, (column * (_TILE + _GAP), row * (_TILE + _CAPTION)))
    return _encode(sheet)


def _tile(root: Path, row: dict[str, Any]) -> Image.Image | None:
    try:
        with Image.open(root / row["file_name"]) as opened:
            picture = opened.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
        return None  # recorded where pixels are measured; here it only lacks a tile
    label = (row["x"], row["y"], row["width"], row["height"])
    suggested = tuple(row[f"suggested_{k}"] for k in ("x", "y", "width", "height"))
    boxes = [b for b in (label, suggested) if b[0] is not None]
    left, top = min(b[0] for b in boxes), min(b[1] for b in boxes)
    right, bottom = max(b[0] + b[2] for b in boxes), max(b[1] + b[3] for b in boxes)
    side = max(right - left, bottom - top, 32) * 1.5
    x0, y0 = (left + right - side) / 2, (top + bottom - side) / 2
    crop = picture.transform(
        (_TILE, _TILE),
        Image.Transform.EXTENT,
        (x0, y0, x0 + side, y0 + side),
        Image.Resampling.BILINEAR,
    )
    tile = Image.new("RGB", (_TILE, _TILE + _CAPTION), "#16181c")
    tile.paste(crop, (0, 0))
    draw = ImageDraw.Draw(tile)
    scale = _TILE / side

    def outline(box: tuple[Any, ...], colour: str) -> None:
        a, b = (box[0] - x0) * scale, (box[1] - y0) * scale
        draw.rectangle((a, b, a + box[2] * scale, b + box[3] * scale), outline=colour, width=3)

    if row["annotation_id"] is not None:
        outline(label, LABEL)
    if suggested[0] is not None and row["error_type"] != "wrong_class":
        outline(suggested, PREDICTION)
    caption = f"{row['p_error']:.2f} {row['error_type'].replace('_', ' ')}: {row['name']}"
    draw.text((5, _TILE + 3), caption[:36], fill="white", font=ImageFont.load_default(13))
    return tile


def _encode(sheet: Image.Image) -> bytes | None:
    for quality in (72, 55, 40, 25):
        buffer = io.BytesIO()
        sheet.save(buffer, "JPEG", quality=quality, optimize=True)
        if buffer.tell() <= _LARGEST:
            return buffer.getvalue()
    return None
