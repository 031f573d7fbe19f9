"""The group that the command's words belong to, and the options that several of them have."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from label_quality import __version__

ROOT = click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the tables and of label_quality.duckdb. Default: LABEL_QUALITYROOT, else ./data.",
)

FORM = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
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
