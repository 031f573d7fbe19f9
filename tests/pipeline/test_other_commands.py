"""`label-quality demo`, `sql` and `rebuild` as processes."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from pathlib import Path

import pytest
from conftest import Audited
from pipeline_tools import command, mistake, query, snapshot


def test_demo_works_and_says_what_it_found(home: Path, tmp_path: Path) -> None:
    done = command("demo", "--images", 5, "--root", tmp_path / "root", home=home, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "The predictions are simulated: no real model made them." in done.stdout
    planted = json.loads((tmp_path / "root" / "demo" / "planted_errors.json").read_text())
    assert f"{len(planted)} errors were planted in the demo's labels" in done.stdout
    assert f"first {len(planted)} ┃" in done.stdout
    last = next(line for line in done.stdout.splitlines() if line.startswith("│ all"))
    total, first, twice = map(int, re.findall(r"\d+", last))
    assert total == len(planted)
    assert 0 < first <= twice <= total
    simulated = query(
        tmp_path / "root" / "label_quality.duckdb", "select bool_and(simulated) from models"
    )
    assert simulated == [(True,)]


QUEUE = "select error_type, annotation_id, p_error from queue limit 3"


def test_sql_as_a_table(within: Audited, tmp_path: Path) -> None:
    args = ["sql", "select annotation_id, reason from findings", "--root", within.root]
    done = command(*args, home=within.home, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    reasons = query(within.database, "select annotation_id, reason from findings")
    assert None in [r[0] for r in reasons]  # a missing label has no id: NULL is an empty cell
    lines = done.stdout.splitlines()
    for _, reason in reasons:
        assert sum(reason in line for line in lines) > 0, reason  # one line each, however long


@pytest.mark.parametrize("form", ["csv", "json"])
def test_sql_for_programs(form: str, within: Audited, tmp_path: Path) -> None:
    args = ["sql", QUEUE, "--format", form, "--root", within.root]
    done = command(*args, home=within.home, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    wanted = query(within.database, QUEUE)
    if form == "json":
        found = [tuple(row.values()) for row in json.loads(done.stdout)]
        assert found == wanted
    else:
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        assert [float(r["p_error"]) for r in rows] == [r[2] for r in wanted]
        assert [r["annotation_id"] for r in rows] == [
            "" if r[1] is None else str(r[1]) for r in wanted
        ]


def test_sql_without_a_query_lists_tables_and_what_they_mean(
    within: Audited, tmp_path: Path
) -> None:
    done = command("sql", "--root", within.root, home=within.home, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for name in ("findings", "error_rates", "quarantine", "queue"):
        assert re.search(rf"│ {name} +│", done.stdout), name
    assert "_published" not in done.stdout


WRONG_SQL = {
    "no SQL": ("selec 1", "syntax error at or near"),
    "an unknown table": ("from nothing", "Table with name nothing does not exist"),
    "a write": ("delete from findings", "only read here"),
    "a table of one's own": ("create table mine (a int)", "only read here"),
    "one name twice": ("select 1 as a, 2 as a", "one name"),
}


@pytest.mark.parametrize("name", WRONG_SQL)
def test_wrong_sql_is_exit_2(name: str, within: Audited, tmp_path: Path) -> None:
    text, message = WRONG_SQL[name]
    done = command("sql", text, "--root", within.root, home=within.home, cwd=tmp_path)
    assert done.returncode == 2, done.stdout
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["sql", "from findings"], "nothing has been published under"),
        (["rebuild"], "nothing has been committed under"),
    ],
)
def test_where_nothing_was_audited(
    args: list[str], message: str, home: Path, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    assert message in mistake(command(*args, "--root", root, home=home, cwd=tmp_path))
    assert not root.exists()


def test_rebuild_repairs_a_damaged_database(within: Audited, tmp_path: Path) -> None:
    root = tmp_path / "root"
    shutil.copytree(within.root, root)
    database = root / "label_quality.duckdb"
    database.write_bytes(b"not a database")
    args = ["sql", "from findings", "--root", root]
    assert "label_quality.duckdb" in mistake(command(*args, home=within.home, cwd=tmp_path))
    done = command("rebuild", "--root", root, home=within.home, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"rebuilt {database} from 1 batch\n"
    assert snapshot(database) == snapshot(within.database)


def test_report_of_what_was_audited(within: Audited, tmp_path: Path) -> None:
    page = tmp_path / "sub" / "page.html"
    done = command(
        "report", "--root", within.root, "--output", page, home=within.home, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"Report: {page}\n"
    text = page.read_text("utf-8")
    ((reason,),) = query(
        within.database, "select reason from findings order by p_error desc limit 1"
    )
    assert reason.split("'")[0] in text
    assert str(within.root) not in text
