"""Public data sets, fetched from their publishers and laid out as batches.

Does not belong here: other label formats (`formats`), registering and auditing a batch (`store`, `cli`).
"""

from label_quality.datasets.catalogue import CATALOGUE, Archive, DataSet
from label_quality.datasets.download import Downloaded, Progress, download
from label_quality.datasets.fetch import Advance, DownloadError

__all__ = [
    "CATALOGUE",
    "Advance",
    "Archive",
    "DataSet",
    "DownloadError",
    "Downloaded",
    "Progress",
    "download",
]
