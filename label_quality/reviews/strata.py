"""The strata of the random sample for review, as SQL: what is alike enough to be counted together. Nothing is drawn here.

A label lies in the stratum of the strongest finding about it, of its type and score band, or in ``no finding``: errors that
nobody suspects count too. Suspected missing objects have strata of their own, by band. Scores are taken, not p_error, so
that a later calibration leaves the strata as they are.
"""

from __future__ import annotations

NO_FINDING = "no finding"
_BANDS = (
    "case when {0} < 0.2 then '0.05 to 0.2' when {0} < 0.5 then '0.2 to 0.5' else '0.5 to 1' end"
)


def stratum(error_type: str, score: str) -> str:
    """SQL for the name of a stratum: type and band of a finding, ``no finding`` where the type is NULL."""
    return f"coalesce({error_type} || ' ' || {_BANDS.format(score)}, '{NO_FINDING}')"


def strongest(findings: str) -> str:
    """SELECT of the strongest finding about each label, ``first`` with its score and error_type, by batch and annotation_id.

    Args:
        findings: a table of findings or of their scores.
    """
    return f"""select batch, annotation_id, max({{'score': score, 'error_type': error_type}}) as first
               from {findings} where annotation_id is not null group by batch, annotation_id"""
