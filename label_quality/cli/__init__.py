"""The command `label-quality`: its words and options. What they do is imported when they are called, so that it starts fast.

Exit codes: 0 within limits, 1 when a check is an ERROR, 2 for wrong usage or a run that failed.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
from pathlib import Path

import click

from label_quality import __version__

# Objects between two searches for garbage in cycles. Python's 700 costs a fifth of a start, which makes hundred thousands.
_RARELY = 100_000

_ROOT = click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the tables and of label_quality.duckdb. Default: LABEL_QUALITY_ROOT, else ./data.",
)


class _Commands(click.Group):
    """Ctrl-C ends a command with the shell's own code for it; click's would be 1, which says that a check failed."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print("label-quality: interrupted; what was published is as it was", file=sys.stderr)
            sys.exit(130)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, prog_name="label-quality")
def cli() -> None:
    """Find label errors in detection and segmentation datasets (COCO)."""


@cli.command()
@click.option(
    "--annotations", required=True, type=click.Path(path_type=Path), help="COCO annotation file."
)
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="Folder of the images. Without it, images are not checked.",
)
@click.option(
    "--predictions",
    multiple=True,
    metavar="[MODEL=]FILE",
    help="COCO results file of a model; may be given several times. Without it, most rates are not judged.",
)
@click.option(
    "--batch", help="Name of the batch. Default: from the annotation file's name, or its folder's."
)
@_ROOT
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the summary as JSON.",
)
@click.option(
    "--junit",
    "junit_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the checks as JUnit XML.",
)
def audit(
    *,
    annotations: Path,
    images: Path | None,
    predictions: tuple[str, ...],
    batch: str | None,
    root: Path | None,
    json_file: Path | None,
    junit_file: Path | None,
) -> None:
    """Audit one batch: read, match, find label errors, judge the rates, publish."""
    from label_quality.cli.audit import run_audit

    sys.exit(
        run_audit(
            annotations,
            images=images,
            predictions=predictions,
            batch=batch,
            root=root,
            json_file=json_file,
            junit_file=junit_file,
        )
    )


@cli.command()
@click.option(
    "--annotations", required=True, type=click.Path(path_type=Path), help="COCO annotation file."
)
@click.option(
    "--predictions",
    required=True,
    multiple=True,
    metavar="[MODEL=]FILE",
    help="COCO results file of a model; may be given several times.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the result as JSON.",
)
@_ROOT
def selftest(
    *, annotations: Path, predictions: tuple[str, ...], json_file: Path | None, root: Path | None
) -> None:
    """Plant known errors into a copy of your labels, and say how many would be found at which cost."""
    from label_quality.cli.selftest import run_selftest

    sys.exit(run_selftest(annotations, predictions, root, json_file))


@cli.command()
@click.argument("name", required=False)
@click.option(
    "--images",
    type=click.IntRange(min=1),
    help="Only so many images, the first of the annotation file. Default: all.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Take random images instead of the first.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the batch. Default: datasets/NAME in the root.",
)
@click.option("--mirror", metavar="URL", help="Fetch from here instead of the official hosts.")
@_ROOT
def download(
    *,
    name: str | None,
    images: int | None,
    seed: int | None,
    output: Path | None,
    mirror: str | None,
    root: Path | None,
) -> None:
    """Fetch a public data set as a batch, from its publisher. Without NAME: list them, and ask."""
    from label_quality.cli.download import run_download

    sys.exit(run_download(name, images=images, seed=seed, output=output, mirror=mirror, root=root))


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["auto", "voc", "yolo"]),
    default="auto",
    show_default=True,
)
@click.option("--split", help="Only this one of train, val, test … Default: all.")
@click.option(
    "--origin",
    type=click.Choice(["auto", "1", "0"]),
    default="auto",
    show_default=True,
    help="VOC: pixels counted from 1, as VOC does, or from 0.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where annotations.json goes. Default: converted/NAME in the root.",
)
@_ROOT
def convert(
    *,
    folder: Path,
    form: str,
    split: str | None,
    origin: str,
    output: Path | None,
    root: Path | None,
) -> None:
    """Bring a Pascal VOC or YOLO folder to COCO. Pictures stay where they are; what is refused is listed."""
    from label_quality.cli.convert import run_convert

    sys.exit(run_convert(folder, form=form, split=split, origin=origin, output=output, root=root))


