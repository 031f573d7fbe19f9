"""What all commands share: the root, a mistake as one line on standard error, and where Dagster keeps its history."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from label_quality.settings import ROOT_VARIABLE, Settings, SettingsError, load_settings

WRONG = 2  # exit code for wrong usage and for a run that failed
_HOME = "DAGSTER_HOME"


def fail(message: str) -> int:
    """Print a mistake as one line; returns the exit code for it."""
    print(f"label-quality: {message}", file=sys.stderr)
    return WRONG


def settings_for(root: Path | None) -> Settings:
    """The settings for `root`, and the root in the environment, so that whatever is started next has the same."""
    settings = load_settings(root)
    os.environ[ROOT_VARIABLE] = settings.root
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
        shutil.copyfile(_shipped_config(), home / "dagster.yaml")
    os.environ[_HOME] = str(home)
    return home


def _shipped_config() -> Path:
    """The dagster.yaml of the project; in a wheel it lies beside this module."""
    beside = Path(__file__).with_name("dagster.yaml")
    return (
        beside if beside.is_file() else Path(__file__).parents[2] / "dagster_home" / "dagster.yaml"
    )


__all__ = ["WRONG", "SettingsError", "dagster_home", "fail", "project_folder", "settings_for"]
