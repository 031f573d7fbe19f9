"""Pictures of findings: a crop of the image with the label in blue and the suggestion in orange. No table is read here."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

LABEL, SUGGESTION = "#2f7de1", "#ff8c1a"
_AROUND = 1.5  # side of the crop over the longer side of what is shown
_SMALLEST = 32  # px: what is smaller is shown among its surroundings


def finding_picture(root: Path, finding: Mapping[str, Any], side: int) -> Image.Image | None:
    """A square crop around a finding, `side` pixels wide; None where the file cannot be read.

    Args:
        root: folder of the images.
        finding: file_name, error_type, annotation_id, and the boxes x, y, width, height (the label, or for missing the
            place) and suggested_x … suggested_height (NULL: none). file_name must be one that ingest found safe.
        side: pixels.
    """
    try:
        with Image.open(root / finding["file_name"]) as opened:
            picture = opened.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
        return None  # recorded where pixels are measured; here it only lacks a picture
    label = tuple(finding[k] for k in ("x", "y", "width", "height"))
    suggested = tuple(finding[f"suggested_{k}"] for k in ("x", "y", "width", "height"))
    boxes = [b for b in (label, suggested) if b[0] is not None]
    left, top = min(b[0] for b in boxes), min(b[1] for b in boxes)
    right, bottom = max(b[0] + b[2] for b in boxes), max(b[1] + b[3] for b in boxes)
    extent = max(right - left, bottom - top, _SMALLEST) * _AROUND
    x0, y0 = (left + right - extent) / 2, (top + bottom - extent) / 2
    crop = picture.transform(
        (side, side),
        Image.Transform.EXTENT,
        (x0, y0, x0 + extent, y0 + extent),
        Image.Resampling.BILINEAR,
    )
    draw = ImageDraw.Draw(crop)
    scale = side / extent

    def outline(box: tuple[Any, ...], colour: str) -> None:
        a, b = (box[0] - x0) * scale, (box[1] - y0) * scale
        draw.rectangle((a, b, a + box[2] * scale, b + box[3] * scale), outline=colour, width=3)

    if finding["annotation_id"] is not None:
        outline(label, LABEL)
    if suggested[0] is not None and finding["error_type"] != "wrong_class":
        outline(suggested, SUGGESTION)
    return crop


def jpeg(picture: Image.Image, quality: int) -> bytes:
    """The picture as a JPEG of that quality, 1 to 95."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()
