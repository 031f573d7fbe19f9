"""How fast the review page answers: ``python benchmarks/review.py ROOT [--repeats 40] [--no-browser]``.

Starts the server on a root that was audited (see README.md for the one of train2017's size) and times what a person waits
for: the first content in a browser, pages of the queue with filters, counts, and what lies over a picture. Every request
is one over HTTP on this machine, one at a time. Decisions go into a review log that is thrown away.
"""

from __future__ import annotations

import argparse
import functools
import http.client
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

PORT = 8177
RESULTS = Path(__file__).parent / "results" / "review.json"


class Client:
    """One connection that is kept, as a browser keeps it."""

    def __init__(self) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)

    def get(self, path: str, **parameters: Any) -> Any:
        query = urllib.parse.urlencode(parameters, doseq=True)
        self._connection.request("GET", f"{path}?{query}" if query else path)
        return self._answer()

    def post(self, path: str, body: Any) -> Any:
        headers = {"content-type": "application/json"}
        self._connection.request("POST", path, json.dumps(body), headers)
        return self._answer()

    def _answer(self) -> Any:
        answer = self._connection.getresponse()
        data = answer.read()
        assert answer.status == 200, (answer.status, data[:300])
        return json.loads(data) if answer.headers.get_content_type() == "application/json" else data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--no-browser", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = _with_a_log_of_its_own(options.root.absolute(), Path(scratch) / "root")
        start = time.perf_counter()
        command = [
            sys.executable,
            "-m",
            "label_quality.cli",
            "review",
            "--root",
            str(root),
            "--port",
            str(PORT),
        ]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
            try:
                results = _measure(options, start)
            finally:
                server.terminate()
    results["size"] = _size(options.root)
    results["machine"] = {"cores": os.cpu_count(), "load": os.getloadavg()[0]}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    _print(results)


def _with_a_log_of_its_own(root: Path, own: Path) -> Path:
    own.mkdir()
    for entry in root.iterdir():
        if entry.name not in ("readers", "reviews.db", "label_quality.duckdb"):
            (own / entry.name).symlink_to(entry)
    try:
        os.link(root / "label_quality.duckdb", own / "label_quality.duckdb")
    except OSError:  # another file system
        shutil.copyfile(root / "label_quality.duckdb", own / "label_quality.duckdb")
    return own


def _size(root: Path) -> dict[str, int]:
    with duckdb.connect(str(root / "label_quality.duckdb"), read_only=True) as con:
        return {
            t: con.execute(f"select count(*) from {t}").fetchall()[0][0]
            for t in ("images", "annotations", "predictions", "findings")
        }


def _measure(options: argparse.Namespace, start: float) -> dict[str, Any]:
    while True:
        try:
            client = Client()
            client.get("/")
            break
        except OSError:
            time.sleep(0.02)
    results: dict[str, Any] = {"start": time.perf_counter() - start}
    client.get("/api/queue/page")
    results["start and first page"] = time.perf_counter() - start
    results["requests"] = {
        name: _times(run, options.repeats)
        for name, run in (_requests(client) | _requests_of_pages(client)).items()
    }
    if not options.no_browser:
        for name, run in _browser().items():
            results["requests"][f"first content in a browser: {name}"] = _times(
                run, min(options.repeats, 8)
            )
    return results


def _requests(client: Client) -> dict[str, Callable[[], Any]]:
    chance = random.Random(1)
    whole = client.get("/api/queue/facets", p_min=0.05)["facets"]
    categories = [f["value"] for f in whole["category"]]
    types = [f["value"] for f in whole["type"]]
    first = client.get("/api/queue/page", limit=100)["groups"]
    findings = [f for g in first for f in g["findings"]]

    def some(**more: Any) -> dict[str, Any]:
        return {
            "category": chance.sample(categories, 2),
            "type": chance.sample(types, 2),
            "status": "open",
            **more,
        }

    def decided_and_seen() -> None:
        finding = findings.pop()
        decision = {
            "batch": finding["batch"],
            "finding_id": finding["finding_id"],
            "shown": finding["content_hash"],
            "verdict": "reject",
        }
        client.post("/api/decisions", {"author": "benchmark", "decisions": [decision]})
        client.get("/api/queue/finding", batch=finding["batch"], finding_id=finding["finding_id"])

    def scene() -> None:
        finding = chance.choice(findings)
        client.get(f"/api/scenes/{finding['batch']}/{finding['image_id']}")

    def outlines() -> None:
        finding = chance.choice(findings)
        client.get(f"/api/outlines/{finding['batch']}/{finding['image_id']}", minimum=0.05)

    return {
        "page, as the queue opens": lambda: client.get("/api/queue/page", status="open"),
        "page, two categories and two types": lambda: client.get("/api/queue/page", **some()),
        "page, all findings": lambda: client.get("/api/queue/page", p_min=0),
        "page, all findings by confidence, not grouped": lambda: client.get(
            "/api/queue/page", p_min=0, group="none", sort="confidence"
        ),
        "page, later, all findings": lambda: client.get(
            "/api/queue/page", p_min=0, after=first[-1]["key"]
        ),
        "false positives above 75 % by confidence": lambda: client.get(
            "/api/queue/page", p_min=0, outcome="FP", confidence_min=0.75, sort="confidence"
        ),
        "counts, as the queue opens": lambda: client.get("/api/queue/facets", status="open"),
        "counts, two categories and two types, all findings": lambda: client.get(
            "/api/queue/facets", **some(p_min=0)
        ),
        "counts, all findings": lambda: client.get("/api/queue/facets", p_min=0),
        "boxes of a picture": scene,
        "outlines of a picture": outlines,
        "decide, and read the finding again": decided_and_seen,
    }


