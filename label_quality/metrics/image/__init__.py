"""Metrics of an image. Each file has `METRICS`; see `brightness.py` for an example."""
