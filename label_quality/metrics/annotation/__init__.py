"""Metrics of a label. Each file has `METRICS`; see `border.py` (SQL), `polygon.py` (outlines) and `crop.py` (pixels)."""
