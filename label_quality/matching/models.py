"""Model names as a type of their own: large tables are joined by model, and comparing names costs seconds there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def create_model_type(con: DuckDBPyConnection) -> None:
    """Make the type ``_model``, an ENUM of the models in ``predictions``, in the order of their names."""
    # DuckDB 1.5 has no columns of an ENUM without a value: where there is no model, the empty name stands for it.
    con.execute(
        """create or replace temp type _model as enum (
             with models as (select distinct model from predictions)
             from (from models union all select '' where not exists (from models)) order by model)"""
    )
