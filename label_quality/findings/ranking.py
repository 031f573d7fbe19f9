"""From scores to findings: a probability, a sentence and the rule's version. Cheap enough to be done again for every batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from label_quality.findings.reasons import REASON, WHO, WITH_ARTICLE
from label_quality.findings.suspects import FLOOR
from label_quality.store.scan import quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from label_quality.store import Calibration
    from label_quality.store.calibrations import Curve

RULE_VERSION = "2"


def build_findings(con: DuckDBPyConnection, calibration: Calibration | None = None) -> None:
    """Make the view ``new_findings`` (schema of ``findings``) of the ``finding_scores`` of a batch.

    `con` shows ``categories``, ``annotations`` and ``models`` too. ``p_error`` is what `calibration` makes of the score; for a type
    that it does not know, or without one, it is the score, and ``calibrated`` says false.
    """
    version = quoted(calibration.version) if calibration else "null::varchar"
    con.execute(
        f"""
        create or replace temp view new_findings as
        with said as (
          select category_id, name, {WITH_ARTICLE} as a_name from categories
        ), saw as (
          select list(model) from models where saw_labels
        ), named as (
          select f.*, c.name, c.a_name, s.a_name as a_suggested_name, oc.name as other_name, o.category_id as other_category_id,
                 {WHO} as who,
                 coalesce(case when error_type = 'spurious' then (from saw) is not null
                               else list_contains((from saw), model) end, false) as saw_labels
          from finding_scores f
          join said c on c.category_id = f.category_id
          left join said s on s.category_id = f.suggested_category_id
          left join annotations o on o.annotation_id = f.other_annotation_id
          left join said oc on oc.category_id = o.category_id
        ), {_knots(calibration)}, told as (
          select n.* exclude (who, name, a_name, a_suggested_name, other_name, other_category_id), {REASON} as reason,
                 k.p + k.slope * (n.score - k.knot) as probability
          from named n asof left join knots k on k.of_type = n.error_type and k.knot <= n.score
        )
        select * exclude (probability),
               coalesce(probability, score) as p_error, probability is not null as calibrated,
               {version} as calibration_version, '{RULE_VERSION}' as rule_version
        from told where score >= {FLOOR}
        """
    )


def _knots(calibration: Calibration | None) -> str:
    """The CTE ``knots``: where the lines of each type's curve begin, and how they rise."""
    types = calibration.types if calibration else ()
    rows = [
        f"({quoted(t.error_type)}, {score!r}::double, {p!r}::double, {slope!r}::double)"
        for t in types
        for score, p, slope in _lines(t.curve)
    ]
    values = (
        f"values {', '.join(rows)}"
        if rows
        else "select null::varchar, 0.0::double, 0.0::double, 0.0::double where false"
    )
    return f"knots as (from ({values}) as v(of_type, knot, p, slope))"


def _lines(curve: Curve) -> list[tuple[float, float, float]]:
    """Score, p_error and rise per score at the start of each line; the first begins at 0, the last is level."""
    s, p = curve.scores, curve.p_errors
    rises = [(b - a) / (t - r) for r, t, a, b in zip(s, s[1:], p, p[1:], strict=False)]
    first = [(0.0, p[0], 0.0)] if s[0] > 0 else []
    return [*first, *zip(s, p, [*rises, 0.0], strict=True)]
