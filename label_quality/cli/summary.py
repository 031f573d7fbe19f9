"""What an audit says at its end: a table for people, JSON and JUnit for machines. All figures come from the database."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from xml.etree import ElementTree

import msgspec

from label_quality import __version__
from label_quality.calibration.verdicts import rests_on
from label_quality.cli.common import console as make_console
from label_quality.rates import FORMULA, judge
from label_quality.schema import ERROR_TYPES
from label_quality.settings import Limit, review_link
from label_quality.store import Reader

if TYPE_CHECKING:
    from label_quality.cli.execute import Check, Run
    from label_quality.settings import Settings


@dataclass
class Summary:
    """One audited batch in figures."""

    batch: str
    run_id: str
    database: str
    dagster_home: str
    images: int
    images_checked: bool
    labels: int
    categories: int
    predictions: dict[str, int]
    simulated: list[str]
    quarantined: int
    warnings: int
    findings: dict[str, int]
    rates: dict[str, dict[str, Any]]
    worst_categories: list[dict[str, Any]]
    limits: dict[str, Any]
    checks: list[dict[str, Any]]
    seconds: dict[str, float]
    formula: str = FORMULA
    calibration: str = ""
    review_url: str = ""
    version: str = __version__
    exit_code: int = field(default=0)


def summarise(settings: Settings, batch: str, run: Run, home: Path) -> Summary:
    """Read back what the run has published."""
    with closing(Reader(settings.root_path / "label_quality.duckdb")) as reader:

        def rows(query: str) -> list[dict[str, Any]]:
            result = reader.connection().sql(query, params=[batch]).to_arrow_table()
            return cast("list[dict[str, Any]]", result.to_pylist())

        counts = rows(
            "select images_kept, images_checked, categories_kept, annotations_kept from batches where batch = ?"
        )[0]
        models = rows(
            "select model, predictions_kept, simulated from models where batch = ? order by model"
        )
        rates = rows(
            "select * exclude (batch) from error_rates where batch = ? and category_id is null"
        )
        worst = rows(
            """select category_name, labels, expected_errors, rate from error_rates
               where batch = ? and category_id is not null and error_type = 'any' and expected_errors > 0
               order by expected_errors desc limit 10"""
        )
        found = {
            r["error_type"]: r["n"]
            for r in rows(
                "select error_type, count(*) as n from findings where batch = ? group by all"
            )
        }
        fitted = (
            reader.connection()
            .execute("select any_value(basis), coalesce(sum(verdicts), 0) from calibration")
            .fetchall()[0]
        )
        quarantined = rows("select count(*) as n from quarantine where batch = ?")[0]["n"]
        warned = rows("select count(*) as n from ingest_warnings where batch = ?")[0]["n"]
    return Summary(
        batch=batch,
        run_id=run.run_id,
        database=str(settings.root_path / "label_quality.duckdb"),
        dagster_home=str(home),
        images=counts["images_kept"],
        images_checked=counts["images_checked"],
        labels=counts["annotations_kept"],
        categories=counts["categories_kept"],
        predictions={m["model"]: m["predictions_kept"] for m in models},
        simulated=[m["model"] for m in models if m["simulated"]],
        quarantined=quarantined,
        warnings=warned,
        findings={kind: found.get(kind, 0) for kind in ERROR_TYPES},
        rates={r.pop("error_type"): r for r in rates},
        worst_categories=worst,
        limits=msgspec.to_builtins(settings.limits),
        checks=[asdict(c) | {"judged": c.judged} for c in run.checks],
        seconds=run.seconds,
        calibration=rests_on(*fitted) if fitted[0] else "",
        review_url=review_link(settings.review_url, batch=batch),
        exit_code=1 if any(_is_error(c) for c in run.checks) else 0,
    )


def _is_error(check: Check) -> bool:
    return not check.passed and check.severity == "ERROR"


def write_json(summary: Summary, file: Path) -> None:
    """Write the summary as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(summary), indent=1, ensure_ascii=False) + "\n", "utf-8")


def write_junit(summary: Summary, file: Path) -> None:
    """Write the checks as JUnit XML: an ERROR is a failure, a rate that was not judged is skipped."""
    failures = sum(not c["passed"] and c["severity"] == "ERROR" for c in summary.checks)
    skipped = sum(not c["judged"] for c in summary.checks)
    suite = ElementTree.Element(
        "testsuite",
        name=f"label_quality {summary.batch}",
        tests=str(len(summary.checks)),
        failures=str(failures),
        skipped=str(skipped),
        errors="0",
    )
    for check in summary.checks:
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"{summary.batch}.{check['asset']}", name=check["name"]
        )
        if not check["judged"]:
            ElementTree.SubElement(case, "skipped", message=check["description"])
        elif not check["passed"] and check["severity"] == "ERROR":
            ElementTree.SubElement(case, "failure", message=check["description"])
        elif not check["passed"]:
            ElementTree.SubElement(case, "system-out").text = f"warning: {check['description']}"
    file.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(suite).write(file, encoding="utf-8", xml_declaration=True)


