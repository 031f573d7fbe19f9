"""Writes docs/accuracy.md from the results. Judges nothing and measures nothing."""

from __future__ import annotations

from typing import Any

from label_quality.planting import SHAPES
from label_quality.schema import ERROR_TYPES
from planted.methods import THIS

Result = dict[str, Any]
_ORDER = (THIS, "ObjectLab", "FiftyOne", "CLOD", "confidence", "IoU", "label count", "random")
_FIGURES = ("AUROC", "P@20", "P@50", "P@100", "R@1%", "R@5%", "R@10%", "R@20%")

_HEAD = """# How well label errors are found, beside other methods

Written by `make benchmark-accuracy`; do not edit. Errors are planted into real labels and every method looks for them with the same fixed
predictions. What loses, loses here too.

- **Shapes of errors**: `label_quality/planting/shapes.py`. One shape at a time at 5 and 10 % of the labels, and all shapes mixed at 0, 2, 5, 10 and 20 %.
- **Images**: {half}. {seeds}
- **Figures**: average precision (AP; the chance level is the share of errors), AUROC, precision of the first 20, 50, 100 (P@), recall of all errors at
  1, 5, 10, 20 % of the labels reviewed (R@). Errors that no prediction overlaps are in the denominator. An error counts once, ties are broken at random.
  Labels' own errors, of which COCO and the nuclei have many, count as false alarms for all methods: figures there are lower bounds.
- **Intervals**: 95 %, paired bootstrap over images ({replicates} draws), with seeds drawn anew in each. Means weigh every shape and rate alike.
- **Methods**: cleanlab ObjectLab 2.9.0 by its own functions (seed 0, 5 % of each shape; it takes seconds a run); FiftyOne's mistakenness rules and CLOD from
  their formulas (`benchmarks/planted/peers.py`; FiftyOne's "possibly missing" flag is ranked by confidence, which the flag itself is not; its figures for duplicates are
  `compute_max_ious`); and naive ones: the model's confidence, IoU alone, the number of labels, one score for all. A method without a type is absent there: n/a, not beaten.
  Peers take one model and boxes; this project looks at masks too.
- **Bars**: {bars}. "AP above" is met where the whole interval of the difference lies above zero.
"""


def bars(results: Result) -> str:
    """One line for each bar, for the terminal."""
    return "\n".join(
        f"{'met    ' if b['met'] else 'NOT met'} {b['dataset']:9} {b['bar']}: {_value(b)}"
        for b in results["bars"]
    )


def page(results: Result) -> str:
    """The page."""
    met = sum(b["met"] for b in results["bars"])
    seeds = " ".join(
        f"{n}: {d['seeds']} seed{'s' if d['seeds'] > 1 else ''}."
        for n, d in results["datasets"].items()
    )
    half = {
        "report": "every second one; constants were chosen on the others",
        "choose": "the half that constants were chosen on",
        "all": "all, those that constants were chosen on included",
    }[results["half"]]
    told = f"{met} of {len(results['bars'])} met"
    parts = [_HEAD.format(half=half, seeds=seeds, replicates=results["replicates"], bars=told)]
    parts += [
        "## Bars\n",
        _table(("dataset", "bar", "", "measured"), [_judged(b) for b in results["bars"]]),
    ]
    for name, told_of in results["datasets"].items():
        parts += _dataset(results["titles"][name], told_of)
    parts += [_PICTURES, _LIMITS]
    return "\n".join(parts)


_PICTURES = """## The first findings on the labels as they are

Nothing planted, nothing judged (`python docs/make_accuracy_pictures.py`). The label blue, the suggestion orange.

![COCO val2017, both models: the first twelve findings](images/accuracy_coco-two.jpg)

![Nuclei: the first twelve findings](images/accuracy_nuclei.jpg)
"""

_LIMITS = """## What this does not show

Planted errors are not people's errors: their mix, their places and their sizes are made up, and what is found of them says little about how many real errors
stand among the first findings. Spurious labels are planted where no label is, so "beside no object" tells more about them than it would about real ones. Half of the images is few
(93 of COCO): intervals are wide. The demo's detector is simulated. Some older constants were checked on all images before there were halves (docs/findings.md).
"""


