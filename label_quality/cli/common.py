"""What all commands share: the root, a mistake as one line on standard error, and where Dagster keeps its history."""

from __future__ import annotations

import os
import shutil
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from label_quality.settings import (
    FILE_NAME,
    FILE_VARIABLE,
    ROOT_VARIABLE,
    Settings,
    SettingsError,
    load_settings,
)

if TYPE_CHECKING:
    from rich.console import Console

WRONG = 2  # exit code for wrong usage and for a run that failed
_HOME = "DAGSTER_HOME"
_WIDTH = 110  # columns where standard output is not a terminal: the summary needs them


def fail(message: str) -> int:
    """Print a mistake as one line; returns the exit code for it."""
    print(f"label-quality: {message}", file=sys.stderr)
    return WRONG


def console(width: int = _WIDTH) -> Console:
    """Where tables are printed: as wide as the terminal, or `width` columns where there is none."""
    from rich.console import Console

    made = Console(highlight=False)
    if made.is_terminal or "COLUMNS" in os.environ:
        return made
    return Console(highlight=False, width=width)


def settings_for(root: Path | None) -> Settings:
    """The settings for `root`; what is started next has the same root and settings file, wherever it is started."""
    settings = load_settings(root)
    os.environ[ROOT_VARIABLE] = settings.root
    here = Path(FILE_NAME).absolute()
    if (
        not os.environ.get(FILE_VARIABLE)
        and here.is_file()
        and not (settings.root_path / FILE_NAME).is_file()
    ):
        os.environ[FILE_VARIABLE] = str(here)
    return settings


def project_folder() -> Path | None:
    """The checkout of this project that we are in, or that this package is installed from; None without one."""
    import label_quality

    for folder in (Path.cwd(), Path(label_quality.__file__).parents[1]):
        if (folder / "workspace.yaml").is_file() and (
            folder / "dagster_home/dagster.yaml"
        ).is_file():
            return folder
    return None


def dagster_home(settings: Settings) -> Path:
    """``DAGSTER_HOME``, else the project's, else one under the root; never a throw-away one. Set in the environment."""
    named = os.environ.get(_HOME)
    project = project_folder()
    if named:
        home = Path(named).expanduser().absolute()
    elif project:
        home = project / "dagster_home"
    else:
        home = settings.root_path / "dagster_home"
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        copy = (
            home / f".dagster.yaml.{uuid.uuid4().hex}"
        )  # another command may look at the same time
        shutil.copyfile(_shipped_config(), copy)
        copy.replace(home / "dagster.yaml")
    os.environ[_HOME] = str(home)
    return home


def _shipped_config() -> Path:
    """The dagster.yaml of the project; in a wheel it lies beside this module."""
    beside = Path(__file__).with_name("dagster.yaml")
    return (
        beside if beside.is_file() else Path(__file__).parents[2] / "dagster_home" / "dagster.yaml"
    )


__all__ = [
    "WRONG",
    "SettingsError",
    "console",
    "dagster_home",
    "fail",
    "project_folder",
    "settings_for",
]
