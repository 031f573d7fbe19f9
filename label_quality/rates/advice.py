"""When to stop reviewing, and how much is left: what the last decisions say about the next ones. Reads nothing."""

from __future__ import annotations

import numpy as np

NEXT = 20
"""Findings that the advice looks ahead."""
WINDOW = 50
"""Decisions that it looks back: the yield falls along a ranking, so that older ones say too much."""
WORTH = 0.2
"""Share of errors among the next findings below which looking on is hardly worth the time."""


def most_errors(errors: int, looked: int, ahead: int = NEXT, level: float = 0.95) -> int:
    """The most errors that the next `ahead` findings hold with probability `level`, after `errors` among `looked`.

    The upper quantile of the beta-binomial distribution with Jeffreys' prior: what is not known of the yield and chance
    among the next ones together. It takes the next ones to be like the last; in a ranking they hold fewer, if anything.
    """
    from scipy.special import betaln, gammaln  # noqa: PLC0415  # takes longer to import than all the rest

    a, b = errors + 0.5, looked - errors + 0.5
    k = np.arange(ahead + 1)
    ways = gammaln(ahead + 1) - gammaln(k + 1) - gammaln(ahead - k + 1)
    chance = np.exp(ways + betaln(k + a, ahead - k + b) - betaln(a, b))
    # What rounding takes off the sum must not move the quantile.
    return min(int(np.searchsorted(np.cumsum(chance), level - 1e-12)), ahead)


def may_stop(errors: int, looked: int, ahead: int = NEXT) -> bool:
    """Whether, with 95 % confidence, fewer than `WORTH` of the next `ahead` findings are errors."""
    return most_errors(errors, looked, ahead) < WORTH * ahead


def errors_left(p_open: float, p_decided: float, errors: int) -> float:
    """Errors expected among the open findings: the sum of their p_error, times how right p_error was about those decided.

    Args:
        p_open: sum of p_error of what is open.
        p_decided: sum of p_error of what was decided.
        errors: how many of these are errors. One more of both is taken for seen, so that a few decisions move little.
    """
    return p_open * (errors + 1) / (p_decided + 1)
