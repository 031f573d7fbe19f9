"""What makes a label or a prediction unusable, and what only looks wrong. Each rule stands here once, for both readers.

The rules are array code over a chunk; see docs/ingest.md for the list in words. Rules about the shape of a record
(types, missing fields) stand in ``records``, about images and categories in ``tables``, about ids in ``ids``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from label_quality.coco.columns import Objects
from label_quality.coco.ids import Id
from label_quality.coco.rle import MAX_PIXELS
from label_quality.coco.segments import (
    NONE,
    RLE,
    Segments,
    polygon_geometry,
    rle_counts,
    rle_geometry,
)
from label_quality.coco.verdict import Verdict

MAX_COORDINATE = 1e9  # px: beyond any picture, and still exact in every sum
FAR = 10  # a polygon may leave the image by this many times its longer side: beyond, it is no outline of anything
OUTSIDE_TOLERANCE = 1.0  # px that a box may leave the image by without a warning
EDGE_TOLERANCE = 2.0  # px between an edge of the box and of its mask
AREA_RELATIVE, AREA_ABSOLUTE = (
    0.25,
    50.0,
)  # share of the larger area, and px², that area and mask may differ by


def judge(objects: Objects, verdict: Verdict) -> tuple[np.ndarray, np.ndarray]:
    """Applies all rules to the rows that `verdict` still keeps, and fills in missing boxes and areas.

    Returns the area of each mask, float64 (n,) px², and its extent, (n, 4) left, top, right, bottom; NaN where a
    record has no mask.
    """
    _finite_scalars(objects, verdict)
    area, extent = _masks(objects, verdict)
    _box_from_mask(objects, verdict, extent)
    _boxes(objects, verdict)
    if objects.are_labels:
        _label_warnings(objects, verdict, area, extent)
        box_area = objects.box[:, 2] * objects.box[:, 3]
        default = np.where(np.isnan(area), box_area, area)
        objects.area = np.where(objects.has_area, objects.area, default)
    return area, extent


def dangling(
    objects: Objects,
    references: dict[str, list[Any]],
    not_taken: dict[str, set[Id]],
    verdict: Verdict,
) -> None:
    """Turns down records whose image or category is not there; says so if it was quarantined itself."""
    for kind, rows in (
        ("image", objects.placed.image_row),
        ("category", objects.placed.category_row),
    ):
        ids = references[f"{kind}_id"]

        def reason(k: int, kind: str = kind, ids: list[Any] = ids) -> str:
            if ids[k] in not_taken[kind]:
                return f"its {kind} {ids[k]} was itself quarantined"
            return f"{kind}_id {ids[k]} names no {kind} of the annotation file"

        verdict.reject(rows < 0, reason)


def _number(value: float) -> str:
    return f"{value:.10g}"


def _box_text(objects: Objects, row: int) -> str:
    return f"[{', '.join(_number(v) for v in objects.box[row])}]"


def _finite_scalars(objects: Objects, verdict: Verdict) -> None:
    score, area, crowd = objects.score, objects.area, objects.crowd
    verdict.reject(~np.isfinite(score), lambda k: f"score is {score[k]}")
    outside = ~((score >= 0) & (score <= 1))
    verdict.reject(outside, lambda k: f"score {_number(score[k])} is not between 0 and 1")
    verdict.reject(objects.has_area & ~np.isfinite(area), lambda k: f"area is {area[k]}")
    verdict.reject(area < 0, lambda k: f"area {_number(area[k])} is negative")
    verdict.reject(area > MAX_COORDINATE**2, lambda k: f"area {_number(area[k])} is too large")
    odd = (crowd != 0) & (crowd != 1)
    verdict.reject(odd, lambda k: f"iscrowd is {_number(crowd[k])}, not 0 or 1")
    box = objects.box
    infinite = objects.has_box & ~np.isfinite(box).all(axis=1)
    verdict.reject(
        infinite, lambda k: f"bbox {_box_text(objects, k)} holds a number that is not finite"
    )
    large = (np.abs(box) > MAX_COORDINATE).any(axis=1)
    verdict.reject(large, lambda k: f"bbox {_box_text(objects, k)} holds too large a number")


def _masks(objects: Objects, verdict: Verdict) -> tuple[np.ndarray, np.ndarray]:
    segments = objects.segments
    pixels = objects.placed.image_width * objects.placed.image_height
    verdict.reject(
        (segments.kind != NONE) & (pixels > MAX_PIXELS),
        lambda k: f"its image has {pixels[k]} pixels, and masks can have {MAX_PIXELS} at most",
    )
    _polygons(objects, verdict)
    _run_lengths(objects, verdict, pixels)
    # Only a missing box has to be taken from the mask of a prediction; nothing else is asked of the mask.
    needed = verdict.kept if objects.are_labels else verdict.kept & ~objects.has_box
    sound = _only(segments, needed)
    area, extent = polygon_geometry(sound)
    if sound.rles:
        area[sound.rle_row], extent[sound.rle_row] = rle_geometry(sound.rles)
    return area, extent


def _polygons(objects: Objects, verdict: Verdict) -> None:
    segments = objects.segments
    if not len(segments.part_row):
        return
    rows, lengths, values = segments.part_row, segments.part_length, segments.coordinates
    shortest = np.full(len(objects), 6)
    np.minimum.at(shortest, rows, lengths)
    odd = np.bincount(rows, weights=lengths % 2, minlength=len(objects)) > 0
    verdict.reject(odd, lambda k: "a polygon has an odd number of coordinates")
    verdict.reject(
        shortest < 6,
        lambda k: (
            f"a polygon has {shortest[k] // 2} {'point' if shortest[k] // 2 == 1 else 'points'}, fewer than three"
        ),
    )
    infinite = np.flatnonzero(~np.isfinite(values))
    bad = np.zeros(len(objects), dtype=bool)
    owner = rows[np.searchsorted(np.cumsum(lengths), infinite, side="right")]
    bad[owner] = True
    verdict.reject(bad, lambda k: "a polygon holds a number that is not finite")
    side = np.maximum(objects.placed.image_width, objects.placed.image_height)
    filled = lengths > 0
    starts = (np.cumsum(lengths) - lengths)[filled]
    reach = np.zeros(len(objects))
    with np.errstate(invalid="ignore"):
        highest = np.maximum.reduceat(values, starts) if len(starts) else values[:0]
        lowest = np.minimum.reduceat(values, starts) if len(starts) else values[:0]
        np.fmax.at(reach, rows[filled], np.fmax(highest, -lowest))
    verdict.reject(
        reach > (FAR + 1) * side,
        lambda k: (
            f"a polygon reaches to {_number(reach[k])}, far outside the image of "
            f"{objects.placed.image_width[k]} × {objects.placed.image_height[k]} pixels"
        ),
    )


def _run_lengths(objects: Objects, verdict: Verdict, pixels: np.ndarray) -> None:
    rles, rows = objects.segments.rles, objects.segments.rle_row
    if not rles:
        return
    n = len(objects)
    size = np.zeros((n, 2), dtype=object)
    for row, one in zip(rows.tolist(), rles, strict=True):
        size[row] = one.size
    is_rle = objects.segments.kind == RLE
    differs = is_rle & (
        (size[:, 0] != objects.placed.image_height) | (size[:, 1] != objects.placed.image_width)
    )
    verdict.reject(
        differs,
        lambda k: (
            f"the run lengths are of a mask of {size[k, 1]} × {size[k, 0]} pixels (width × height), "
            f"the image has {objects.placed.image_width[k]} × {objects.placed.image_height[k]}"
        ),
    )
    total, sound = np.zeros(n, dtype=np.int64), np.ones(n, dtype=bool)
    total[rows], sound[rows] = rle_counts(rles)
    verdict.reject(~sound, lambda k: "the run lengths cannot be decoded")
    verdict.reject(
        is_rle & (total != pixels),
        lambda k: f"the run lengths add up to {total[k]} pixels, the image has {pixels[k]}",
    )


def _only(segments: Segments, kept: np.ndarray) -> Segments:
    """The segmentations of the rows that are kept; the others have none."""
    if kept.all():
        return segments
    parts = kept[segments.part_row]
    masks = kept[segments.rle_row]
    return Segments(
        np.where(kept, segments.kind, NONE).astype(np.uint8),
        segments.part_row[parts],
        segments.part_length[parts],
        segments.coordinates[np.repeat(parts, segments.part_length)],
        segments.rle_row[masks],
        [one for one, keep in zip(segments.rles, masks.tolist(), strict=True) if keep],
    )


def _box_from_mask(objects: Objects, verdict: Verdict, extent: np.ndarray) -> None:
    absent = ~objects.has_box
    if not absent.any():
        return
    kind = objects.segments.kind
    verdict.reject(absent & (kind == NONE), lambda k: "there is neither a bbox nor a segmentation")
    empty = absent & np.isnan(extent[:, 0])
    verdict.reject(empty, lambda k: "there is no bbox, and the mask is empty")
    left_top, right_bottom = extent[:, :2], extent[:, 2:]
    from_mask = np.concatenate([left_top, right_bottom - left_top], axis=1)
    objects.box = np.where(absent[:, None], from_mask, objects.box)


def _boxes(objects: Objects, verdict: Verdict) -> None:
    x, y, width, height = objects.box.T
    with np.errstate(invalid="ignore"):
        flat = ~((width > 0) & (height > 0) & (width * height > 0))
        outside = (x >= objects.placed.image_width) | (y >= objects.placed.image_height)
        outside |= (x + width <= 0) | (y + height <= 0)
    verdict.reject(
        flat,
        lambda k: f"the box is {_number(width[k])} × {_number(height[k])} pixels (width × height)",
    )
    verdict.reject(
        outside,
        lambda k: (
            f"the box {_box_text(objects, k)} lies outside the image of "
            f"{objects.placed.image_width[k]} × {objects.placed.image_height[k]} pixels"
        ),
    )


def _label_warnings(
    objects: Objects, verdict: Verdict, area: np.ndarray, extent: np.ndarray
) -> None:
    x, y, width, height = objects.box.T
    edges = np.stack([x, y, x + width, y + height], axis=1)
    limit = np.stack([objects.placed.image_width, objects.placed.image_height], axis=1)
    beyond = np.concatenate([-edges[:, :2], edges[:, 2:] - limit], axis=1).max(axis=1)
    verdict.warn(
        beyond > OUTSIDE_TOLERANCE,
        "box_outside_image",
        lambda k: (
            f"the box {_box_text(objects, k)} leaves the image of {objects.placed.image_width[k]} × "
            f"{objects.placed.image_height[k]} pixels by {beyond[k]:.1f} px"
        ),
    )
    masked = objects.segments.kind != NONE
    verdict.warn(masked & (area == 0), "empty_mask", lambda k: "the segmentation covers no area")
    with np.errstate(invalid="ignore"):
        apart = np.abs(edges - extent)
        apart = np.where(np.isnan(apart), 0, apart).max(axis=1)
    verdict.warn(
        objects.has_box & (apart > EDGE_TOLERANCE),
        "box_differs_from_mask",
        lambda k: (
            f"an edge of the box {_box_text(objects, k)} is {apart[k]:.1f} px away from that of the mask"
        ),
    )
    given = objects.area
    with np.errstate(invalid="ignore"):
        allowed = np.maximum(AREA_RELATIVE * np.maximum(given, area), AREA_ABSOLUTE)
        differs = objects.has_area & (np.abs(given - area) > allowed)
    verdict.warn(
        differs,
        "area_differs_from_mask",
        lambda k: f"area is {_number(given[k])}, that of the mask {_number(area[k])} px²",
    )
