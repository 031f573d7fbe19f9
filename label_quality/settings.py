"""One typed settings object: a TOML file and environment variables. Nothing else reads either.

The file is ``label_quality.toml`` in the root, else the one in the current folder, or the one that
``LABEL_QUALITY_SETTINGS`` names. ``LABEL_QUALITY_ROOT`` names the root, ``LABEL_QUALITY_MODELS`` the models to run (with
commas between them) instead of those of the file. Unknown keys are an error, so that a slip of
the pen in a limit does not pass for a limit.
"""

from __future__ import annotations

import os
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal
from urllib.parse import urlencode

import msgspec

ROOT_VARIABLE = "LABEL_QUALITY_ROOT"
FILE_VARIABLE = "LABEL_QUALITY_SETTINGS"
MODELS_VARIABLE = "LABEL_QUALITY_MODELS"
FILE_NAME = "label_quality.toml"
DEFAULT_ROOT = "data"


class SettingsError(ValueError):
    """A settings file that cannot be read or says something that is not a setting."""


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Estimated label-error rates above which a check warns and above which it is an error, 0 to 1."""

    warn: float
    error: float

    def __post_init__(self) -> None:
        if not 0 <= self.warn <= self.error <= 1:
            raise ValueError("a limit needs 0 <= warn <= error <= 1")


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of the estimated rate of each error type and of all together; share of quarantined records that warns."""

    missing: Limit = Limit(0.05, 0.15)
    wrong_class: Limit = Limit(0.02, 0.10)
    inaccurate: Limit = Limit(0.05, 0.15)
    duplicate: Limit = Limit(0.01, 0.05)
    spurious: Limit = Limit(0.03, 0.10)
    any: Limit = Limit(0.10, 0.25)
    quarantined: float = 0.0