@cli.command()
@click.option(
    "--batch", required=True, help="A batch that was audited before, or a folder of the inbox."
)
@click.option(
    "--model",
    "models",
    multiple=True,
    help="A model file's name, or torchvision's; may be given several times. Default: those of the settings, else "
    "maskrcnn_resnet50_fpn_v2.",
)
@_ROOT
def infer(batch: str, models: tuple[str, ...], root: Path | None) -> None:
    """Run Mask R-CNN on a batch and audit it with what it says (needs the extra `inference`)."""
    from label_quality.cli.infer import run_infer

    sys.exit(run_infer(batch, models=models, root=root))


@cli.command()
@_ROOT
@click.option(
    "--images",
    type=click.IntRange(1, 5000),
    default=120,
    show_default=True,
    help="Number of scenes.",
)
@click.option("--seed", type=int, default=0, show_default=True)
def demo(root: Path | None, images: int, seed: int) -> None:
    """Render a small dataset with planted label errors and audit it (simulated detectors, no network)."""
    from label_quality.cli.demo import run_demo

    sys.exit(run_demo(root, images=images, seed=seed))


@cli.command()
@_ROOT
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True)
def ui(root: Path | None, port: int, host: str) -> None:
    """Start the Dagster UI (dg dev) on the project."""
    from label_quality.cli.ui import run_ui

    sys.exit(run_ui(root, port=port, host=host))


@cli.command()
@_ROOT
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
@_ROOT
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
)
def sql(query: str | None, root: Path | None, form: str) -> None:
    """Query what was published, read-only. Without QUERY: from standard input, or the list of tables."""
    from label_quality.cli.sql import run_sql

    sys.exit(run_sql(query, root, form))


@cli.command()
@_ROOT
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
@_ROOT
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
@_ROOT
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def status(root: Path | None, *, as_json: bool) -> None:
    """List every batch that was delivered, and what became of it."""
    from label_quality.cli.status import run_status

    sys.exit(run_status(root, as_json=as_json))


@cli.command()
@click.option("--batch", default="", help="Only this batch. Default: all.")
@_ROOT
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def advice(batch: str, root: Path | None, *, as_json: bool) -> None:
    """Say which findings to review next, how many errors are left, and when to stop."""
    from label_quality.cli.advice import run_advice

    sys.exit(run_advice(root, batch, as_json=as_json))


@cli.command()
@click.argument("old")
@click.argument("new", required=False)
@_ROOT
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
)
def diff(old: str, new: str | None, root: Path | None, form: str) -> None:
    """Compare two COCO files, or two versions of a batch: what was added, removed, re-classed, moved, redrawn.

    OLD and NEW are files, or batches as BATCH (the current version) or BATCH@1 (the one before it). A single batch is
    compared with its delivery before. Exit code 0: no label differs; 1: some do.
    """
    from label_quality.cli.diff import run_diff

    sys.exit(run_diff(old, new, root, form))


@cli.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--images-per-batch", type=click.IntRange(1), required=True)
@click.option(
    "--predictions",
    multiple=True,
    metavar="[MODEL=]FILE",
    help="COCO results file of a model, split likewise; may be given several times.",
)
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="Folder of the images; each batch gets a link to it.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the batches' folders are written. Default: the inbox of the root.",
)
@_ROOT
def split(
    *,
    file: Path,
    images_per_batch: int,
    predictions: tuple[str, ...],
    images: Path | None,
    output: Path | None,
    root: Path | None,
) -> None:
    """Cut one huge COCO file into batches by image, every record kept to the letter."""
    from label_quality.cli.split import run_split

    sys.exit(
        run_split(
            file,
            images_per_batch=images_per_batch,
            predictions=predictions,
            images=images,
            output=output,
            root=root,
        )
    )


@cli.command()
@_ROOT
def rebuild(root: Path | None) -> None:
    """Make label_quality.duckdb anew from what the batches have committed: the repair command."""
    from label_quality.cli.rebuild import run_rebuild

    sys.exit(run_rebuild(root))


def main() -> None:
    """Entry point of the console script: the interpreter is set up for one command, and left at once when that is done.

    Taking an interpreter that has run Dagster apart takes more than a second, and nothing is left to be tidied up then.
    """
    gc.set_threshold(_RARELY)
    code: object = 0
    try:
        cli.main(prog_name="label-quality")
    except SystemExit as exit_:
        code = exit_.code
        if not isinstance(code, int | None):
            raise  # a message: Python prints it
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # closed, or nobody reads it any more
            stream.flush()
    os._exit(code or 0)
