"""`label-quality ui`: `dg dev` on the project, with the root and the Dagster home of the other commands."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from label_quality.cli.common import SettingsError, dagster_home, fail, settings_for

_WORKSPACE = """load_from:
  - python_module:
      module_name: label_quality.definitions
      location_name: label_quality
"""


def run_ui(root: Path | None, *, port: int, host: str) -> int:
    """Become `dg dev`, so that what stops this stops that; returns only when it cannot be started."""
    try:
        settings = settings_for(root)
        home = dagster_home(settings)
        # Its own workspace file and the home as working folder: an .env where the user stands, or in the project,
        # would override the DAGSTER_HOME that the other commands keep their history in.
        workspace = home / "workspace.yaml"
        workspace.write_text(_WORKSPACE, "utf-8")
        if isinstance(settings.inbox_path, Path):
            settings.inbox_path.mkdir(parents=True, exist_ok=True)
        os.chdir(home)
    except (SettingsError, OSError) as error:
        return fail(str(error))
    dg = Path(sys.executable).with_name("dg")
    print(
        f"Dagster UI on http://{host}:{port} (root {settings.root}, history in {home}); Ctrl-C stops it",
        flush=True,
    )
    command = [str(dg), "dev", "--workspace", str(workspace), "--host", host, "--port", str(port)]
    try:
        os.execve(dg, command, os.environ | {"DG_CLI_TELEMETRY_ENABLED": "0"})  # noqa: S606
    except FileNotFoundError:
        return fail(f"{dg} is not there: install dagster-dg-cli beside this Python")
