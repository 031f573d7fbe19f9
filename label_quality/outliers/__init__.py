"""What is unusual: values of a metric that lie far out among those of their kind, by two rules.

`robust` is the rule that the views and pages show; `encord` is Encord Active's own, for comparison. What does not belong
here: how a metric is computed (``metrics``) and whether what is unusual is an error (``findings``).
"""

from __future__ import annotations

from label_quality.outliers.build import build_outliers
from label_quality.outliers.scales import MODERATE, SEVERE

__all__ = ["MODERATE", "SEVERE", "build_outliers"]
