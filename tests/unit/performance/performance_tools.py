"""A batch with its overlaps from COCO-like dictionaries, ready to be judged."""

from __future__ import annotations

from helpers import batch

from label_quality.matching import build_overlaps

MODEL = "m"


def matched(document, results, model=MODEL):
    """A database of one batch whose ``prediction_overlaps`` are filled."""
    con = batch.database(
        document["images"], document["annotations"], {model: results}, document["categories"]
    )
    build_overlaps(con)
    con.execute("insert into prediction_overlaps by name select * from new_prediction_overlaps")
    return con


def boxes(labels, results, images=1):
    """Labels (category, box, and where wanted more fields) and results (category, box, score) of one image, and its
    categories 1 to 3, as COCO has them."""
    document = {
        "images": [{"id": k + 1, "width": 1000, "height": 1000} for k in range(images)],
        "categories": [{"id": k, "name": f"class {k}"} for k in (1, 2, 3)],
        "annotations": [
            {
                "id": k + 1,
                "image_id": 1,
                "category_id": category,
                "bbox": box,
                "area": float(box[2] * box[3]),
                "iscrowd": 0,
                **(more[0] if more else {}),
            }
            for k, (category, box, *more) in enumerate(labels)
        ],
    }
    found = [
        {"image_id": 1, "category_id": category, "bbox": box, "score": score}
        for category, box, score in results
    ]
    return document, found
