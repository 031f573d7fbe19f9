"""One typed settings object: a TOML file and environment variables. Nothing else reads either.

The file is ``label_quality.toml`` in the root, else the one in the current folder, or the one that
``LABEL_QUALITY_SETTINGS`` names. ``LABEL_QUALITY_ROOT`` names the root, ``LABEL_QUALITY_MODELS`` the models to run (with
commas between them) instead of those of the file; ``LABEL_QUALITY_EXECUTOR`` and ``LABEL_QUALITY_BROKER`` stand before
`executor` and `celery.broker`, so that no password need be in a file, ``LABEL_QUALITY_OBJECT_STORE`` and
``LABEL_QUALITY_INBOX`` before `object_store` and `inbox`. Unknown keys are an error, so that a slip of
the pen in a limit does not pass for a limit.
"""

from __future__ import annotations

import os
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

import msgspec

if TYPE_CHECKING:
    from upath import UPath

ROOT_VARIABLE = "LABEL_QUALITY_ROOT"
FILE_VARIABLE = "LABEL_QUALITY_SETTINGS"
MODELS_VARIABLE = "LABEL_QUALITY_MODELS"
EXECUTOR_VARIABLE = "LABEL_QUALITY_EXECUTOR"
BROKER_VARIABLE = "LABEL_QUALITY_BROKER"
OBJECT_STORE_VARIABLE = "LABEL_QUALITY_OBJECT_STORE"
INBOX_VARIABLE = "LABEL_QUALITY_INBOX"
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


class Celery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where runs and workers meet, with `executor = "celery"` (docs/deploy.md). Needs the extra `celery`.

    `broker` is the URL of a Redis database, for steps and for their results. A step whose worker is gone is given to
    another one after `visibility_timeout_seconds`. One that takes longer than that is begun a second time, to no harm but the
    work: so let it be longer than the longest step.
    """

    broker: str = "redis://localhost:6379/0"
    visibility_timeout_seconds: int = 3600

    def __post_init__(self) -> None:
        if not self.broker.startswith(("redis://", "rediss://")):
            raise ValueError("celery's broker is a URL that starts with redis:// or rediss://")
        if self.visibility_timeout_seconds < 1:
            raise ValueError("celery needs visibility_timeout_seconds >= 1")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings. `root` is absolute once loaded; `inbox` may be relative to it.

    `object_store` is the URL of the folder on an object store that holds tables, batches and deliveries (docs/deploy.md), ""
    for the root; `inbox` may be such a URL too. `review_log_url` is empty for the file ``reviews.db`` in the root, or names a PostgreSQL database.
    `trained_on` names for each model, imported or run here, the batches that it was trained on (`*` stands for any text):
    what it says about their labels is no second opinion. `settings_folder` is the folder of the settings file, not a setting.
    A folder of the inbox is taken when nothing in it was written for `settle_seconds`, or at once when its `.done` file
    is the last thing written; `done_marker_required` waits for that file whatever the age. Runs older than
    `keep_runs_days` are removed from Dagster's history by night, 0 keeps them for ever.
    """

    root: str = DEFAULT_ROOT
    inbox: str = "inbox"
    object_store: str = ""
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
    executor: Literal["in_process", "celery"] = "in_process"
    celery: Celery = Celery()
    trained_on: dict[str, tuple[str, ...]] = {}
    settings_folder: str = ""

    def __post_init__(self) -> None:
        for name, url in (("object_store", self.object_store), ("inbox", self.inbox)):
            if is_url(url) and not url.startswith("s3://"):
                raise ValueError(f"{name} on an object store is a URL that starts with s3://")
        if self.object_store and not is_url(self.object_store):
            raise ValueError("object_store is a URL that starts with s3://")

    @property
    def root_path(self) -> Path:
        """The root folder."""
        return Path(self.root)

    @property
    def inbox_path(self) -> Path | UPath:
        """The folder that the sensor watches; a UPath where it lies on an object store."""
        return place(self.inbox) if is_url(self.inbox) else self.root_path / self.inbox

    @property
    def model_folders(self) -> tuple[Path, ...]:
        """Where model files may lie: ``models`` beside the settings file, and in the root."""
        beside = [Path(self.settings_folder)] if self.settings_folder else []
        return tuple(dict.fromkeys(folder / "models" for folder in (*beside, self.root_path)))

    def saw_labels(self, model: str, batch: str) -> bool:
        """Whether `model` was trained on the labels of `batch`, as far as the settings say."""
        return any(fnmatchcase(batch, pattern) for pattern in self.trained_on.get(model, ()))


def is_url(text: str) -> bool:
    """Whether `text` names a place on an object store rather than a path."""
    return "://" in text


def place(url: str) -> UPath:
    """The folder or file of an object store that `url` names, to be used as a path. SettingsError without the extra `s3`."""
    # Here, and asked for by few: local files are paths of the standard library.
    try:
        import s3fs  # noqa: F401, PLC0415
        from upath import UPath  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"{url} needs the extra s3, pip install 'label_quality[s3]': {error}"
        ) from error
    return UPath(url, use_listings_cache=False)


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
    found = msgspec.structs.replace(
        settings, root=str(base.expanduser().absolute()), inference=inference
    )
    return _with_variables(found)


def _with_variables(settings: Settings) -> Settings:
    """The settings with what the environment says of places and of the executor."""
    said = msgspec.to_builtins(settings)
    for where, key, variable in (
        (said, "executor", EXECUTOR_VARIABLE),
        (said["celery"], "broker", BROKER_VARIABLE),
        (said, "object_store", OBJECT_STORE_VARIABLE),
        (said, "inbox", INBOX_VARIABLE),
    ):
        where[key] = os.environ.get(variable) or where[key]
    try:
        return msgspec.convert(said, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(f"in a variable LABEL_QUALITY_…: {error}") from error


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
