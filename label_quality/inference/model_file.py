"""Model files: a small TOML that says how a Mask R-CNN is built, which weights it takes and what its classes are called.

They may name code to run, so they are read from the settings folder alone (`Settings.model_folders`), never from the
inbox. Nothing is built here and torch is not needed.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from label_quality.inference.errors import ModelError
from label_quality.settings import Settings

OF_TORCHVISION = ("maskrcnn_resnet50_fpn_v2", "maskrcnn_resnet50_fpn")
"""Models that need no file: torchvision has them with COCO weights, and fetches these when they are first used."""

DEFAULT_WEIGHTS = "DEFAULT"


class Normalisation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Mean and standard deviation of each of red, green and blue, of values from 0 to 1."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class ModelFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model file may say.

    `builder` is the name of a torchvision builder, ``module:function`` of an installed module, or ``file.py:function``
    with the file's path relative to the model file. `weights` is a ``.safetensors`` file or a state dict that torch
    saved, relative to the model file, or ``DEFAULT`` for torchvision's own. `categories` are the names of the
    model's classes, that of label 1 first; "" for a label without a class. Without them, those that come with
    torchvision's weights. `rename` maps names of the model to names of the dataset. `arguments` go to the builder.
    """

    builder: str
    weights: str = DEFAULT_WEIGHTS
    categories: tuple[str, ...] = ()
    rename: dict[str, str] = {}
    arguments: dict[str, Any] = {}
    normalisation: Normalisation | None = None


@dataclass(frozen=True)
class Model:
    """A model by the name that its predictions carry, what its file says, and the folder that paths in it start from."""

    name: str
    file: ModelFile
    folder: Path

    @property
    def weights(self) -> Path | None:
        """The weights file; None for torchvision's own."""
        if self.file.weights == DEFAULT_WEIGHTS:
            return None
        return self.folder / self.file.weights

    @property
    def builder_file(self) -> Path | None:
        """The Python file that holds the builder, where it is named by its path."""
        module, _, function = self.file.builder.rpartition(":")
        return self.folder / module if function and module.endswith(".py") else None


def find_model(name: str, settings: Settings) -> Model:
    """The model that the settings call `name`. Raises ModelError where there is none, or its file is wrong."""
    inbox = settings.inbox_path
    for folder in settings.model_folders:
        path = folder / f"{name}.toml"
        if path.is_file():
            if isinstance(inbox, Path) and path.resolve().is_relative_to(inbox.resolve()):
                raise ModelError(
                    f"{path} lies in the inbox: model files are read from elsewhere only"
                )
            return Model(name, _read(path), folder)
    if name in OF_TORCHVISION:
        return Model(name, ModelFile(builder=name), settings.model_folders[0])
    places = " or ".join(str(f) for f in settings.model_folders)
    raise ModelError(f"there is no model {name}: no {name}.toml in {places}")


def _read(path: Path) -> ModelFile:
    try:
        read = msgspec.convert(tomllib.loads(path.read_text("utf-8")), ModelFile)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise ModelError(f"{path}: {error}") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from None
    if read.weights == DEFAULT_WEIGHTS and ":" in read.builder:
        raise ModelError(f"{path}: a builder of one's own needs `weights`")
    if read.weights != DEFAULT_WEIGHTS and not read.categories:
        raise ModelError(
            f"{path}: weights of one's own need `categories`, the name of label 1 first"
        )
    return read
