"""A running server on the demo (and on the COCO subset, where it is here) and a Chromium that talks to it.

Nothing is downloaded: the browser is the system's. Where there is none the tests are skipped with a sentence. Every page
of a test is watched: an error in the console, a broken promise or a request to elsewhere fails the test.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
sys.path.insert(0, str(Path(__file__).parent))

from browser_roots import coco_root, demo_root
from browser_server import Served, serving
from helpers.coco_subset import FOLDER
from helpers.published import own_root

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed: no test in a browser"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser, a server and the other tests share two cores: what was late once may try again, and the report says so."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=1))


def _chromium() -> str | None:
    """The browser itself rather than the script that starts it."""
    known = ("/usr/lib/chromium/chromium", "/usr/lib/chromium-browser/chromium-browser")
    named = ("chromium", "chromium-browser", "google-chrome")
    return next((p for p in known if Path(p).is_file()), None) or next(
        (p for n in named if (p := shutil.which(n))), None
    )


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The system's Chromium, without a window."""
    path = _chromium()
    if path is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as started:
        # As root, as in CI, it needs to be told that it may; it opens nothing but our own pages.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        opened = started.chromium.launch(executable_path=path, args=options)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def _demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo_root(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="session")
def _coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not FOLDER.is_dir():
        pytest.skip("the COCO subset (../shared/data/coco_val2017_subset) is not here")
    return coco_root(tmp_path_factory.mktemp("coco"))


@pytest.fixture
def server(_demo: Path, tmp_path: Path) -> Iterator[Served]:
    """The demo, with an empty review log."""
    with serving(own_root(_demo, tmp_path / "root")) as served:
        yield served


@pytest.fixture
def coco_server(_coco: Path, tmp_path: Path) -> Iterator[Served]:
    """The COCO subset, with an empty review log."""
    with serving(own_root(_coco, tmp_path / "root")) as served:
        yield served


# Where a test's own server ends before its pages do. A page can do nothing about it.
_ENDED = "ERR_CONNECTION_REFUSED"

# What a test says is allowed to go wrong: a fragment of the console's message.
Expected = list[str]


@pytest.fixture
def expected() -> Expected:
    """Messages of the console that a test provokes."""
    return []


@pytest.fixture
def visit(browser: Any, expected: Expected) -> Iterator[Callable[..., Any]]:
    """Opens a page in a browser profile of its own: visit(url, author=…, width=…, dark=…)."""
    contexts: list[Any] = []
    wrong: list[str] = []

    def watch(page: Any) -> None:
        page.on(
            "console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda e: wrong.append(str(e)))
        page.on("request", lambda r: wrong.append(f"asks {r.url}") if _elsewhere(r.url) else None)

    def opened(
        url: str, *, author: str = "Ada", width: int = 1400, height: int = 900, dark: bool = False
    ) -> Any:
        scheme = "dark" if dark else "light"
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        context.add_init_script(f"localStorage.author ||= {author!r}")
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        watch(page)
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [w for w in wrong if not any(e in w for e in (_ENDED, *expected))] == []


def _elsewhere(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme not in ("data", "blob") and parts.hostname != "127.0.0.1"
