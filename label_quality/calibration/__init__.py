"""What a score is worth: p_error fitted to errors that are planted into the data's own labels, and to what people decided.

Nothing here knows Dagster or files; ``findings`` turns scores into p_error by what is fitted here, and knows nothing of it.
"""

from __future__ import annotations

from label_quality.calibration.build import LABELS_NEEDED, calibrate, is_current
from label_quality.calibration.tables import build_tables
from label_quality.calibration.verdicts import NEEDED, judged_findings, rests_on

__all__ = [
    "LABELS_NEEDED",
    "NEEDED",
    "build_tables",
    "calibrate",
    "is_current",
    "judged_findings",
    "rests_on",
]
