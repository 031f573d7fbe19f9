"""From measured runs to medians, bars and the page `docs/speed.md`. Measures nothing itself.

The bars are those the project set itself before it was built. A bar is met, NOT met, or not judged
because a run it needs is absent or failed: never quietly met.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

# Steps of an audit that make the second opinion: what ObjectLab's find_label_issues does.
SCORING_STEPS = ("prediction_overlaps", "finding_scores", "findings")
# What came into the audit after the bars were set: metrics, outliers, the performance of models, calibration. It is timed as a row of
# its own, and the bars are judged on the rest.
ADDED = "of this: metrics, outliers, performance, calibration"
ADDED_STEPS = (
    "image_and_annotation_metrics",
    "prediction_metrics",
    "outcomes",
    "outliers",
    "performance",
    "metric_importance",
    "calibration",
    "review_sample",
)
ADDED_TABLES = (
    *("image_metrics", "annotation_metrics", "prediction_metrics"),
    *("prediction_outcomes", "label_outcomes", "outliers", "outlier_summary", "outlier_bounds"),
    *("performance", "precision_recall", "confusion", "performance_gains"),
    *("metric_importance", "performance_by_metric"),
    *("calibration", "calibration_curve", "calibration_reliability", "expected_recall"),
    *("review_strata", "review_sample"),
)
GB = 1e9

# One row of results: a run of one command, repeated. `runs` holds one entry per repeat.
Row = dict[str, Any]
Sections = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Bar:
    """One judged bar: `value` against `limit`, both None where it could not be judged."""

    name: str
    value: float | None
    limit: float
    unit: str
    detail: str

    @property
    def verdict(self) -> str:
        """met, NOT met or not judged."""
        if self.value is None:
            return "not judged"
        return "met" if self.value <= self.limit else "NOT met"


def row_of(sections: Sections, section: str, name: str) -> Row | None:
    """The row `name` of a section if all its runs worked."""
    row = sections.get(section, {}).get("rows", {}).get(name)
    return row if row and row["runs"] and all(r["worked"] for r in row["runs"]) else None


def middle(row: Row | None, figure: str) -> float | None:
    """Median of one figure (`wall`, `cpu`, `peak`) over the repeats."""
    return float(median(r[figure] for r in row["runs"])) if row else None


def added(run: Row) -> float:
    """Seconds of one audit that went into what was added: its steps, and writing its tables."""
    names = (*ADDED_STEPS, *(f"write {table}" for table in ADDED_TABLES))
    return float(sum(run.get("seconds", {}).get(name, 0.0) for name in names))


def core(row: Row | None) -> float | None:
    """Median wall time of an audit without what was added."""
    return float(median(r["wall"] - added(r) for r in row["runs"])) if row else None


def steps(row: Row | None) -> dict[str, float]:
    """Median seconds of each step the command itself reported."""
    names = {name for r in row["runs"] for name in r["seconds"]} if row else set()
    runs = row["runs"] if row else []
    return {n: median(r["seconds"].get(n, 0.0) for r in runs) for n in sorted(names)}


def scoring_per_image(row: Row | None) -> float | None:
    """Seconds per image of the scoring steps; None if a step reported no time."""
    took = steps(row)
    if row is None or not all(name in took for name in SCORING_STEPS):
        return None
    return sum(took[name] for name in SCORING_STEPS) / float(row["images"])


def _ratio(over: float | None, under: float | None) -> float | None:
    return over / under if over is not None and under else None


def bars(sections: Sections) -> list[Bar]:
    """Every bar, judged on the sections there are."""
    train, val = row_of(sections, "train", "audit"), row_of(sections, "val", "audit")
    hot = middle(row_of(sections, "train", "hotcoco"), "wall")
    fast = middle(row_of(sections, "val", "faster-coco-eval"), "wall")
    lab = row_of(sections, "val", "objectlab")
    lab_each = median(r["seconds_per_image"] for r in lab["runs"]) if lab else None
    train_core, peak = core(train), middle(train, "peak")
    val_core, each = core(val), scoring_per_image(val)
    one = middle(row_of(sections, "scaling", "audit"), "wall")
    ten = middle(row_of(sections, "scaling", "audit x10"), "wall")
    speedup = _ratio(lab_each, each)
    return [
        Bar(
            "train2017 scale: audit time over hotcoco's mAP time",
            _ratio(train_core, hot),
            4.0,
            "x",
            _over(train, hot),
        ),
        Bar(
            "train2017 scale: peak memory of audit",
            peak / GB if peak is not None else None,
            3.0,
            " GB",
            "whole process tree",
        ),
        Bar(
            "val2017 scale: audit time over faster-coco-eval's mAP time",
            _ratio(val_core, fast),
            1.0,
            "x",
            _over(val, fast),
        ),
        Bar(
            "val2017 scale: scoring time per image over ObjectLab's",
            1 / speedup if speedup else None,
            0.01,
            "x",
            f"{_s(each, 1e6, 'µs')} over {_s(lab_each, 1e3, 'ms')} per image"
            + (f": {speedup:.0f} times faster" if speedup else ""),
        ),
        Bar(
            "ten times the images: audit time x10 over x1",
            _ratio(ten, one),
            11.0,
            "x",
            f"{_s(ten)} over {_s(one)}",
        ),
    ]


def _over(audit: Row | None, peer: float | None) -> str:
    told = f"{_s(core(audit))} over {_s(peer)}"
    if audit is None or not any(added(r) for r in audit["runs"]):
        return told
    return (
        f"{told}; with metrics, outliers, performance and calibration {_s(middle(audit, 'wall'))}"
    )


def _s(seconds: float | None, factor: float = 1.0, unit: str = "s") -> str:
    return "?" if seconds is None else f"{seconds * factor:,.2f} {unit}"


def bar_table(judged: list[Bar]) -> list[str]:
    """The bars as a Markdown table."""
    lines = ["| bar | limit | measured | from | verdict |", "|---|---|---|---|---|"]
    for bar in judged:
        value = "-" if bar.value is None else f"{bar.value:.3g}{bar.unit}"
        verdict = bar.verdict if bar.verdict == "met" else f"**{bar.verdict}**"
        lines.append(
            f"| {bar.name} | at most {bar.limit:g}{bar.unit} | {value} | {bar.detail} | {verdict} |"
        )
    return lines


def row_table(section: dict[str, Any]) -> list[str]:
    """Medians of a section's rows as a Markdown table; the range of wall times beside them."""
    lines = [
        "| command | wall | range | CPU | peak memory | runs |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in section["rows"].items():
        good = [r for r in row["runs"] if r["worked"]]
        failed = len(row["runs"]) - len(good)
        if not good:
            lines.append(f"| {name} | failed | | | | 0 of {failed} |")
            continue
        wall, cpu, peak = (median(r[f] for r in good) for f in ("wall", "cpu", "peak"))
        low, high = min(r["wall"] for r in good), max(r["wall"] for r in good)
        count = f"{len(good)}" if not failed else f"{len(good)} of {len(row['runs'])}"
        lines.append(
            f"| {name} | {wall:.2f} s | {low:.2f} to {high:.2f} s | {cpu:.2f} s "
            f"| {peak / GB:.2f} GB | {count} |"
        )
        more = [added(r) for r in good]
        if any(more):
            span = f"{min(more):.2f} to {max(more):.2f} s"
            lines.append(f"| {ADDED} | {median(more):.2f} s | {span} | | | {count} |")
    return lines


def ratio_lines(section: dict[str, Any]) -> list[str]:
    """How the audit's wall time compares to that of every other row."""
    sections = {"here": section}
    own = middle(row_of(sections, "here", "audit"), "wall")
    lines = []
    for name in section["rows"]:
        other = middle(row_of(sections, "here", name), "wall")
        if own is not None and other and not name.startswith("audit") and name != "objectlab":
            lines.append(f"- audit takes {own / other:.2f} times as long as {name}")
    return lines


def step_lines(name: str, row: Row | None) -> list[str]:
    """The audit's own account of its steps."""
    took = sorted(steps(row).items(), key=lambda pair: -pair[1])
    return [f"- {name}: " + ", ".join(f"{n} {s:.3f} s" for n, s in took)] if took else []


def mask_lines(sections: Sections) -> list[str]:
    """What masks cost: the overlaps step with and without them, same detections."""
    boxes = steps(row_of(sections, "masks", "audit"))
    masks = steps(row_of(sections, "masks", "audit with masks"))
    if "prediction_overlaps" not in boxes or "prediction_overlaps" not in masks:
        return ["- cost of mask overlaps: not measured"]
    extra = masks["prediction_overlaps"] - boxes["prediction_overlaps"]
    parts = [f"{n} {s:.2f} s" for n, s in masks.items() if "mask" in n]
    return [
        f"- cost of mask overlaps: {extra:.2f} s (overlaps {masks['prediction_overlaps']:.2f} s with masks, "
        f"{boxes['prediction_overlaps']:.2f} s with boxes)"
        + (f"; {', '.join(parts)}" if parts else "")
    ]


TITLES = {
    "val": "val2017 scale",
    "train": "train2017 scale",
    "masks": "Masks at val2017 scale",
    "scaling": "Ten times the images",
}


def _extras(key: str, sections: Sections) -> list[str]:
    rows = sections[key]["rows"]
    own = [line for n in rows for line in step_lines(n, row_of(sections, key, n))]
    extra: dict[str, Callable[[], list[str]]] = {"masks": lambda: mask_lines(sections)}
    return ratio_lines(sections[key]) + extra.get(key, lambda: [])() + own


def page(sections: Sections) -> str:
    """`docs/speed.md`."""
    lines = [
        "# Speed and memory",
        "",
        "Written by `benchmarks/speed.py`; do not edit. `benchmarks/README.md` says what is run, on",
        "which files and how it is measured. The files are simulated with the statistics of COCO",
        "2017. Medians over the repeats; 1 GB is 10^9 bytes.",
        "",
        "## Bars",
        "",
        *bar_table(bars(sections)),
    ]
    for key, title in TITLES.items():
        if key not in sections:
            continue
        section = sections[key]
        made, machine = section["files"], section["machine"]
        lines += ["", f"## {title}", "", *row_table(section), "", *_extras(key, sections), ""]
        lines += [f"Files: {'; '.join(made)}.", ""]
        lines += [
            f"{section['date']}, `{section['command']}`, {section['repeats']} repeats. "
            f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
            f"{machine['system']}. Load average when it began {section['load'][0]:.2f}, when it "
            f"ended {section['load'][1]:.2f}. "
            + ", ".join(f"{n} {v}" for n, v in section["versions"].items())
            + "."
        ]
        for name, row in section["rows"].items():
            for r in row["runs"]:
                if not r["worked"]:
                    lines += ["", f"A run of {name} failed (exit code {r['exit_code']}):", ""]
                    lines += [f"    {line}" for line in r["errors"].splitlines()[-5:]]
    return "\n".join(lines) + "\n"
