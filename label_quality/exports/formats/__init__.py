"""One module for each format, with an `EXPORTER`. They are found by their place here; CONTRIBUTING.md says how to add one."""
