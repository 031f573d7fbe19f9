"""What people's verdicts mean for the labels and findings of today. The log itself is kept by ``store``.

Below the store, because what is published holds the verdicts too: nothing here opens a file or a database.
"""

from __future__ import annotations

from label_quality.reviews.attach import attach
from label_quality.reviews.content import content_hash
from label_quality.reviews.estimate import estimate_reviewed
from label_quality.reviews.publish import REVIEWED, publish_reviews, reviewed_into, reviewed_overall

__all__ = [
    "REVIEWED",
    "attach",
    "content_hash",
    "estimate_reviewed",
    "publish_reviews",
    "reviewed_into",
    "reviewed_overall",
]
