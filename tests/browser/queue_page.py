"""The queue page as a person sees it: what the browser tests ask of it and do with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from label_quality.store.reviews import ReviewLog

OPEN = "/?"


class QueuePage:
    """A page of the queue that has loaded."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.ready()

    def ready(self) -> None:
        """Wait for the picture of the current finding with its boxes."""
        self.page.wait_for_selector(".stage .crop .box, .grid .finding, .nothing:not([hidden])")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    @property
    def at(self) -> str:
        """The finding that the URL names: batch/finding_id."""
        return str(self.page.evaluate("new URLSearchParams(location.search).get('at')"))

    @property
    def reason(self) -> str:
        return str(self.page.inner_text(".panel .reason"))

    @property
    def statuses(self) -> list[str]:
        """What the strip says of each finding, in order."""
        classes = self.page.eval_on_selector_all(".strip-item", "e => e.map((x) => x.className)")
        return [c.split()[1] for c in classes]

    def saved(self) -> None:
        """Wait until nothing is being written or loaded any more."""
        self.page.wait_for_function("() => !document.body.matches('.saving, .loading')")

    def toast(self, text: str) -> None:
        self.page.wait_for_selector(f".toast:has-text('{text}')")

    def counted(self, text: str) -> None:
        """Wait until the bar above says so: it is brought up to date a moment after a decision."""
        self.page.wait_for_selector(f".progress-text:has-text('{text}')")

    def fix(self) -> str:
        return str(self.page.inner_text(".fix h3"))


def log(root: Path) -> list[dict[str, Any]]:
    """The entries of the review log."""
    rows: list[dict[str, Any]] = ReviewLog.below(root).entries().to_pylist()
    return rows
