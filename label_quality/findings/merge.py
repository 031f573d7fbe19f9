"""One row per suspected error: models merged, agreement weighed in, one finding per label, stable ids.

Score of several models: half the strongest, half the mean over all models asked (one that is silent counts 0), so that one
model's claim against the silence of others is worth less than the same claim made by two. Of the findings about
one label the strongest stays: one look decides them all. Types that already weigh all models (spurious, duplicate) pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from label_quality.findings import suspects

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_PER_MODEL = ("missing", "wrong_class", "inaccurate")
_KEEP = [c for c in suspects.COLUMNS if c not in ("key", "score", "error_type")]


def merge(con: DuckDBPyConnection) -> dict[str, int]:
    """Make the view ``new_finding_scores`` (schema of ``finding_scores``) over ``_suspects``.

    Returns:
        How many suspects were left out: ``below_floor`` and ``weaker_on_same_label``.
    """
    models = _count(con, "(select distinct model from predictions)")
    # Narrow rows are ranked, wide ones are fetched by row number in the end: sorting what is wide costs seconds.
    con.execute(
        f"""
        create or replace temp table _ranked as
        with by_model as (
          select rowid as row, error_type, key, score, annotation_id,
                 row_number() over (partition by key order by score desc, model) as place,
                 sum(score) over (partition by key) as total,
                 count(*) filter (score >= {suspects.FLOOR}) over (partition by key) as agreeing
          from _suspects
        ), merged as (
          select row, error_type, key, annotation_id,
                 case when error_type in {_PER_MODEL} then (score + total / {max(models, 1)}) / 2 else score end as score,
                 case when error_type in {_PER_MODEL} then agreeing
                      when error_type = 'spurious' then {models} else 0 end as models_agreeing
          from by_model where place = 1
        )
        select row, score, models_agreeing, score >= {suspects.FLOOR} as above,
               annotation_id is null or row_number() over (
                 partition by annotation_id order by score desc, error_type, key) = 1 as first
        from merged
        """
    )
    columns = ", ".join(f"s.{c}" for c in _KEEP)
    con.execute(
        f"""
        create or replace temp view new_finding_scores as
        with batch as (select any_value(batch) as batch from images)
        select batch.batch,
               left(md5(concat_ws('/', batch.batch, error_type, image_id, annotation_id, other_annotation_id,
                    suggested_category_id,
                    case when annotation_id is null then concat_ws('/', x, y, width, height) end)), 16) as finding_id,
               error_type, r.score, r.models_agreeing, cast({models} as bigint) as models_total, {columns}
        from _ranked r join _suspects s on s.rowid = r.row cross join batch where r.above and r.first
        """
    )
    return {
        "below_floor": _count(con, "_ranked where not above"),
        "weaker_on_same_label": _count(con, "_ranked where above and not first"),
    }


def _count(con: DuckDBPyConnection, source: str) -> int:
    return int(con.execute(f"select count(*) from {source}").fetchone()[0])  # type: ignore[index]
