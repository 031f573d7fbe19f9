"""What the report shows, read from the published database: plain rows, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from duckdb import DuckDBPyConnection

Row = dict[str, Any]
Query = Callable[..., list[Row]]

PICTURES_PER_TYPE = 6
_CATEGORIES = 15
_OUTLIERS = 20
_METRICS_DRAWN = 6
_WEAKEST, _CONFUSED = 10, 9


def query_on(con: DuckDBPyConnection) -> Query:
    """A function that gives the rows of a query on `con` as dictionaries."""

    def query(sql: str, *params: Any) -> list[Row]:
        found = con.sql(sql, params=list(params) or None).to_arrow_table().to_pylist()
        return cast("list[Row]", found)

    return query


def batches(query: Query) -> list[Row]:
    """View batch_summary with the names of the models."""
    return query(
        """select s.*, m.names, b.images_checked from batch_summary s join batches b using (batch)
           left join (select batch, string_agg(model, ', ' order by model) as names from models group by batch) m
           using (batch) order by rate desc nulls last, batch"""
    )


def models(query: Query) -> list[Row]:
    """One row per model: predictions over all batches, and whether it is simulated."""
    return query(
        """select model, sum(predictions_kept)::bigint as predictions, bool_or(simulated) as simulated,
                  count(*) as batches from models group by model order by model"""
    )


def rates(query: Query) -> list[Row]:
    """Rates over all batches by error type; those of the only batch where none were computed over all."""
    overall = query(
        "select * exclude (category_name) from overall_error_rates where category_name is null"
    )
    if overall or query("select count(*) as n from batches")[0]["n"] != 1:
        return overall
    return query(
        "select * exclude (batch, category_id, category_name) from error_rates where category_id is null"
    )


def calibration(query: Query) -> list[Row]:
    """The calibrated error types; none where nothing is calibrated."""
    return query("from calibration order by expected_errors desc, error_type")


def reliability(query: Query) -> list[Row]:
    """The bins of the reliability diagram."""
    return query("from calibration_reliability order by bin")


def expected_recall(query: Query) -> list[Row]:
    """What looking at so many findings is expected to find: budget, findings, precision, and recall by type in `recall`."""
    return query(
        """select budget, findings, precision, map_from_entries(list((error_type, recall))) as recall
           from expected_recall group by all order by budget"""
    )


def worst_categories(query: Query) -> list[Row]:
    """Categories in which most errors are expected, over all batches."""
    return query(
        f"""select category_name, sum(labels)::bigint as labels, sum(findings)::bigint as findings,
                   sum(expected_errors) as expected_errors,
                   sum(expected_errors) / nullif(sum(labels + expected_missing), 0) as rate
            from error_rates where error_type = 'any' and category_id is not null and judged group by category_name
            having sum(expected_errors) > 0 order by expected_errors desc, category_name limit {_CATEGORIES}"""
    )


def top_findings(query: Query) -> list[Row]:
    """The first findings of each type, with the names of categories and image, and whether the image can be shown."""
    return query(
        f"""select f.*, i.file_name, c.name as category, s.name as suggested_category,
                   i.file_state in ('ok', 'size_differs') as readable
            from findings f join images i using (batch, image_id)
            left join categories c using (batch, category_id)
            left join categories s on s.batch = f.batch and s.category_id = f.suggested_category_id
            qualify row_number() over (partition by f.error_type order by readable desc, f.p_error desc, f.batch, f.finding_id)
                    <= {PICTURES_PER_TYPE}
            order by max(f.p_error) over (partition by f.error_type) desc, f.error_type, f.p_error desc, f.batch, f.finding_id"""
    )


def outlier_totals(query: Query) -> list[Row]:
    """Objects that are unusual by any metric, by kind and rule."""
    return query("from outlier_summary where metric is null order by rule desc, kind")


def outlier_metrics(query: Query) -> list[Row]:
    """Unusual objects by kind and metric, by the robust rule, with Encord Active's count beside it."""
    return query(
        """select r.*, e.moderate + e.severe as encord
           from outlier_summary r left join outlier_summary e on e.kind = r.kind and e.metric = r.metric and e.rule = 'encord'
           where r.rule = 'robust' and r.metric is not null
           order by r.kind, r.severe desc, r.moderate desc, r.metric"""
    )


