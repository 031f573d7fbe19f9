"""Deliveries, versioned Parquet, manifests and publishing. Which tables there are is said in ``schema``.

``Store`` is the way in; ``Reader`` is for whoever keeps the published database open for long.
"""

from __future__ import annotations

from label_quality.store.calibrations import Calibration
from label_quality.store.deliveries import DeliveredFile, Delivery
from label_quality.store.errors import BatchBusy, StoreError
from label_quality.store.manifests import Manifest, Version
from label_quality.store.names import batch_name
from label_quality.store.publishing import Published
from label_quality.store.reader import Reader, published_database
from label_quality.store.runs import BatchRun
from label_quality.store.store import Store

__all__ = [
    "BatchBusy",
    "BatchRun",
    "Calibration",
    "DeliveredFile",
    "Delivery",
    "Manifest",
    "Published",
    "Reader",
    "Store",
    "StoreError",
    "Version",
    "batch_name",
    "published_database",
]
