"""How much a label overlaps the label of its image that is most like it: of its own class, and of any other."""

from __future__ import annotations

from collections.abc import Iterator

from label_quality.registry import Metric

_NOT_COMPARED = " 0 where none reaches the floor of annotation_pairs; NULL for a crowd"


def _metrics() -> Iterator[Metric]:
    for which, whose in (("same", "the same category"), ("other", "another category")):
        for measure, column, words, needs in (
            ("iou", "box_iou", "IoU of the boxes", ()),
            (
                "containment",
                "containment",
                "Share of the smaller of two boxes that lies in the other,",
                (),
            ),
            ("mask_iou", "mask_iou", "IoU of the masks, where they were compared,", ("masks",)),
        ):
            has_mask = " and segmentation_type <> 'none'" if needs else ""
            yield Metric(
                name=f"{which}_class_{measure}",
                kind="annotation",
                description=f"{words} with the label of {whose} in the image that gives the most:{_NOT_COMPARED}"
                + (" or without a mask" if needs else ""),
                low=0,
                high=1,
                bad="high",
                needs=frozenset(needs),
                sql=f"case when not iscrowd{has_mask} then least(coalesce({which}_{column}, 0), 1) end",
            )


METRICS = tuple(_metrics())
