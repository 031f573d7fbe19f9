"""From units to figures: means over shapes, rates and seeds, paired intervals against every other method, and the bars."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from label_quality.planting import SHAPES
from label_quality.schema import ERROR_TYPES
from planted.figures import REPLICATES, interval, over_seeds
from planted.methods import THIS
from planted.unit import Unit

MIXED = "mixed"
_FIGURES = ("AUROC", "P@20", "P@50", "P@100", "R@1%", "R@5%", "R@10%", "R@20%")
_DEMO_LIMIT = 0.01
Row = dict[str, Any]
Key = tuple[str, float]


def judge(units: dict[str, list[Unit]]) -> dict[str, Any]:
    """All figures by dataset, and the bars."""
    out: dict[str, Any] = {"datasets": {}, "bars": [], "replicates": REPLICATES}
    for name, made in units.items():
        out["datasets"][name] = {
            "seeds": len(made),
            "seconds": sum(u.seconds for u in made),
            "types": {t: _compared(made, _single(t)) for t in ERROR_TYPES},
            "mixed": {t: _compared(made, _mixed(t, 0.05)) for t in ERROR_TYPES},
            "images": {
                f"{rate:.0%}": _compared(made, _mixed("image", rate))
                for rate in (0.02, 0.05, 0.10, 0.20)
            },
            "shapes": _by_shape(made),
            "controls": made[0].controls | {"confusion": _confusion(made)},
        }
        out["bars"] += _bars(name, out["datasets"][name])
    return out


def _single(kind: str) -> Callable[[Row], bool]:
    return lambda row: row["type"] == kind and row["shape"] != MIXED and row["errors"] > 0


def _mixed(kind: str, rate: float) -> Callable[[Row], bool]:
    return lambda row: (
        (row["type"], row["shape"], row["rate"]) == (kind, MIXED, rate) and row["errors"] > 0
    )


def _compared(units: list[Unit], wanted: Callable[[Row], bool]) -> dict[str, Row]:
    """By method: mean figures with the interval of AP, and this project's AP minus the method's, on the runs that both have."""
    runs = [_vectors(u, wanted) for u in units]
    methods = sorted({m for unit in runs for m in unit})
    out: dict[str, Row] = {}
    for method in methods:
        mine = [unit[method] for unit in runs if method in unit]
        rows = [r for u in units for r in u.rows if r["method"] == method and wanted(r)]
        own = over_seeds(np.array([np.nanmean(list(by.values()), 0) for by in mine]))
        out[method] = {
            "AP": interval(own),
            "runs": len(rows),
            "errors": float(np.mean([r["errors"] for r in rows])),
            "reachable": float(
                sum(r["reachable"] for r in rows) / max(sum(r["errors"] for r in rows), 1)
            ),
            "found": float(sum(r["found"] for r in rows) / max(sum(r["errors"] for r in rows), 1)),
            **{f: float(np.mean([r[f] for r in rows])) for f in _FIGURES},
        }
        if method != THIS:
            gains = [
                np.nanmean([unit[THIS][k] - v for k, v in unit[method].items()], 0)
                for unit in runs
                if method in unit
            ]
            out[method]["gain"] = interval(over_seeds(np.array(gains)))
    return out


def _vectors(unit: Unit, wanted: Callable[[Row], bool]) -> dict[str, dict[Key, np.ndarray]]:
    out: dict[str, dict[Key, np.ndarray]] = {}
    for row, vector in zip(unit.rows, unit.vectors, strict=True):
        if wanted(row):
            out.setdefault(row["method"], {})[row["shape"], row["rate"]] = vector
    return out


def _by_shape(units: list[Unit]) -> dict[str, dict[str, float]]:
    """Mean AP by shape and method, and what share of them this project finds at all."""
    out: dict[str, dict[str, float]] = {}
    for shape in SHAPES:
        rows = [r for u in units for r in u.rows if r["shape"] == shape and r["errors"] > 0]
        if rows:
            methods = sorted({r["method"] for r in rows})
            out[shape] = {
                m: float(np.nanmean([r["AP"] for r in rows if r["method"] == m])) for m in methods
            }
            own = [r for r in rows if r["method"] == THIS]
            out[shape]["found"] = sum(r["found"] for r in own) / max(
                sum(r["errors"] for r in own), 1
            )
    return out


def _confusion(units: list[Unit]) -> dict[str, dict[str, int]]:
    total: dict[str, dict[str, int]] = {}
    for unit in units:
        for table in unit.controls["confusion"]:
            for planted, named in table.items():
                row = total.setdefault(planted, dict.fromkeys(named, 0))
                for kind, count in named.items():
                    row[kind] += count
    return total


def _bars(name: str, told: dict[str, Any]) -> list[Row]:
    bars = []
    for kind, methods in told["types"].items():
        for method, row in methods.items():
            if "gain" in row:
                bars.append(_bar(name, f"{kind}: AP above {method}", row["gain"]))
    for rate, methods in told["images"].items():
        for method in ("label count", "ObjectLab"):
            if method in methods:
                bars.append(
                    _bar(name, f"images, {rate} mixed: AP above {method}", methods[method]["gain"])
                )
    control = told["controls"]
    exact = told["shapes"].get("duplicate_exact")
    if exact:
        bars.append(
            {
                "dataset": name,
                "bar": "every exact duplicate is found",
                "met": exact["found"] == 1.0,
                "value": exact["found"],
            }
        )
    bars.append(
        {
            "dataset": name,
            "bar": "crowds are never reported, nor what lies in them as missing",
            "met": control["missing_in_crowds"] == control["findings_on_crowds"] == 0,
            "value": control["missing_in_crowds"] + control["findings_on_crowds"],
        }
    )
    if name == "demo":
        share = control["flagged"] / control["labels"]
        bars.append(
            {
                "dataset": name,
                "bar": "at most 1 % of faultless labels flagged",
                "met": share <= _DEMO_LIMIT,
                "value": share,
            }
        )
    return bars


def _bar(name: str, bar: str, gain: tuple[float, float, float]) -> Row:
    return {"dataset": name, "bar": bar, "met": gain[1] > 0, "value": gain[0], "interval": gain[1:]}
