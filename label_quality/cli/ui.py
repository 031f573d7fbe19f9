"""`label-quality ui`: `dg dev` on the project, with the root and the Dagster home of the other commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from label_quality.cli.common import (
    SettingsError,
    dagster_home,
    fail,
    project_folder,
    settings_for,
)

_WORKSPACE = """load_from:
  - python_module:
      module_name: label_quality.definitions
      location_name: label_quality
"""


def run_ui(root: Path | None, *, port: int, host: str) -> int:
    """Run until it is interrupted; returns the exit code of dg."""
    try:
        settings = settings_for(root)
    except SettingsError as error:
        return fail(str(error))
    home = dagster_home(settings)
    project = project_folder()
    command = [
        str(Path(sys.executable).with_name("dg")),
        "dev",
        "--host",
        host,
        "--port",
        str(port),
    ]
    if project is None:  # installed as a package: there is no project folder for dg to find
        workspace = settings.root_path / "workspace.yaml"
        workspace.write_text(_WORKSPACE, "utf-8")
        command += ["--workspace", str(workspace)]
    settings.inbox_path.mkdir(parents=True, exist_ok=True)
    print(
        f"Dagster UI on http://{host}:{port} (root {settings.root}, history in {home}); Ctrl-C stops it"
    )
    environment = os.environ | {"DG_CLI_TELEMETRY_ENABLED": "0"}
    try:
        return subprocess.call(command, cwd=project or Path.cwd(), env=environment)  # noqa: S603
    except KeyboardInterrupt:
        return 0
    except FileNotFoundError:
        return fail("dg is not installed beside this Python: pip install dagster-dg-cli")
