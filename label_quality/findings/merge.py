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
_AGREEING = f"""case when error_type in {_PER_MODEL} then {{agreeing}}
    when error_type = 'spurious' then {{models}} else 0 end as models_agreeing"""

# What tells findings of one type about one label apart: ties are settled by it.
_OTHER = "coalesce(other_annotation_id, suggested_category_id)"

# One model: every suspect stands for itself.
_ONE_MODEL = f"""select rowid as row, error_type, annotation_id, {_OTHER} as other, score,
    {_AGREEING.format(agreeing=f"(score >= {suspects.FLOOR})::bigint", models=1)} from _suspects"""

_SEVERAL_MODELS = f"""select arg_max(rowid, (score, model)) as row, error_type, annotation_id,
    any_value({_OTHER}) as other,
    case when error_type in {_PER_MODEL} then (max(score) + sum(score) / {{models}}) / 2 else max(score) end as score,
    {_AGREEING.format(agreeing=f"count(*) filter (score >= {suspects.FLOOR})", models="{models}")}
    from _suspects group by key, error_type, annotation_id"""


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
        with merged as (
          {_ONE_MODEL if models < 2 else _SEVERAL_MODELS.format(models=models)}
        ), strongest as (
          select annotation_id, arg_max(row, (score, error_type, other)) as row
          from merged where annotation_id is not null group by all
        )
        select m.row, m.score, m.models_agreeing, m.score >= {suspects.FLOOR} as above,
               m.annotation_id is null or s.row is not null as first
        from merged m left join strongest s on s.row = m.row
        """
    )
    columns = ", ".join("s.model::varchar as model" if c == "model" else f"s.{c}" for c in _KEEP)
    batch = con.execute("select any_value(batch) from images").fetchone()[0]  # type: ignore[index]
    name = "'" + str(batch).replace("'", "''") + "'"
    con.execute(
        f"""
        create or replace temp view new_finding_scores as
        select {name} as batch,
               left(md5(concat_ws('/', {name}, error_type, image_id, annotation_id, other_annotation_id,
                    suggested_category_id,
                    case when annotation_id is null then concat_ws('/', x, y, width, height) end)), 16) as finding_id,
               error_type, r.score, r.models_agreeing, cast({models} as bigint) as models_total, {columns}
        from _suspects s join _ranked r on r.row = s.rowid where r.above and r.first
        """
    )
    return {
        "below_floor": _count(con, "_ranked where not above"),
        "weaker_on_same_label": _count(con, "_ranked where above and not first"),
    }


def _count(con: DuckDBPyConnection, source: str) -> int:
    return int(con.execute(f"select count(*) from {source}").fetchone()[0])  # type: ignore[index]
