"""What a library would load and no command needs. What Dagster does more often than it must is in `engines`."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder


class _NoPandas(MetaPathFinder):
    def find_spec(self, name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def arrow_without_pandas() -> None:
    """Keep PyArrow from importing pandas, a quarter of a second, with the first array that it makes.

    It only wants to know whether what it is given is pandas' own, and asks just once. Whoever asks for a DataFrame
    still gets one: pandas is imported then.
    """
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    refusing = _NoPandas()
    sys.meta_path.insert(0, refusing)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(refusing)
