"""What must not fire, and which type is named for which error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from label_quality.calibration import calibrate
from label_quality.calibration.verdicts import NOBODY
from label_quality.findings import build_findings
from label_quality.schema import ERROR_TYPES
from planted.datasets import Dataset
from planted.runs import Run

_SMALL = 32.0**2


def unplanted(data: Dataset, images: np.ndarray) -> dict[str, Any]:
    """Findings on the labels as they are, in the images marked: shares of labels flagged from the default cut on, and crowds.

    cut: the default one of a calibration on all of the data, as an audit makes it. labels, flagged; small (below 32² px) and occluded (at
    least 0.3 within another label's box) ones likewise; missing findings from the cut on; missing findings of any p_error of which half
    lies in a crowd of their category.
    """
    con = data.con
    calibration = calibrate(con, {}, NOBODY)
    if isinstance(calibration, str):
        raise ValueError(calibration)
    cut = calibration.default_cut
    build_findings(con, calibration)
    con.execute("create or replace temp table _own as from new_findings")
    con.register("_half", pa.table({"image_id": data.image_ids[images]}))
    ((labels, flagged, small, small_flagged, occluded, occluded_flagged),) = con.execute(
        """
        with own as (
          select a.annotation_id, a.width * a.height < $small as small, coalesce(f.p_error, 0) >= $cut as flagged,
                 exists (
                   from annotations b where b.image_id = a.image_id and b.annotation_id <> a.annotation_id and not b.iscrowd
                     and greatest(least(a.x + a.width, b.x + b.width) - greatest(a.x, b.x), 0)
                       * greatest(least(a.y + a.height, b.y + b.height) - greatest(a.y, b.y), 0)
                       >= 0.3 * a.width * a.height) as occluded
          from annotations a semi join _half using (image_id) left join _own f on f.annotation_id = a.annotation_id
          where not a.iscrowd
        )
        select count(*), count(*) filter (flagged), count(*) filter (small), count(*) filter (small and flagged),
               count(*) filter (occluded), count(*) filter (occluded and flagged)
        from own
        """,
        {"small": _SMALL, "cut": cut},
    ).fetchall()
    ((missing, in_crowds),) = con.execute(
        """
        select count(*) filter (p_error >= $cut), count(*) filter (exists (
          from annotations c where c.iscrowd and c.image_id = f.image_id and c.category_id = f.category_id
            and greatest(least(f.x + f.width, c.x + c.width) - greatest(f.x, c.x), 0)
              * greatest(least(f.y + f.height, c.y + c.height) - greatest(f.y, c.y), 0) >= 0.5 * f.width * f.height))
        from _own f semi join _half using (image_id) where error_type = 'missing'
        """,
        {"cut": cut},
    ).fetchall()
    ((on_crowds,),) = con.execute(
        "select count(*) from _own f join annotations a using (annotation_id) where a.iscrowd"
    ).fetchall()
    con.unregister("_half")
    return {
        "cut": cut,
        "labels": labels,
        "flagged": flagged,
        "small": small,
        "small_flagged": small_flagged,
        "occluded": occluded,
        "occluded_flagged": occluded_flagged,
        "missing_flagged": missing,
        "missing_in_crowds": in_crowds,
        "findings_on_crowds": on_crowds,
    }


def confusion(run: Run) -> dict[str, dict[str, int]]:
    """Planted type -> type of the strongest finding on its label (or on the missing object), "none" where there is none."""
    table = {t: dict.fromkeys((*ERROR_TYPES, "none"), 0) for t in ERROR_TYPES}
    f = run.findings
    strongest: dict[int, str] = {}
    order = np.argsort(f["score"], kind="stable")
    for kind in ERROR_TYPES:
        candidates = f["prediction"] if kind == "missing" else f["label"]
        mine = order[candidates[order] >= 0]
        if kind == "missing":
            mine = mine[f["error_type"][mine] == "missing"]
        errors = run.hit[kind][candidates[mine]]
        for error, named in zip(
            errors[errors >= 0], f["error_type"][mine][errors >= 0], strict=True
        ):
            strongest[int(error)] = str(named)
    for error, kind in enumerate(run.errors["error_type"]):
        table[str(kind)][strongest.get(error, "none")] += 1
    return table
