"""Other label formats become COCO: Pascal VOC and YOLO. A file a format, a file what it needs.

Why own readers stand in docs/datasets.md. Does not belong here: reading COCO (`coco`), fetching data sets (`datasets`).
"""

from label_quality.formats.convert import FORMATS, Conversion, convert
from label_quality.formats.records import IMAGE, LABEL, Converted, ConvertError, Refusal
from label_quality.formats.voc import ORIGINS

__all__ = [
    "FORMATS",
    "IMAGE",
    "LABEL",
    "ORIGINS",
    "Conversion",
    "ConvertError",
    "Converted",
    "Refusal",
    "convert",
]
