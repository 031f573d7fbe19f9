"""From scores to findings: a probability, a sentence and the rule's version. Cheap enough to be done again for every batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from label_quality.findings.reasons import REASON, WHO, WITH_ARTICLE
from label_quality.findings.suspects import FLOOR

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

RULE_VERSION = "2"


def build_findings(con: DuckDBPyConnection) -> None:
    """Make the view ``new_findings`` (schema of ``findings``) of the ``finding_scores`` of a batch.

    `con` shows ``categories``, ``annotations`` and ``models`` too. While nothing has been calibrated, ``p_error`` is the score and ``calibrated`` says false.
    """
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
        )
        select * exclude (name, a_name, a_suggested_name, other_name, other_category_id, who),
               score as p_error, false as calibrated, cast(null as varchar) as calibration_version,
               {REASON} as reason, '{RULE_VERSION}' as rule_version
        from named where score >= {FLOOR}
        """
    )
