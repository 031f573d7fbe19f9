"""Quality metrics of images, labels and predictions. Every image is decoded once, for the first two tables together."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from label_quality import registry
from label_quality.assets.metadata import histogram, markdown_table, rounded
from label_quality.assets.resources import StoreResource
from label_quality.assets.step import Step, step, table_spec
from label_quality.metrics.build import build_image_and_annotation_metrics, build_prediction_metrics
from label_quality.registry import Kind

_FROM_LABELS = ["images", "annotations", "annotation_masks", "annotation_pairs"]
# What the Dagster UI draws of each table; all of it is in the table of numbers beside.
_DRAWN: dict[Kind, tuple[str, ...]] = {
    "image": ("brightness", "sharpness", "object_count"),
    "annotation": ("area_relative", "same_class_iou", "shape_deviation"),
    "prediction": ("confidence", "iou", "area_relative"),
}
NOT_DONE = "not done: the batch came without images"


@dg.multi_asset(
    specs=[table_spec(table, _FROM_LABELS) for table in ("image_metrics", "annotation_metrics")]
)
def image_and_annotation_metrics(
    context: dg.AssetExecutionContext, store: StoreResource
) -> Iterator[dg.MaterializeResult[Any]]:
    """Metrics of images and of labels."""
    with step(context, store) as s:
        s.say("measuring images and labels")
        s.run.view(s.con, *_FROM_LABELS)
        problems = build_image_and_annotation_metrics(s.con, s.run.delivery.images, s.say)
        pixels = dict(
            s.con.execute("select pixels, count(*) from _pictures group by all").fetchall()
        )
        common = {"pixels": _pixels(pixels), **_problems(s, problems)}
        near = s.con.execute(
            """select count(duplicate_of), count(*) filter (nearest_distance is not null) from _neighbours"""
        ).fetchall()[0]
        look_alikes = {"exact duplicates": near[0], "images with a look-alike": near[1]}
        yield _write(s, "image", {**common, **look_alikes, **_unreadable(s)})
        yield _write(s, "annotation", common)


@dg.multi_asset(
    specs=[
        table_spec("prediction_metrics", ["images", "predictions", "prediction_overlaps"]),
    ]
)
def prediction_metrics(
    context: dg.AssetExecutionContext, store: StoreResource
) -> dg.MaterializeResult[Any]:
    """Metrics of predictions."""
    with step(context, store) as s:
        s.say("measuring predictions")
        s.run.view(s.con, "images", "predictions", "prediction_overlaps")
        problems = build_prediction_metrics(s.con)
        return _write(s, "prediction", _problems(s, problems))


def _write(s: Step, kind: Kind, extra: dict[str, Any]) -> dg.MaterializeResult[Any]:
    table = f"{kind}_metrics"
    rows = s.run.write_sql(s.con, table, f"select * from new_{table}")
    s.run.view(s.con, table)
    return s.result(table, rows, {**_summary(s, kind), **extra})


def _summary(s: Step, kind: Kind) -> dict[str, Any]:
    """Median and range of each metric in one table, and small histograms of a few."""
    names = list(registry.metrics(kind))
    asked = ", ".join(
        f"[min({n}), approx_quantile({n}, 0.5), max({n}), count({n})::double]" for n in names
    )
    found = s.con.execute(f"select {asked} from {kind}_metrics").fetchall()[0]
    metadata: dict[str, Any] = {
        "metrics": markdown_table(
            ("metric", "least", "median", "most", "values"),
            [(n, *v[:3], int(v[3])) for n, v in zip(names, found, strict=True) if v[3]],
        )
    }
    for name, (low, median, high, count) in zip(names, found, strict=True):
        if name in _DRAWN[kind] and count:
            metadata[f"median {name}"] = rounded(median)
            log = registry.metrics(kind)[name].scale == "log"
            metadata[name] = histogram(name, *_counts(s, kind, name, low, high, log), log=log)
    return metadata


_BINS = 20


def _counts(
    s: Step, kind: Kind, name: str, low: float, high: float, log: bool
) -> tuple[list[int], float, float]:
    """How many values fall into each of equal bins from `low` to `high`, on a logarithmic scale if `log`."""
    value, ends = name, (low, high)
    if log:
        # Three decades below the top: what is smaller, zero included, counts into the first bin.
        low = max(low, high / 1000) if high > 0 else low
        value, ends = f"ln(greatest({name}, {low!r}::double))", (low, high)
    start, end = (f"ln({v!r}::double)" if log and high > 0 else f"{v!r}::double" for v in ends)
    bin_of = f"coalesce(floor({_BINS} * ({value} - {start}) / nullif({end} - {start}, 0)), 0)"
    found = s.con.execute(
        f"select least({bin_of}, {_BINS - 1})::int, count(*) from {kind}_metrics where {name} is not null group by all"
    ).fetchall()
    counts = [0] * _BINS
    for place, count in found:
        counts[place] = count
    return counts, low, high


def _pixels(counts: dict[str, int]) -> str:
    if set(counts) <= {"no_images"}:
        return NOT_DONE
    return ", ".join(f"{n} {state}" for state, n in sorted(counts.items()))


def _unreadable(s: Step) -> dict[str, Any]:
    rows = s.con.execute(
        """select image_id, pixels, pixels_reason from _pictures where pixels in ('skipped', 'unreadable')
           order by pixels desc, image_id limit 15"""
    ).fetchall()
    return {"not measured": markdown_table(("image", "pixels", "reason"), rows)} if rows else {}


def _problems(s: Step, problems: list[str]) -> dict[str, Any]:
    """Metrics that could not be computed, and plugins that could not be loaded: said, and shown beside the table."""
    told = [*registry.problems(), *problems]
    for problem in told:
        s.say(problem)
    return {"problems": markdown_table(("problem",), [(p,) for p in told])} if told else {}
