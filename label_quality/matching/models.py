"""Model names as a type of their own: large tables are joined by model, and comparing names costs seconds there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def create_model_type(con: DuckDBPyConnection) -> None:
    """Make the type ``_model``, an ENUM of the models in ``predictions``, in the order of their names."""
    con.execute(
        """create or replace temp type _model as enum
           (select distinct model from predictions order by model)"""
    )
