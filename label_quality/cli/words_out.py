"""The words about what was audited, with their options. What they do is imported when they are called."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from label_quality.cli.group import FORM, ROOT, cli


@cli.command()
@ROOT
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True)
def ui(root: Path | None, port: int, host: str) -> None:
    """Start the Dagster UI (dg dev) on the project."""
    from label_quality.cli.ui import run_ui

    sys.exit(run_ui(root, port=port, host=host))


@cli.command()
@ROOT
@click.option("--port", type=click.IntRange(1, 65535), default=8100, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option(
    "--token",
    help="Whoever opens the page has to know it. Default: none on this machine, else one is made up and printed.",
)
def review(root: Path | None, port: int, host: str, token: str | None) -> None:
    """Serve the review page: look at findings, decide, tag, export."""
    from label_quality.cli.review import run_review

    sys.exit(run_review(root, host=host, port=port, token=token))


@cli.command()
@click.argument("query", required=False)
@ROOT
@FORM
def sql(query: str | None, root: Path | None, form: str) -> None:
    """Query what was published, read-only. Without QUERY: from standard input, or the list of tables."""
    from label_quality.cli.sql import run_sql

    sys.exit(run_sql(query, root, form))


@cli.command()
@ROOT
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The HTML file to write. Default: label_quality_report.html in the root.",
)
def report(root: Path | None, output: Path | None) -> None:
    """Write one HTML page on everything that was published; it opens offline."""
    from label_quality.cli.report import run_report

    sys.exit(run_report(root, output))


@cli.command()
@click.argument("form", metavar="FORMAT", required=False)
@ROOT
@click.option(
    "--batch", "batches", multiple=True, help="Only this batch; may be given several times."
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write into. Default: exports/FORMAT in the root.",
)
@click.option("--author", help="Only this person's decisions.")
@click.option(
    "--select",
    type=click.Choice(["relabel", "queue"]),
    default="relabel",
    show_default=True,
    help="What goes to annotators: what was sent to relabelling, or the findings that nobody has decided.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=500,
    show_default=True,
    help="The most findings of the queue.",
)
@click.option("--image-url", default="", help="What stands in front of file names in tasks.")
@click.option("--list", "listing", is_flag=True, help="The formats there are.")
def export(
    *,
    form: str | None,
    root: Path | None,
    batches: tuple[str, ...],
    output: Path | None,
    author: str | None,
    select: str,
    limit: int,
    image_url: str,
    listing: bool,
) -> None:
    """Write decisions and labels in FORMAT: corrected COCO, lists and tasks for annotation tools. --list names them."""
    from label_quality.cli.export import run_export

    sys.exit(
        run_export(
            form,
            root=root,
            batches=batches,
            output=output,
            author=author,
            select=select,  # type: ignore[arg-type]
            limit=limit,
            image_url=image_url,
            listing=listing,
        )
    )


@cli.command()
@ROOT
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def status(root: Path | None, *, as_json: bool) -> None:
    """List every batch that was delivered, and what became of it."""
    from label_quality.cli.status import run_status

    sys.exit(run_status(root, as_json=as_json))


@cli.command()
@click.option("--batch", default="", help="Only this batch. Default: all.")
@ROOT
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def advice(batch: str, root: Path | None, *, as_json: bool) -> None:
    """Say which findings to review next, how many errors are left, and when to stop."""
    from label_quality.cli.advice import run_advice

    sys.exit(run_advice(root, batch, as_json=as_json))


@cli.command()
@click.argument("old")
@click.argument("new", required=False)
@ROOT
@FORM
def diff(old: str, new: str | None, root: Path | None, form: str) -> None:
    """Compare two COCO files, or two versions of a batch: what was added, removed, re-classed, moved, redrawn.

    OLD and NEW are files, or batches as BATCH (the current version) or BATCH@1 (the one before it). A single batch is
    compared with its delivery before. Exit code 0: no label differs; 1: some do.
    """
    from label_quality.cli.diff import run_diff

    sys.exit(run_diff(old, new, root, form))


@cli.command()
@ROOT
def rebuild(root: Path | None) -> None:
    """Make label_quality.duckdb anew from what the batches have committed: the repair command."""
    from label_quality.cli.rebuild import run_rebuild

    sys.exit(run_rebuild(root))
