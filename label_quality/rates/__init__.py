"""How many label errors there are: the model's estimate, the random sample for review, limits, and when to stop reviewing."""

from __future__ import annotations

from label_quality.rates.advice import NEXT, WINDOW, errors_left, may_stop, most_errors
from label_quality.rates.judging import Judgement, basis, judge
from label_quality.rates.model import (
    FORMULA,
    NEEDS_PREDICTIONS,
    OVERALL_ERROR_RATES,
    build_error_rates,
)
from label_quality.rates.sample import draw_sample

__all__ = [
    "FORMULA",
    "NEEDS_PREDICTIONS",
    "NEXT",
    "OVERALL_ERROR_RATES",
    "WINDOW",
    "Judgement",
    "basis",
    "build_error_rates",
    "draw_sample",
    "errors_left",
    "judge",
    "may_stop",
    "most_errors",
]
