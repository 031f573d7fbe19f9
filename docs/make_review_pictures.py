"""Make the pictures of the review page: ``python docs/make_review_pictures.py [NAME ...]``.

Renders and audits the demo in a folder of its own, serves the review page on it and photographs it with Chromium (Debian's
package) through Playwright. They are written to ``docs/images/review_<name>.png``, at most 200 KB each.
"""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

PROJECT = Path(__file__).parents[1]
IMAGES = PROJECT / "docs" / "images"
_MOST = 200 << 10  # bytes
_COLOURS = 256


@dataclass(frozen=True)
class Shot:
    """One picture: where, what is pressed before, and how wide."""

    path: str
    keys: tuple[str, ...] = ()
    width: int = 1240
    height: int = 790
    dark: bool = False
    ready: str = ".stage .crop .mask"


SHOTS = {
    "queue": Shot("/?type=missing", ("a", "a", "a")),
    "queue_dark": Shot("/?type=inaccurate", ("j",), dark=True),
    "grid": Shot("/?view=grid", ("x", "ArrowRight", "x", "ArrowRight", "ArrowRight", "x"), ready=".finding .crop .box"),
    "narrow": Shot("/?type=wrong_class&status=open", width=800, height=860),
    "summary": Shot("/summary", ready=".chart[data-drawn] .point", height=1000),
    "explorer": Shot("/explorer?kind=annotation&sort=same_class_iou&order=desc", ready=".tile-card .crop .box"),
    "performance": Shot("/performance?compare=yes", ready=".chart[data-drawn] .point", height=1200),
    "keys": Shot("/", ("Shift+?",)),
}  # fmt: skip


def main() -> None:
    """Make those that are named, or all."""
    wanted = sys.argv[1:] or list(SHOTS)
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        root, home = Path(scratch) / "root", Path(scratch) / "dagster_home"
        home.mkdir()
        shutil.copy(PROJECT / "dagster_home" / "dagster.yaml", home)
        environment = os.environ | {"DAGSTER_HOME": str(home), "LABEL_QUALITY_ROOT": str(root)}
        demo = [sys.executable, "-m", "label_quality.cli", "demo"]
        subprocess.run(demo, check=True, env=environment, cwd=PROJECT)
        with _served(environment) as address:
            _photograph(address, wanted)


@contextmanager
def _served(environment: dict[str, str]) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "label_quality.cli", "review", "--port", str(port)]
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, cwd=PROJECT, env=environment) as process:
        try:
            for _ in range(100):
                try:
                    urllib.request.urlopen(address, timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.3)
            yield address
        finally:
            process.terminate()


def _photograph(address: str, wanted: list[str]) -> None:
    from playwright.sync_api import sync_playwright

    browser_path = next(
        p for n in ("/usr/lib/chromium/chromium", "chromium") if (p := shutil.which(n))
    )
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        for name in wanted:
            _take(browser, address, SHOTS[name], IMAGES / f"review_{name}.png")
        browser.close()


def _take(browser: Any, address: str, shot: Shot, target: Path) -> None:
    context = browser.new_context(
        viewport={"width": shot.width, "height": shot.height},
        color_scheme="dark" if shot.dark else "light",
    )
    context.add_init_script("localStorage.author ||= 'Ada'")
    page = context.new_page()
    page.goto(address + shot.path)
    page.wait_for_selector(shot.ready, state="attached")
    for key in shot.keys:
        page.keyboard.press(key)
        page.wait_for_timeout(150)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(800)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    context.close()
    # 256 colours are hardly seen in pages, and a quarter of the bytes.
    picture.quantize(_COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
        target, optimize=True
    )
    print(f"{target.relative_to(PROJECT)}: {target.stat().st_size >> 10} KB")
    if target.stat().st_size > _MOST:
        sys.exit(f"{target.name} is too large")


if __name__ == "__main__":
    main()
