"""The two words that the schema is written in: `Column` and `Table`. No table is defined here."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

_ARROW: dict[str, pa.DataType] = {
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
    "BOOLEAN": pa.bool_(),
    "TIMESTAMP": pa.timestamp("us"),
    "BIGINT[]": pa.list_(pa.int64()),
    "VARCHAR[]": pa.list_(pa.string()),
    "FLOAT[]": pa.list_(pa.float32()),
}


@dataclass(frozen=True)
class Column:
    """One column: DuckDB type, meaning, unit ("" where it has none) and whether NULL may stand in it."""

    name: str
    type: str
    description: str
    unit: str = ""
    nullable: bool = False

    @property
    def comment(self) -> str:
        """The description with the unit, as it stands in SQL and in the Dagster UI."""
        return f"{self.description} [{self.unit}]" if self.unit else self.description


@dataclass(frozen=True)
class Table:
    """One table: what a row is, its columns, its Dagster group, and where it may be seen.

    `published` tables are copied into ``label_quality.duckdb``; the others stay in Parquet. `per_batch` tables carry
    ``batch`` as their first column; the others are results over all batches, written by the `refresh` job alone.
    Those that are `from_log` are neither: what people decided, copied from the review log by whoever publishes.
    `union_of` names the tables, of the same columns, whose rows together are this one's.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    group: str
    published: bool = True
    per_batch: bool = True
    from_log: bool = False
    union_of: tuple[str, ...] = ()

    @property
    def column_names(self) -> tuple[str, ...]:
        """The column names in order."""
        return tuple(c.name for c in self.columns)

    def arrow_schema(self) -> pa.Schema:
        """The schema of the table's Parquet files."""
        return pa.schema([pa.field(c.name, _ARROW[c.type], c.nullable) for c in self.columns])

    def ddl(self, catalog: str = "") -> str:
        """A ``CREATE TABLE`` statement; `catalog` is the attached database, if not the current one."""
        prefix = f"{catalog}." if catalog else ""
        columns = ", ".join(
            f'"{c.name}" {c.type}{"" if c.nullable else " NOT NULL"}' for c in self.columns
        )
        return f'CREATE TABLE IF NOT EXISTS {prefix}"{self.name}" ({columns})'

    def comments(self, catalog: str = "") -> list[str]:
        """``COMMENT ON`` statements for the table and each column."""
        prefix = f"{catalog}." if catalog else ""
        quoted = self.description.replace("'", "''")
        out = [f"COMMENT ON TABLE {prefix}\"{self.name}\" IS '{quoted}'"]
        for c in self.columns:
            text = c.comment.replace("'", "''")
            out.append(f'COMMENT ON COLUMN {prefix}"{self.name}"."{c.name}" IS \'{text}\'')
        return out