def top_outliers(query: Query) -> list[Row]:
    """The farthest outliers of each metric by the robust rule, farthest first."""
    return query(
        f"""select o.*, i.file_name from outliers o left join images i using (batch, image_id)
            where rule = 'robust'
            qualify row_number() over (partition by kind, metric order by score desc, o.batch, image_id, annotation_id) <= 3
            order by score desc, o.batch, image_id, annotation_id limit {_OUTLIERS}"""
    )


def importance(query: Query) -> list[Row]:
    """metric_importance, most important first, with whether the metric is a control."""
    return query(
        """from metric_importance where importance is not null
           order by model, target, importance desc, kind, metric"""
    )


def by_metric(query: Query) -> list[Row]:
    """Bins of the metrics that tell most about each model's predictions and about finding labels."""
    return query(
        f"""with first as (
              select model, target, kind, metric,
                     row_number() over (partition by model, target order by importance desc, kind, metric) as place
              from metric_importance where importance is not null
              qualify place <= {_METRICS_DRAWN}
            )
            select b.*, f.place from performance_by_metric b join first f using (model, target, kind, metric)
            order by model, target, place, bin"""
    )


def performance(query: Query) -> list[Row]:
    """COCO's figures of each model over all categories: model, iou_type, and in `scores` those of `SCORES`."""
    columns = ", ".join(
        f"max(value) filter (metric = '{metric}' and area = '{area}')" for metric, area in SCORES
    )
    return query(
        f"""select model, iou_type, [{columns}] as scores from performance
            where category_name is null and max_dets = 100 group by all order by iou_type, scores[1] desc, model"""
    )


SCORES = (
    ("AP", "all"),
    ("AP50", "all"),
    ("AP75", "all"),
    ("AP", "small"),
    ("AP", "medium"),
    ("AP", "large"),
    ("AR", "all"),
)


def weakest_categories(query: Query) -> list[Row]:
    """The categories in which each model's AP by boxes is lowest."""
    return query(
        f"""select model, category_name, value from performance
            where category_name is not null and iou_type = 'bbox' and metric = 'AP' and area = 'all' and max_dets = 100
              and value is not null
            qualify row_number() over (partition by model order by value, category_name) <= {_WEAKEST}
            order by model, value, category_name"""
    )


def curves(query: Query) -> list[Row]:
    """Precision over recall of each model, over all categories, by IoU (NULL: the mean of .50 to .95)."""
    return query(
        """from precision_recall where category_name is null and precision is not null
           order by iou_type, iou nulls last, model, recall"""
    )


def confusion(query: Query) -> list[Row]:
    """Counts by boxes among the categories that each model confuses most, with each other first; NULL is background."""
    return query(
        f"""with mixed as (
              select model, unnest([category_name, predicted_category_name]) as name, count,
                     category_name <> predicted_category_name as confused
              from confusion where iou_type = 'bbox' and category_name is distinct from predicted_category_name
            ), most as (
              select model, name from mixed where name is not null group by model, name
              qualify row_number() over (
                partition by model order by coalesce(sum(count) filter (confused), 0) desc, sum(count) desc, name
              ) <= {_CONFUSED}
            )
            select model, category_name, predicted_category_name, count from confusion c
            where iou_type = 'bbox'
              and (category_name is null or exists (from most m where m.model = c.model and m.name = category_name))
              and (predicted_category_name is null
                   or exists (from most m where m.model = c.model and m.name = predicted_category_name))
            order by model, category_name nulls last, predicted_category_name nulls last"""
    )


def gains(query: Query) -> list[Row]:
    """What AP50 by boxes each model would gain by kind of error, and by accepting the findings."""
    return query(
        """from performance_gains where iou_type = 'bbox' and metric = 'AP50' and gain is not null
           order by model, gain desc, error_type"""
    )
