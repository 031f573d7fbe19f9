"""The definitions themselves, nothing run: the asset graph follows from the schema, and both doors name one location."""

from __future__ import annotations

import tomllib
from pathlib import Path

import dagster as dg
import pytest
import yaml
from pipeline_tools import PROJECT

from label_quality.definitions import build_definitions, defs
from label_quality.schema import ERROR_TYPES, TABLES
from label_quality.settings import Settings

GRAPH = defs.get_repository_def().asset_graph
OF_THE_LOG = {n for n, t in TABLES.items() if t.from_log}  # people make them, not runs


def test_every_table_is_one_asset_of_its_name() -> None:
    names = sorted(key.to_user_string() for key in GRAPH.get_all_asset_keys())
    assert names == sorted([*TABLES, "publish"])
    made = {name for name in names if GRAPH.get(dg.AssetKey(name)).is_materializable}
    assert set(names) - made == OF_THE_LOG
    assert all(GRAPH.get(dg.AssetKey(name)).is_external for name in OF_THE_LOG)


@pytest.mark.parametrize("name", TABLES)
def test_an_asset_says_what_the_schema_says(name: str) -> None:
    node, table = GRAPH.get(dg.AssetKey(name)), TABLES[name]
    assert node.description == table.description
    assert node.group_name == table.group
    assert node.owners == ["team:data-quality"]
    assert node.kinds == {"duckdb" if table.published else "parquet"}
    assert node.code_version
    assert (node.partitions_def is not None) == table.per_batch
    schema = node.metadata["dagster/column_schema"]
    assert [(c.name, c.type) for c in schema.columns] == [(c.name, c.type) for c in table.columns]
    for shown, column in zip(schema.columns, table.columns, strict=True):
        assert shown.description == column.comment != ""
        assert shown.constraints.nullable == column.nullable


def test_publish_waits_for_every_table_of_the_batch() -> None:
    publish = GRAPH.get(dg.AssetKey("publish"))
    assert publish.parent_keys == {
        dg.AssetKey(n) for n, t in TABLES.items() if t.per_batch or t.from_log
    }
    assert publish.description
    assert publish.group_name == "publish"


def test_jobs_hold_every_asset_once() -> None:
    repository = defs.get_repository_def()
    of_jobs = [
        {key.to_user_string() for key in repository.get_job(name).asset_layer.selected_asset_keys}
        for name in ("audit_batch", "refresh")
    ]
    assert of_jobs[0].isdisjoint(of_jobs[1])
    assert of_jobs[0] | of_jobs[1] == {*TABLES, "publish"} - OF_THE_LOG


def test_rates_never_block_and_lost_records_do() -> None:
    specs = {key: GRAPH.get_check_spec(key) for key in GRAPH.asset_check_keys}
    blocking = {key.asset_key.to_user_string() for key, spec in specs.items() if spec.blocking}
    assert blocking == {"batches", "models"}
    of_rates = {key.name for key in specs if key.asset_key == dg.AssetKey("error_rates")}
    assert of_rates == {*(f"{kind}_rate" for kind in ERROR_TYPES), "label_error_rate"}
    assert all(spec.description for spec in specs.values())


def test_sensors_and_the_schedule_are_on_by_default() -> None:
    repository = defs.get_repository_def()
    assert {s.name: s.default_status for s in repository.sensor_defs} == dict.fromkeys(
        ("inbox", "settled", "failed_runs", "failed_checks"), dg.DefaultSensorStatus.RUNNING
    )
    assert {s.name: s.default_status for s in repository.schedule_defs} == dict.fromkeys(
        ("nightly_refresh", "nightly_purge"), dg.DefaultScheduleStatus.RUNNING
    )


def test_definitions_can_be_built_for_any_root(tmp_path: Path) -> None:
    built = build_definitions(Settings(root=str(tmp_path)))
    dg.Definitions.validate_loadable(built)
    assert built.resources["store"].root == str(tmp_path)


def test_both_doors_name_one_code_location() -> None:
    workspace = yaml.safe_load((PROJECT / "workspace.yaml").read_text("utf-8"))
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["tool"]["dg"][
        "project"
    ]
    module = workspace["load_from"][0]["python_module"]
    assert module["location_name"] == project["code_location_name"]
    assert module["module_name"] == project["code_location_target_module"]


def test_telemetry_is_off() -> None:
    config = yaml.safe_load((PROJECT / "dagster_home" / "dagster.yaml").read_text("utf-8"))
    assert config["telemetry"] == {"enabled": False}
