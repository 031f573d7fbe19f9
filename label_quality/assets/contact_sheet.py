"""A picture of the top findings for the Dagster UI: crops with label (blue) and suggestion (orange), under 100 KB."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw, ImageFont

from label_quality.pictures import finding_picture, jpeg

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_BACKGROUND = "#16181c"
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
    sheet = Image.new("RGB", size, _BACKGROUND)
    for place, tile in enumerate(tiles):
        row, column = divmod(place, _COLUMNS)
        sheet.paste(tile, (column * (_TILE + _GAP), row * (_TILE + _CAPTION)))
    return _encode(sheet)


def _tile(root: Path, row: dict[str, Any]) -> Image.Image | None:
    crop = finding_picture(root, row, _TILE)
    if crop is None:
        return None
    tile = Image.new("RGB", (_TILE, _TILE + _CAPTION), _BACKGROUND)
    tile.paste(crop, (0, 0))
    caption = f"{row['p_error']:.2f} {row['error_type'].replace('_', ' ')}: {row['name']}"
    font = ImageFont.load_default(13)
    ImageDraw.Draw(tile).text((5, _TILE + 3), caption[:36], fill="white", font=font)
    return tile


def _encode(sheet: Image.Image) -> bytes | None:
    encoded = (jpeg(sheet, quality) for quality in (72, 55, 40, 25))
    return next((data for data in encoded if len(data) <= _LARGEST), None)
