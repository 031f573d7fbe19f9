"""Reading COCO: annotation files, results files and run-length masks, validated record by record.

The two readers of a file and the rules for its records are described in docs/ingest.md. Nothing is stored here.
"""

from label_quality.coco.errors import Refused, UnreadableFile
from label_quality.coco.labels import Labels, read_labels
from label_quality.coco.masks import to_rle, to_rles
from label_quality.coco.predictions import Predictions, read_predictions

__all__ = [
    "Labels",
    "Predictions",
    "Refused",
    "UnreadableFile",
    "read_labels",
    "read_predictions",
    "to_rle",
    "to_rles",
]