def _dataset(title: str, told: Result) -> list[str]:
    parts = [f"## {title}\n"]
    for kind in ERROR_TYPES:
        if told["types"].get(kind):
            parts += [f"### {kind}\n", _methods(told["types"][kind])]
    parts += ["### AP by shape\n", _shapes(told["shapes"])]
    parts += ["### All shapes mixed at 5 %: AP by type\n", _mixed(told["mixed"])]
    parts += ["### Images with any error\n", _images(told["images"])]
    parts += ["### What must not fire\n", _controls(told["controls"])]
    if told["controls"]["confusion"]:
        parts += [
            "### Planted type (rows) and type named (columns), mixed at 10 %\n",
            _confusion(told["controls"]["confusion"]),
        ]
    return parts


def _methods(methods: dict[str, Result]) -> str:
    rows = []
    for method in _ordered(methods):
        row = methods[method]
        gain = (
            f"{row['gain'][0]:+.3f} [{row['gain'][1]:+.3f}, {row['gain'][2]:+.3f}]"
            if "gain" in row
            else ""
        )
        ap = f"{row['AP'][0]:.3f} [{row['AP'][1]:.3f}, {row['AP'][2]:.3f}]"
        rows.append((method, ap, gain, *(f"{row[f]:.2f}" for f in _FIGURES), str(row["runs"])))
    own = methods[THIS]
    note = f"\nWithin reach of the predictions: {own['reachable']:.0%} of the errors; named at any score by this project: {own['found']:.0%}.\n"
    return (
        _table(("method", "AP", "this project's AP minus it, same runs", *_FIGURES, "runs"), rows)
        + note
    )


def _shapes(shapes: dict[str, dict[str, float]]) -> str:
    methods = [m for m in _ordered({m for row in shapes.values() for m in row}) if m != "random"]
    rows = [
        (f"`{s}`", *(_two(shapes[s].get(m)) for m in methods), f"{shapes[s]['found']:.0%}")
        for s in SHAPES
        if s in shapes
    ]
    return _table(("shape", *methods, "named at any score"), rows)


def _mixed(types: dict[str, dict[str, Result]]) -> str:
    methods = [m for m in _ordered({m for row in types.values() for m in row}) if m != "random"]
    rows = [
        (t, *(_two(row[m]["AP"][0]) if m in row else "n/a" for m in methods))
        for t, row in types.items()
        if row
    ]
    return _table(("type", *methods), rows)


def _images(images: dict[str, dict[str, Result]]) -> str:
    rows = []
    for rate, methods in images.items():
        for method in _ordered(methods):
            row = methods[method]
            gain = (
                f"{row['gain'][0]:+.3f} [{row['gain'][1]:+.3f}, {row['gain'][2]:+.3f}]"
                if "gain" in row
                else ""
            )
            rows.append((rate, method, _two(row["AP"][0]), gain, _two(row["AUROC"])))
    return _table(
        ("errors", "method", "AP", "this project's AP minus it, same runs", "AUROC"), rows
    )


def _controls(control: Result) -> str:
    def share(part: str, whole: str) -> str:
        return f"{control[part]} of {control[whole]} ({control[part] / max(control[whole], 1):.1%})"

    cut = control["cut"]
    rows = [
        (
            f"labels with a finding of calibrated p_error >= {cut:.2f} (the default cut)",
            share("flagged", "labels"),
        ),
        ("of those below 32² px", share("small_flagged", "small")),
        (
            "of those of which 30 % lie in another label's box",
            share("occluded_flagged", "occluded"),
        ),
        (f"missing findings of p_error >= {cut:.2f}", str(control["missing_flagged"])),
        ("missing findings within a crowd of their category", str(control["missing_in_crowds"])),
        ("findings about a crowd", str(control["findings_on_crowds"])),
    ]
    return _table(("without planted errors", ""), rows)


def _confusion(table: dict[str, dict[str, int]]) -> str:
    columns = list(next(iter(table.values())))
    return _table(
        ("planted", *columns),
        [(t, *(str(row[c]) for c in columns)) for t, row in table.items() if sum(row.values())],
    )


def _judged(bar: Result) -> tuple[str, ...]:
    return bar["dataset"], bar["bar"], "met" if bar["met"] else "**NOT met**", _value(bar)


def _value(bar: Result) -> str:
    text = f"{bar['value']:.3f}"
    return text + (" [{:.3f}, {:.3f}]".format(*bar["interval"]) if "interval" in bar else "")


def _ordered(methods: Any) -> list[str]:
    return [m for m in _ORDER if m in methods]


def _two(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.2f}"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in (head, tuple("---" for _ in head), *rows)]
    return "\n".join(lines) + "\n"
