"""What differs between two sets of labels: two COCO files, or two versions of a batch.

``sides`` loads the two, ``pairing`` finds which labels are the same object, ``changes`` says what differs between them.
What does not belong here: whether a change is right (``findings``), and how it is printed (``cli``).
"""

from __future__ import annotations

from label_quality.diff.changes import Summary, compare
from label_quality.diff.sides import Side, load_file, load_version, scratch_connection

__all__ = ["Side", "Summary", "compare", "load_file", "load_version", "scratch_connection"]
