"""`label-quality report` where there is nothing, or nothing to write to: one sentence and exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from label_quality.cli import cli


def test_nothing_is_published(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["report", "--root", str(tmp_path)])
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert "nothing has been published" in done.stderr
    assert list(tmp_path.glob("*.html")) == []


@pytest.mark.parametrize(
    "content", [b"", b"no database at all, but a text that is longer than its header" * 100]
)
def test_a_damaged_database(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "label_quality.duckdb").write_bytes(content)
    done = CliRunner().invoke(cli, ["report", "--root", str(tmp_path)])
    assert done.exit_code == 2
    assert done.stderr.startswith("label-quality: ")
    assert "Traceback" not in done.stderr
