"""The page: what `read` gives, as charts and tables, in one HTML file without any request to elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from label_quality import __version__
from label_quality.calibration import rests_on
from label_quality.outliers import MODERATE, SEVERE
from label_quality.pictures import finding_picture, jpeg
from label_quality.rates import FORMULA
from label_quality.report import performance, plots, read
from label_quality.report.charts import compact
from label_quality.schema import ERROR_TYPES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from label_quality.report.read import Query, Row

_SIDE, _QUALITY = 220, 72
_NAMES = {"image": "Images", "annotation": "Labels", "prediction": "Predictions"}


def render_report(con: DuckDBPyConnection, images: Mapping[str, Path | None]) -> str:
    """The report as HTML.

    Args:
        con: the published database.
        images: folder of the images of each batch; None or absent where a batch came without.
    """
    query = read.query_on(con)
    simulated = [m["model"] for m in read.models(query) if m["simulated"]]
    page = _environment().get_template("page.html.j2")
    return page.render(
        version=__version__,
        written=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        formula=FORMULA,
        names=_NAMES,
        batches=read.batches(query),
        simulated=simulated,
        worst=read.worst_categories(query),
        findings=_findings(query, images),
        side=_SIDE,
        moderate=MODERATE,
        severe=SEVERE,
        outlier_totals=read.outlier_totals(query),
        outlier_charts=plots.outliers(read.outlier_metrics(query)),
        top_outliers=read.top_outliers(query),
        importance_charts=plots.importance(read.importance(query), simulated),
        by_metric=plots.by_metric(read.by_metric(query), simulated),
        performance=read.performance(query),
        curves=performance.curves(read.curves(query), simulated),
        weakest=performance.weakest(read.weakest_categories(query), simulated),
        confusions=performance.confusions(read.confusion(query), simulated),
        gains=performance.gains(read.gains(query), simulated),
        **_rates(read.rates(query)),
        **_calibration(query),
    )


def _environment() -> jinja2.Environment:
    """Everything that is put into the page is escaped, but for markup that was made as such."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("label_quality.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["compact"] = compact
    return made


def _rates(rows: list[Row]) -> dict[str, Any]:
    judged = [r for r in rows if r["judged"] and r["rate"] is not None]
    return {
        "rates_chart": plots.rates(judged) if judged else "",
        "reviewed": [r for r in rows if r["reviewed_rate"] is not None],
        "not_judged": sorted(
            r["error_type"].replace("_", " ")
            for r in rows
            if not r["judged"] and r["error_type"] != "any"
        ),
    }


def _calibration(query: Query) -> dict[str, Any]:
    types = read.calibration(query)
    bins = read.reliability(query)
    budgets = read.expected_recall(query)
    for row in budgets:
        row["recall"] = dict(row["recall"])
    return {
        "calibration": types,
        "rests_on": rests_on(types[0]["basis"], sum(t["verdicts"] for t in types)) if types else "",
        "reliability_chart": plots.reliability(bins) if bins else "",
        "budgets": budgets,
        "recall_types": [
            t for t in ("any", *ERROR_TYPES) if any(t in b["recall"] for b in budgets)
        ],
    }


def _findings(query: Query, images: Mapping[str, Path | None]) -> list[tuple[str, list[Row]]]:
    """The first findings by type, each with its picture as base64 where there is one."""
    rows = read.top_findings(query)
    for row in rows:
        row["picture"] = _picture(row, images.get(row["batch"]))
    return [(kind, list(some)) for kind, some in groupby(rows, key=lambda r: str(r["error_type"]))]


def _picture(row: Row, folder: Path | None) -> str | None:
    if folder is None or not row["readable"]:
        return None
    picture = finding_picture(folder, row, _SIDE)
    return None if picture is None else base64.b64encode(jpeg(picture, _QUALITY)).decode("ascii")
