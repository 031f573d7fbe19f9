"""Labels that look alike to a model that was run here (``label_neighbours``), and the map of them. Where none was, there is neither."""

from __future__ import annotations

from dataclasses import dataclass

from label_quality.review.answers import Refused
from label_quality.review.database import Row, View
from label_quality.review.kept import once
from label_quality.store.scan import quoted

MAPPED = 4_000
"""Labels on the map: a sample that is the same each time."""


@dataclass(frozen=True)
class Map:
    """Rows of batch, annotation_id, image_id, category_name, x and y; `labels` have a place, `drawn` of them are here."""

    model: str
    rows: list[Row]
    labels: int


def looking_model(view: View) -> str:
    """The model whose features say what looks alike; "" where there is none."""

    def found() -> str:
        there = view.row(
            "select 1 as there from duckdb_tables() where database_name = current_database() and table_name = 'label_neighbours'"
        )
        row = view.row("select min(model) as model from label_neighbours") if there else None
        return str(row["model"]) if row and row["model"] is not None else ""

    return once(view, "looking model", found)


def neighbours(view: View, batch: str, annotation_id: int) -> str:
    """SELECT of batch, annotation_id and place of a label (0) and its neighbours (1, the most alike, 2 …)."""
    model = looking_model(view)
    row = model and view.row(
        "select neighbours from label_neighbours where model = ? and batch = ? and annotation_id = ?",
        [model, batch, annotation_id],
    )
    if not row:
        raise Refused("no model that was run here has looked at this label")
    ids = [annotation_id, *row["neighbours"]]
    listed = ", ".join(f"({quoted(batch)}, {int(a)}, {k}::double)" for k, a in enumerate(ids))
    return f"select * from (values {listed}) t(batch, annotation_id, place)"


def on_map(x: tuple[float, float], y: tuple[float, float]) -> str:
    """SELECT of batch and annotation_id of the labels whose places lie in that part of the map."""
    return f"""select batch, annotation_id from label_neighbours
               where model = (select min(model) from label_neighbours)
                 and map_x between {x[0]!r} and {x[1]!r} and map_y between {y[0]!r} and {y[1]!r}"""


def label_map(view: View) -> Map | None:
    """A sample of the labels with their places; None where there is no map."""
    model = looking_model(view)
    return once(view, "label map", lambda: _map(view, model)) if model else None


def _map(view: View, model: str) -> Map | None:
    placed = "from label_neighbours n where n.model = $1 and isfinite(map_x) and isfinite(map_y)"
    row = view.row(f"select count(*) as n {placed}", [model])
    labels = row["n"] if row else 0
    if not labels:
        return None
    every = -(-labels // MAPPED)
    rows = view.rows(
        f"""select n.batch, n.annotation_id, a.image_id, c.name as category_name, map_x as x, map_y as y
            from label_neighbours n join annotations a using (batch, annotation_id)
            left join categories c on c.batch = n.batch and c.category_id = a.category_id
            where n.model = $1 and isfinite(map_x) and isfinite(map_y)
              and hash(n.batch, n.annotation_id) % {every} = 0
            order by n.batch, n.annotation_id""",
        [model],
    )
    return Map(model, rows, labels)
