"""Make the pictures of the README: the demo's findings, and the Dagster UI on the demo's run.

``python docs/make_pictures.py`` renders and audits the demo in a folder of its own, starts the Dagster UI on it and
photographs it with Chromium (Debian's package, found on PATH) through Playwright (``pip install playwright``).
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

PROJECT = Path(__file__).parents[1]
IMAGES = PROJECT / "docs" / "images"
_PAGES = {
    "lineage": ("/asset-groups", 6),
    "findings": ("/assets/findings?view=partitions&partition=demo", 6),
    "checks": ("/assets/error_rates?view=checks", 6),
}


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "root"
        home = Path(scratch) / "dagster_home"
        home.mkdir()
        shutil.copy(PROJECT / "dagster_home" / "dagster.yaml", home)
        environment = os.environ | {"DAGSTER_HOME": str(home), "LABEL_QUALITY_ROOT": str(root)}
        command = [sys.executable, "-m", "label_quality.cli", "demo"]
        subprocess.run(command, check=True, env=environment, cwd=PROJECT)
        with _ui(environment) as address:
            _contact_sheet(address)
            _screens(address)


class _ui:
    """The webserver alone, on a free port of the loopback interface."""

    def __init__(self, environment: dict[str, str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.environment = environment

    def __enter__(self) -> str:
        webserver = Path(sys.executable).with_name("dagster-webserver")
        command = [str(webserver), "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(self.port)]
        self.process = subprocess.Popen(
            command, cwd=PROJECT, env=self.environment, start_new_session=True
        )
        address = f"http://127.0.0.1:{self.port}"
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{address}/server_info", timeout=1)
                return address
            except OSError:
                time.sleep(1)
        raise SystemExit("the Dagster UI did not start")

    def __exit__(self, *_: object) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(timeout=30)


def _contact_sheet(address: str) -> None:
    """The picture that the asset `findings` carries in its metadata."""
    query = """{ assetOrError(assetKey: {path: ["findings"]}) { ... on Asset { assetMaterializations(limit: 1) {
        metadataEntries { label ... on MarkdownMetadataEntry { mdStr } } } } } }"""
    request = urllib.request.Request(
        f"{address}/graphql",
        json.dumps({"query": query}).encode(),
        {"Content-Type": "application/json"},
    )
    answer = json.load(urllib.request.urlopen(request, timeout=60))
    entries = answer["data"]["assetOrError"]["assetMaterializations"][0]["metadataEntries"]
    markdown = next(e["mdStr"] for e in entries if e["label"] == "contact sheet")
    (IMAGES / "findings.jpg").write_bytes(
        base64.b64decode(markdown.split("base64,")[1].rstrip(")"))
    )


def _screens(address: str) -> None:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("Chromium is not on PATH: apt-get install chromium")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        for name, (path, seconds) in _PAGES.items():
            page.goto(address + path)
            page.wait_for_timeout(1000 * seconds)
            page.screenshot(path=str(IMAGES / f"dagster_{name}.png"))
        browser.close()


if __name__ == "__main__":
    main()
