"""The content of a label as a hash: what a verdict holds on to when ids, models or other labels change."""

from __future__ import annotations


def content_hash(row: str) -> str:
    """SQL for the content hash of the row `row` of ``annotations``: its category, box and outline, but not its ids.

    Numbers go in as thousandths and hundredths, not as text, so that no version of DuckDB writes them differently. The
    mask is known by its area and number of parts, which is what is published of it; its area is cut at a place that
    sums of decimal coordinates do not come to lie on.
    """
    box = ", ".join(_whole(f"round({row}.{c} * 1000)") for c in ("x", "y", "width", "height"))
    area = _whole(f"floor({row}.mask_area * 100 + 0.37193)")
    return (
        f"left(md5(concat_ws('/', {row}.category_id, {row}.iscrowd::integer, {box}, {row}.segmentation_type, "
        f"coalesce({row}.parts, 0), {area})), 16)"
    )


def _whole(number: str) -> str:
    return f"coalesce(try_cast({number} as bigint), -1)"
