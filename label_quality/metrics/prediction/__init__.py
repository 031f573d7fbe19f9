"""Metrics of a prediction, all of them SQL. Each file has `METRICS`."""