class Drift(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a batch differs too much from the batches before it.

    A check warns (or is an error, if `severity` says so) when the difference is larger than its limit and is not chance
    (p below `significance`).
    `predecessors` is how many earlier batches are compared with, 0 for none. `error_rate` and `unmatched` are rises of a
    rate, 0 to 1; `class_mix` is Cramér's V, 0 to 1; `box_size` the Kolmogorov-Smirnov distance, 0 to 1.
    """

    predecessors: int = 10
    significance: float = 0.01
    severity: Literal["warn", "error"] = "warn"
    error_rate: float = 0.02
    unmatched: float = 0.05
    class_mix: float = 0.2
    box_size: float = 0.15

    def __post_init__(self) -> None:
        shares = (
            self.significance,
            self.error_rate,
            self.unmatched,
            self.class_mix,
            self.box_size,
        )
        if self.predecessors < 0 or not all(0 <= share <= 1 for share in shares):
            raise ValueError("drift needs predecessors >= 0 and limits from 0 to 1")


class Sample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The random sample for review (docs/rates.md): `size` labels and suspected missing ones of each batch, 0 for none.

    `share` of the cards of the queue are of the sample, 0 to 0.5; the same `seed` draws the same again.
    """

    size: int = 400
    share: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        if self.size < 0 or not 0 <= self.share <= 0.5:
            raise ValueError("sample needs size >= 0 and a share from 0 to 0.5")


class Webhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where failed runs and failed checks are reported: a URL that takes JSON by POST, "" for nowhere."""

    url: str = ""
    timeout_seconds: float = 5.0
    warnings: bool = False

    def __post_init__(self) -> None:
        if self.url and not self.url.startswith(("http://", "https://")):
            raise ValueError("a webhook's url starts with http:// or https://")
        if self.timeout_seconds <= 0:
            raise ValueError("a webhook needs timeout_seconds > 0")


class DuckDB(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Resources of each DuckDB connection. `threads` 0 means all cores."""

    memory_limit: str = "1500MB"
    threads: int = 0


class Inference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which models are run on each batch, and how (docs/inference.md). Needs the extra `inference`.

    `models` are names of model files, or of torchvision's own models. `probe`: whether they are asked about each label.
    `device` is torch's name of one, "" a GPU where there is one. `precision` is auto, float32, bfloat16 or float16.
    `batch_size` 0 means by memory; `workers` are processes that decode images, -1 as many as the device can use.
    """

    models: tuple[str, ...] = ()
    probe: bool = True
    device: str = ""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    batch_size: int = 0
    workers: int = -1

    def __post_init__(self) -> None:
        if self.batch_size < 0 or self.workers < -1:
            raise ValueError("inference needs batch_size >= 0 and workers >= -1")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings. `root` is absolute once loaded; `inbox` may be relative to it.

    `review_log_url` is empty for the file ``reviews.db`` in the root, or names a PostgreSQL database.
    `trained_on` names for each model, imported or run here, the batches that it was trained on (`*` stands for any text):
    what it says about their labels is no second opinion. `settings_folder` is the folder of the settings file, not a setting.
    A folder of the inbox is taken when nothing in it was written for `settle_seconds`, or at once when its `.done` file
    is the last thing written; `done_marker_required` waits for that file whatever the age. Runs older than
    `keep_runs_days` are removed from Dagster's history by night, 0 keeps them for ever.
    """

    root: str = DEFAULT_ROOT
    inbox: str = "inbox"
    keep_versions: int = 3
    limits: Limits = Limits()
    duckdb: DuckDB = DuckDB()
    image_header_threads: int = 8
    drift: Drift = Drift()
    sample: Sample = Sample()
    webhook: Webhook = Webhook()
    sensor_interval_seconds: int = 30
    settle_seconds: float = 5.0
    done_marker_required: bool = False
    keep_runs_days: int = 30
    review_url: str = ""
    review_log_url: str = ""
    inference: Inference = Inference()
    trained_on: dict[str, tuple[str, ...]] = {}
    settings_folder: str = ""

    @property
    def root_path(self) -> Path:
        """The root folder."""
        return Path(self.root)

    @property
    def inbox_path(self) -> Path:
        """The folder that the sensor watches."""
        return self.root_path / self.inbox

    @property
    def model_folders(self) -> tuple[Path, ...]:
        """Where model files may lie: ``models`` beside the settings file, and in the root."""
        beside = [Path(self.settings_folder)] if self.settings_folder else []
        return tuple(dict.fromkeys(folder / "models" for folder in (*beside, self.root_path)))

    def saw_labels(self, model: str, batch: str) -> bool:
        """Whether `model` was trained on the labels of `batch`, as far as the settings say."""
        return any(fnmatchcase(batch, pattern) for pattern in self.trained_on.get(model, ()))


def review_link(review_url: str, **filters: str) -> str:
    """The address of the review page with these filters; "" where the settings name none."""
    return f"{review_url.rstrip('/')}/?{urlencode(filters)}" if review_url else ""


def load_settings(root: str | Path | None = None) -> Settings:
    """Settings for `root`, else for ``LABEL_QUALITY_ROOT``, else for what the file says, else for ``./data``.

    Raises SettingsError with the file's name and the place when the file is wrong.
    """
    chosen = str(root) if root is not None else os.environ.get(ROOT_VARIABLE, "")
    path = _settings_file(Path(chosen or DEFAULT_ROOT))
    settings = _read(path) if path else Settings()
    base = Path(chosen) if chosen else Path(settings.root)
    models = tuple(filter(None, os.environ.get(MODELS_VARIABLE, "").split(",")))
    inference = settings.inference
    if models:
        inference = msgspec.structs.replace(inference, models=models)
    return msgspec.structs.replace(
        settings, root=str(base.expanduser().absolute()), inference=inference
    )


def _settings_file(root: Path) -> Path | None:
    named = os.environ.get(FILE_VARIABLE)
    if named:
        if not Path(named).is_file():
            raise SettingsError(f"{FILE_VARIABLE} names {named}, which is not a file")
        return Path(named)
    return next((p for p in (root / FILE_NAME, Path(FILE_NAME)) if p.is_file()), None)


def _read(path: Path) -> Settings:
    try:
        said = tomllib.loads(path.read_text("utf-8"))
        if "settings_folder" in said:
            raise SettingsError(f"{path}: settings_folder is no setting")
        settings = msgspec.convert(said, Settings)
        return msgspec.structs.replace(settings, settings_folder=str(path.absolute().parent))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(f"{path}: {error}") from error
