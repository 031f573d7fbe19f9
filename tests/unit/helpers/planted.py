"""Average precision of the findings on planted errors: of one type, all that was planted in the denominator."""

from __future__ import annotations

from typing import Any

from label_quality.planting import matched
from label_quality.planting.measures import average_precision


def precision_of_findings(con: Any, error_type: str) -> float:
    """`con` shows ``planted_errors`` and ``finding_scores``. A second finding on one error is passed over."""
    matched(con)
    return precision_of(
        con,
        f"""select f.score, h.error_id from finding_scores f
            left join (select finding_id, min(error_id) as error_id from planted_findings where same_type group by all) h
              using (finding_id)
            where error_type = '{error_type}'""",
    )


def precision_of(con: Any, sql: str) -> float:
    """Of any ranking: `sql` gives score and error_id (NULL: none)."""
    rows = con.execute(
        f"""select score, error_id is not null as hit from ({sql})
            qualify error_id is null or row_number() over (partition by error_id order by score desc) = 1"""
    ).fetchnumpy()
    total = con.execute("select count(*) from planted_errors").fetchall()[0][0]
    return average_precision(rows["score"], rows["hit"], total)
