"""Makes ``helpers`` importable for the unit tests: pytest puts the folder of a conftest on the path."""