def _requests_of_pages(client: Client) -> dict[str, Callable[[], Any]]:
    """What the Summary, the Explorer and the page of performance ask for. The first match of a model is timed by itself."""
    chance = random.Random(2)
    known = client.get("/api/explorer/known")
    batch, model = known["batches"][0], known["first_model"]
    subject = json.dumps([model, batch if len(known["batches"]) > 1 else ""])
    categories = client.get("/api/performance/models")["categories"]
    begin = time.perf_counter()
    client.get("/api/performance/counts", subject=subject)
    print(
        f"matching a model at every stop of the slider, once: {time.perf_counter() - begin:.2f} s"
    )
    items, overview = "/api/explorer/items", "/api/explorer/overview"
    last = {
        kind: client.get(items, kind=kind, order="desc")["items"][-1]["key"]
        for kind in ("image", "annotation", "prediction")
    }
    surest = {"kind": "prediction", "order": "desc", "outcome": "FP", "range": "confidence:0.75:"}

    def some(kind: str) -> dict[str, Any]:
        low = chance.uniform(0, 0.5)
        metric = {"image": "random", "annotation": "random", "prediction": "confidence"}[kind]
        return {"kind": kind, "category": chance.sample(categories, 2), "range": f"{metric}:{low}:"}

    def slide() -> Any:
        iou = chance.randrange(10, 96) / 100
        return client.get("/api/performance/counts", subject=subject, iou=iou)

    asked: dict[str, Callable[[], Any]] = {
        "summary, errors": lambda: client.get("/api/summary/errors"),
        "performance, slider": slide,
        "performance, curves": lambda: client.get("/api/performance/curves", subject=subject),
        "performance, confusion": lambda: client.get("/api/performance/confusion", subject=subject),
        "explorer, false positives above 75 %": lambda: client.get(items, **surest),
        "explorer, their counts": lambda: client.get(overview, **surest),
        "explorer, near duplicates of labels": lambda: client.get(
            items, kind="annotation", sort="same_class_iou", order="desc"
        ),
        "explorer, outliers": lambda: client.get(items, kind="annotation", outlier="any"),
    }
    for kind, place in last.items():
        asked |= {
            f"summary, {kind}s": lambda kind=kind: client.get("/api/summary/kind", kind=kind),
            f"explorer, {kind}s, as it opens": lambda kind=kind: client.get(
                items, kind=kind, order="desc"
            ),
            f"explorer, {kind}s, next page": lambda kind=kind, place=place: client.get(
                items, kind=kind, order="desc", after=place
            ),
            f"explorer, {kind}s, two categories and a range": lambda kind=kind: client.get(
                items, **some(kind)
            ),
            f"explorer, {kind}s, histogram and number": lambda kind=kind: client.get(
                overview, **some(kind)
            ),
            f"explorer, {kind}s, counts beside filters": lambda kind=kind: client.get(
                "/api/explorer/facets", **some(kind)
            ),
        }
    return asked


# Page, and what is content there.
_CONTENT = {
    "queue": ("/", ".panel .reason"),
    "summary": ("/summary", ".tiles .tile"),
    "explorer, labels": ("/explorer", ".tile-card"),
    "explorer, predictions": ("/explorer?kind=prediction", ".tile-card"),
    "performance": ("/performance", ".live .tile"),
}


def _browser() -> dict[str, Callable[[], Any]]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 (a measurement without a browser needs none)

    started = sync_playwright().start()
    path = next(p for n in ("/usr/lib/chromium/chromium", "chromium") if (p := shutil.which(n)))
    browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])

    def open_page(address: str, content: str) -> float:
        page = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
        start = time.perf_counter()
        page.goto(f"http://127.0.0.1:{PORT}{address}", wait_until="commit")
        page.wait_for_selector(content)
        seconds = time.perf_counter() - start
        page.context.close()
        return seconds

    runs = {name: functools.partial(open_page, *where) for name, where in _CONTENT.items()}
    runs["queue"]()  # the browser itself starts with its first page
    return runs


def _times(run: Callable[[], Any], repeats: int) -> dict[str, float]:
    """Seconds of each call; of one that times itself, what it says."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        own = run()
        times.append(own if isinstance(own, float) else time.perf_counter() - start)
    times.sort()
    return {
        "median": statistics.median(times),
        "p95": times[min(int(0.95 * len(times)), len(times) - 1)],
        "n": len(times),
    }


def _print(results: dict[str, Any]) -> None:
    print(", ".join(f"{n:,} {t}" for t, n in results["size"].items()))
    print(
        f"command to address {results['start']:.2f} s, to the first page of the queue {results['start and first page']:.2f} s"
    )
    for name, times in results["requests"].items():
        if times:
            print(
                f"{name:55} median {1000 * times['median']:5.0f} ms, 95th percentile {1000 * times['p95']:5.0f} ms of {times['n']}"
            )


if __name__ == "__main__":
    main()