def print_summary(summary: Summary) -> None:
    """Print the summary as tables."""
    from rich.markup import escape
    from rich.table import Table

    console = make_console()
    models = ", ".join(f"{escape(m)} ({n:,} predictions)" for m, n in summary.predictions.items())
    console.print(
        f"\n[bold]{escape(summary.batch)}[/]: {summary.labels:,} labels in {summary.images:,} images, "
        f"{summary.categories} categories; second opinion: {models or 'none'}"
    )
    if summary.simulated:
        console.print("The predictions are [bold]simulated[/]: no real model made them.")
    if not summary.images_checked:
        console.print("Image files: not checked (no --images)")
    if summary.quarantined or summary.warnings:
        console.print(
            f"Not taken: {summary.quarantined:,} records (table quarantine); "
            f"taken with a warning: {summary.warnings:,} (table ingest_warnings)"
        )
    table = Table(
        header_style="bold", title="Findings and estimated label-error rates", title_justify="left"
    )
    for name in (
        "error type",
        "findings",
        "expected errors",
        "rate",
        "95 % interval",
        "reviewed sample",
        "warn",
        "error",
    ):
        table.add_column(name, justify="left" if name == "error type" else "right")
    for kind in (*ERROR_TYPES, "any"):
        table.add_row(*_rate_cells(summary, kind), end_section=kind == ERROR_TYPES[-1])
    console.print(table)
    _print_rest(summary, console)


_COLOURS = {"ok": "green", "warn": "yellow", "error": "red"}


def _rate_cells(summary: Summary, kind: str) -> list[str]:
    rate, limit = summary.rates[kind], Limit(**summary.limits[kind])
    name = "any" if kind == "any" else kind.replace("_", " ")
    found = judge(rate, limit)
    colour = _COLOURS.get(found.level)
    cells = ["", "", "not judged", ""]
    if rate["judged"] and rate["rate"] is not None:
        interval = f"{rate['rate_low']:.1%} to {rate['rate_high']:.1%}"
        cells = [f"{rate['findings']:,}", f"{rate['expected_errors']:,.1f}", f"{rate['rate']:.1%}", interval]  # fmt: skip
    reviewed = ""
    if rate["reviewed_rate"] is not None:
        reviewed = (
            f"{found.rate:.1%} ({found.low:.1%} to {found.high:.1%}) of {rate['n_sampled']:,}"
        )
    # Coloured is what judges.
    if found.by == "model":
        cells[2] = f"[{colour}]{cells[2]}[/]"
    elif found.by == "reviewed":
        reviewed = f"[{colour}]{reviewed}[/]"
    return [name, *cells, reviewed, f"{limit.warn:.0%}", f"{limit.error:.0%}"]


def _print_rest(summary: Summary, console: Any) -> None:
    from rich.markup import escape

    if summary.calibration:
        console.print(f"rate = {summary.formula}. p_error is {summary.calibration}.")
    else:
        console.print(
            f"rate = {summary.formula}. p_error is not calibrated: rates rank batches and categories, "
            "they do not measure."
        )
    if summary.rates["any"]["reviewed_rate"] is None:
        console.print("No rate is measured yet: nobody has answered enough of the random sample (label-quality review).")  # fmt: skip
    if summary.worst_categories:
        worst = "; ".join(
            f"{escape(w['category_name'])} {w['expected_errors']:.1f} in {w['labels']:,}"
            for w in summary.worst_categories[:5]
        )
        console.print(f"Worst categories (expected errors in labels): {worst}")
    for check in summary.checks:
        if not check["passed"]:
            colour = "red" if check["severity"] == "ERROR" else "yellow"
            console.print(
                f"[{colour}]{check['severity']}[/] {check['name']}: {escape(check['description'])}"
            )
    console.print(f"Database: {escape(summary.database)}", soft_wrap=True)
    console.print(
        f"Look at the findings and decide: {escape(summary.review_url) or 'label-quality review'}; runs: label-quality ui"
    )
    console.print('In SQL: label-quality sql "select * from queue limit 20"\n')
