"""``docs/metrics.md``, made from the registry: ``python -m label_quality.metrics > docs/metrics.md``."""

from __future__ import annotations

from label_quality import registry
from label_quality.metrics import rows
from label_quality.registry import Kind, Metric

_HEAD = """# Metrics

Made from the registry of metrics by `python -m label_quality.metrics`; do not edit. Each metric is a column of `image_metrics`,
`annotation_metrics` or `prediction_metrics` ([tables.md](tables.md)).

*Bad end* is where errors are to be looked for. *Scale* log means that logarithms are compared. *By category* means that
values of different categories cannot be compared, so that each category has its own outliers. *Needs*: without it the value
is NULL: `pixels` an image folder, `masks` a segmentation, `predictions` a results file. `random` is a control: what another metric
seems to explain must be more than what it does.
"""
_KINDS: dict[Kind, str] = {
    "image": "Images",
    "annotation": "Labels",
    "prediction": "Predictions",
}
_TAIL = """## How pixels are measured

Each image is decoded once, for all metrics of it and of its labels, in several processes where that pays. Only files are opened
that ingest found readable and safe. `image_metrics.pixels` says what became of each; a file that is cut off or damaged is recorded
with its reason and does not stop the run.

- A picture is turned as its EXIF orientation says. Boxes are measured only where the file has the size that the annotation file
  gives (`file_state` ok): nobody knows where they lie in another one. A box counts every pixel that it touches.
- Colour JPEGs are decoded to luma and chroma at full size; luma is the grey picture. Other files become RGB, and grey by ITU-R 601.
  Of 16 bits the upper 8 count, transparency is left out, palettes and CMYK become RGB, of several frames the first is taken. Pixels
  without a known range (floating point, 32 bits) are recorded as unreadable.
- `perceptual_hash` is a pHash: the picture shrunk to 32 × 32 grey pixels, its 8 × 8 lowest frequencies, one bit for each that
  lies above their median. Neighbours within 7 bits are found exactly, by multi-index hashing. Whoever looks for near duplicates
  should look at the pictures: uniform ones have one hash, and a flip changes it.

## The rows that SQL sees

A metric is a column of SQL or a Python function ([CONTRIBUTING](../CONTRIBUTING.md)). Its SQL sees these rows:

"""


def metrics_markdown() -> str:
    """The text of ``docs/metrics.md``."""
    parts = [_HEAD]
    for kind, title in _KINDS.items():
        parts.append(f"## {title}\n")
        parts.append(_table(registry.metrics(kind)))
    row_docs = (rows.__doc__ or "").partition("\n\n")[2].replace("``", "`").strip()
    return "\n".join(parts) + "\n" + _TAIL + row_docs + "\n"


def _table(metrics: dict[str, Metric]) -> str:
    head = "| metric | unit | range | bad end | scale | by category | needs | meaning |\n|---|---|---|---|---|---|---|---|\n"
    return head + "".join(_line(m) for m in metrics.values())


def _line(m: Metric) -> str:
    low, high = ("" if end is None else f"{end:,g}" for end in (m.low, m.high))
    cells = (
        f"`{m.name}`",
        m.unit,
        f"{low} … {high}".strip(),
        m.bad,
        m.scale,
        "yes" if m.per_category else "",
        ", ".join(sorted(m.needs)),
        m.description + _origin(m),
    )
    return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |\n"


def _origin(m: Metric) -> str:
    """Where a metric of a plugin comes from."""
    return f" (of {m.origin})" if m.origin else ""
