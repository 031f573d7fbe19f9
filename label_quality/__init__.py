"""Find label errors in detection and segmentation datasets.

Rooms, from the top down: ``definitions``, ``assets``, ``sensors`` and ``cli`` (Dagster and the command),
``findings``, ``rates``, ``matching``, ``coco`` and ``demo`` (the domain), ``schema``, ``store`` and ``settings``.
This module holds only the public door, `open`, and imports nothing heavy until it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from label_quality.api import Audit

__version__ = "0.1.0"
__all__ = ["__version__", "open"]


def open(root: str | Path) -> Audit:
    """Open what was published under `root`; its methods return pandas DataFrames.

    Raises FileNotFoundError when nothing has been published there yet.
    """
    from label_quality.api import Audit

    return Audit(root)
