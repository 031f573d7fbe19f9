"""Takes decisions out of the house: corrected COCO, relabelling lists, tasks for annotation tools.

One file per format in ``formats``; what they share is in ``source`` (what to export from), ``fixes`` (which decisions are
carried out, by which rule), ``proposals`` (labels and suggestions of an image, for annotation tools) and ``spreadsheet`` (CSV).
Writing COCO back byte for byte is ``coco.splice``.
"""

from __future__ import annotations

from label_quality.exports.registry import Exporter, Result, found
from label_quality.exports.source import Source, open_source

__all__ = ["Exporter", "Result", "Source", "found", "open_source"]
