"""The words that bring data in and audit them, with their options. What they do is imported when they are called."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from label_quality.cli.group import ROOT, cli


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
@ROOT
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
@ROOT
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
@ROOT
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
@ROOT
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
@ROOT
def infer(batch: str, models: tuple[str, ...], root: Path | None) -> None:
    """Run Mask R-CNN on a batch and audit it with what it says (needs the extra `inference`)."""
    from label_quality.cli.infer import run_infer

    sys.exit(run_infer(batch, models=models, root=root))


@cli.command()
@ROOT
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
@ROOT
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
