"""How many planted errors stand among the first findings of the queue.

Belongs here: comparing findings with the ledger. Does not belong here: making either of them.
Boxes are x, y, width, height in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from scipy.optimize import linear_sum_assignment

ERROR_TYPES: Final = ("missing", "wrong_class", "inaccurate", "duplicate", "spurious")
LEAST_IOU: Final = 0.5
_SUGGESTED: Final = ["suggested_x", "suggested_y", "suggested_width", "suggested_height"]

_TRUE: Final = ["x", "y", "width", "height"]


def planted_found(
    findings: pd.DataFrame, planted: Sequence[dict[str, Any]], first: int
) -> pd.DataFrame:
    """Count, by error type, the planted errors that the first `first` findings point at.

    `findings` is the queue, most urgent first, with the columns error_type, image_id,
    annotation_id, other_annotation_id, suggested_x, suggested_y, suggested_width and
    suggested_height; `planted` is the ledger of the demo. A finding finds

    - a missing label: it is of the type missing, in the same image, and its suggested box has
      an IoU of at least 0.5 with the true box. One finding finds one label at most;
    - a duplicate: it is of the type duplicate and names either label of the pair;
    - any other error: it names the planted label, as annotation_id or other_annotation_id.

    Returns one row per error type, in the order of `ERROR_TYPES`: error_type, planted, found and
    right_type, the number found by a finding of the same type. Raises ValueError for a negative
    `first` or a ledger of unknown types, KeyError where a column is absent.
    """
    if first < 0:
        raise ValueError(f"first must not be negative, is {first}")
    columns = ["error_type", "image_id", "annotation_id", "other_annotation_id", *_SUGGESTED]
    queue = findings[columns].head(first)
    ledger = pd.DataFrame(
        list(planted),
        columns=["error_type", "image_id", "annotation_id", "other_annotation_id", *_TRUE],
    )
    unknown = set(ledger["error_type"]) - set(ERROR_TYPES)
    if unknown:
        raise ValueError(f"unknown error types in the ledger: {', '.join(sorted(unknown))}")
    pairs = _pointed_at(queue, ledger)
    same = pairs["finding_type"] == pairs["error_type"]
    counted = pairs[same | (pairs["error_type"] != "duplicate")]
    found = set(counted["error"])
    right = set(pairs.loc[same, "error"])
    missing = _missing_found(queue, ledger)
    ledger["found"] = ledger.index.isin(found) | ledger.index.isin(missing)
    ledger["right_type"] = ledger.index.isin(right) | ledger.index.isin(missing)
    ledger["planted"] = 1
    totals = ledger.groupby("error_type")[["planted", "found", "right_type"]].sum()
    table = totals.reindex(list(ERROR_TYPES), fill_value=0).astype("int64")
    return table.rename_axis("error_type").reset_index()


def _pointed_at(queue: pd.DataFrame, ledger: pd.DataFrame) -> pd.DataFrame:
    """Pairs of an error of the ledger (its row, `error`) and a finding that names its label."""
    named = pd.concat([_labels(queue, "annotation_id"), _labels(queue, "other_annotation_id")])
    named = named.rename(columns={"error_type": "finding_type"})
    others = ledger[ledger["error_type"] == "duplicate"]
    marked = pd.concat([_labels(ledger, "annotation_id"), _labels(others, "other_annotation_id")])
    marked = marked[marked["error_type"] != "missing"].rename(columns={"row": "error"})
    return marked.merge(named[["finding_type", "image_id", "label"]], on=["image_id", "label"])


def _labels(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Rows of `table` that name a label in `column`: row, error_type, image_id, label."""
    chosen = table[["error_type", "image_id", column]].dropna(subset=[column])
    chosen = chosen.rename(columns={column: "label"}).astype({"label": "int64"})
    return chosen.assign(image_id=chosen["image_id"].astype("int64"), row=chosen.index)


def _missing_found(queue: pd.DataFrame, ledger: pd.DataFrame) -> set[int]:
    """Rows of the ledger whose missing label is suggested, one to one, as many as possible."""
    lost = ledger[ledger["error_type"] == "missing"]
    suggested = queue[queue["error_type"] == "missing"].dropna(subset=_SUGGESTED)
    if lost.empty or suggested.empty:
        return set()
    overlap = coco_mask.iou(_boxes(suggested, _SUGGESTED), _boxes(lost, _TRUE), [0] * len(lost))
    same_image = suggested["image_id"].to_numpy()[:, None] == lost["image_id"].to_numpy()[None, :]
    valid = same_image & (overlap >= LEAST_IOU)
    row, column = linear_sum_assignment(valid.astype(np.float64), maximize=True)
    return {int(lost.index[index]) for index in column[valid[row, column]]}


def _boxes(table: pd.DataFrame, columns: list[str]) -> NDArray[np.float64]:
    return np.ascontiguousarray(table[columns].to_numpy(np.float64))
