"""From a model file to a network with weights: builders, weights that hold no code, and a fingerprint of all of it.

What the network is asked, and how, is in ``network``. torch is imported when a model is loaded.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import msgspec

from label_quality.inference.errors import ModelAbsent, ModelError
from label_quality.inference.model_file import Model

if TYPE_CHECKING:
    import torch
    from torch.nn import Module

_PARTS = ("transform", "backbone", "rpn", "roi_heads")
_RULE = "1"
"""Raise it when the same model would give other results than before: what was kept is then made anew."""


@dataclass(frozen=True)
class Weights:
    """Where a model's weights come from: a file's name or torchvision's, and the SHA-256 of it."""

    name: str
    sha256: str


def require_libraries() -> None:
    """Raise ModelAbsent, in one sentence, where the extra `inference` is not installed."""
    for name in ("torch", "torchvision", "safetensors", "faiss"):
        if importlib.util.find_spec(name) is None:
            raise ModelAbsent(f"{name} is not installed (pip install 'label_quality[inference]')")


def weights_of(model: Model) -> Weights:
    """The weights of `model`, hashed. Raises ModelAbsent where the file is not there, ModelError for a wrong name."""
    path = model.weights
    if path is None:
        enum = _torchvision_weights(model)
        return Weights(str(enum), hashlib.sha256(str(enum.url).encode()).hexdigest())
    try:
        with path.open("rb") as file:
            return Weights(path.name, hashlib.file_digest(file, "sha256").hexdigest())
    except FileNotFoundError:
        raise ModelAbsent(f"the weights {path} of model {model.name} are not there") from None
    except OSError as error:
        raise ModelError(f"the weights {path} cannot be read: {error.strerror}") from None


def fingerprint(model: Model, weights: Weights, precision: str) -> str:
    """A hash of everything that decides what the model predicts, but for the images."""
    code = model.builder_file
    said = msgspec.structs.replace(model.file, rename={}, weights="")
    parts = (
        _RULE,
        importlib.metadata.version("torchvision"),
        precision,
        weights.sha256,
        msgspec.json.encode(said).decode(),
        code.read_text("utf-8") if code and code.is_file() else "",
    )
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def categories_of(model: Model) -> tuple[str, ...]:
    """Names of the model's classes, that of label 1 first; "" for a label without a class."""
    if model.file.categories:
        return model.file.categories
    names = _torchvision_weights(model).meta["categories"][1:]
    return tuple("" if name == "N/A" else name for name in names)


def load(model: Model) -> Module:
    """The network with its weights, in evaluation mode, float32, on the CPU.

    Raises ModelAbsent where weights are not here, ModelError where builder or weights are not what they should be.
    """
    require_libraries()
    if ":" in model.file.builder:
        network = _call(model, _own_builder(model), model.file.arguments)
    else:
        network = _from_torchvision(model)
    missing = [part for part in _PARTS if not hasattr(network, part)]
    if missing:
        raise ModelError(
            f"model {model.name}: {model.file.builder} gives no Mask R-CNN of torchvision's kind, "
            f"it has no {', '.join(missing)}"
        )
    _check_classes(model, network)
    if model.weights is not None:
        _fill(model, network, _read_weights(model.weights))
    if model.file.normalisation:
        network.transform.image_mean = list(model.file.normalisation.mean)
        network.transform.image_std = list(model.file.normalisation.std)
    return network.eval()


def _check_classes(model: Model, network: Module) -> None:
    scores = getattr(network.roi_heads.box_predictor, "cls_score", None)
    classes = getattr(scores, "out_features", None)
    if classes is not None and classes != len(categories_of(model)) + 1:
        raise ModelError(
            f"model {model.name}: its network knows {classes - 1} classes beside the background, "
            f"its model file names {len(categories_of(model))}"
        )


def _torchvision_weights(model: Model) -> Any:
    require_libraries()
    from torchvision.models import get_model_weights

    try:
        return get_model_weights(model.file.builder)["DEFAULT"]
    except (ValueError, KeyError):
        raise ModelError(
            f"model {model.name}: torchvision has no weights for {model.file.builder}"
        ) from None


def _from_torchvision(model: Model) -> Module:
    from torchvision.models import get_model_builder

    try:
        builder = get_model_builder(model.file.builder)
    except ValueError:
        raise ModelError(f"model {model.name}: torchvision has no {model.file.builder}") from None
    if model.weights is not None:
        classes = {"num_classes": len(model.file.categories) + 1}
        none = {"weights": None, "weights_backbone": None}
        return _call(model, builder, none | classes | model.file.arguments)
    try:
        return _call(model, builder, {"weights": "DEFAULT"} | model.file.arguments)
    except ModelError as failed:
        error = failed.__cause__
        if not isinstance(error, OSError):  # urllib's URLError is one
            raise
        reason = getattr(error, "reason", None) or error
        raise ModelAbsent(f"the weights of {model.name} could not be fetched: {reason}") from None


def _call(model: Model, builder: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    try:
        return builder(**arguments)
    except Exception as error:  # whatever a builder of the user's own makes of its arguments
        raise ModelError(
            f"model {model.name}: {model.file.builder} cannot build it: {type(error).__name__}: {error}"
        ) from error


def _own_builder(model: Model) -> Callable[..., Any]:
    module_name, _, function = model.file.builder.rpartition(":")
    try:
        file = model.builder_file
        module = _from_file(file) if file else importlib.import_module(module_name)
        found = getattr(module, function)
    except Exception as error:  # the code of the file, or of the module, runs here
        raise ModelError(
            f"model {model.name}: the builder {model.file.builder} cannot be imported: "
            f"{type(error).__name__}: {error}"
        ) from error
    return found  # type: ignore[no-any-return]


def _from_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"_builder_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(f"{path} is not there")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file by name. No code in it is ever run."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if path.suffix == ".safetensors":
        try:
            return dict(load_file(path))
        except SafetensorError as error:
            raise ModelError(f"{path} is no safetensors file: {error}") from None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ModelError(
            f"{path} holds more than weights and is refused: loading it could run code. "
            "Save the state dict alone (torch.save(model.state_dict(), ...)), or safetensors"
        ) from None
    except (RuntimeError, EOFError, ValueError) as error:
        raise ModelError(f"{path} holds no weights that torch can read: {error}") from None
    state = state.get("model", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise ModelError(f"{path} is no state dict: it should map names to tensors")
    return state


def _fill(model: Model, network: Module, state: dict[str, torch.Tensor]) -> None:
    """Copy the weights into the network, converted to its own type."""
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]]
        more = f" (and {len(lines) - 2} more)" if len(lines) > 2 else ""
        told = " ".join(lines[:2])[:400]
        raise ModelError(
            f"the weights of model {model.name} do not fit what {model.file.builder} builds: {told}{more}"
        ) from None
