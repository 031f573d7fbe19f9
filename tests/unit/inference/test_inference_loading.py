"""Builders and weights: what is loaded, and what is refused. Weights never run code."""

from __future__ import annotations

import pickle
import sys
import urllib.request
from pathlib import Path

import pytest
from helpers.networks import HERE, model_file, needs_torch

from label_quality.inference import loading
from label_quality.inference.errors import ModelAbsent, ModelError
from label_quality.inference.model_file import Model, find_model
from label_quality.settings import Settings


def model(root: Path, name: str = "tiny") -> Model:
    return find_model(name, Settings(root=str(root)))


def change(root: Path, old: str, new: str) -> Model:
    path = root / "models" / "tiny.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return model(root)


def test_without_torch_it_says_so_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModelAbsent, match=r"torch is not installed \(pip install"):
        loading.require_libraries()


@needs_torch
@pytest.mark.parametrize("kind", ["safetensors", "state dict", "checkpoint"])
def test_weights_come_from_safetensors_and_state_dicts(tmp_path: Path, kind: str) -> None:
    import torch

    model_file(tmp_path)
    wanted = loading.load(model(tmp_path)).state_dict()
    if kind != "safetensors":
        halves = {name: value.half() for name, value in wanted.items()}
        saved = halves if kind == "state dict" else {"model": halves, "epoch": 3}
        torch.save(saved, tmp_path / "models" / "w.pt")
        change(tmp_path, "tiny.safetensors", "w.pt")
    found = loading.load(model(tmp_path))
    assert not found.training
    for name, value in found.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.allclose(value, wanted[name], atol=1e-3)


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return eval, ("open('ran', 'w').close()",)


@needs_torch
@pytest.mark.parametrize("how", ["pickle", "torch"])
def test_a_pickle_with_code_in_it_is_refused(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.chdir(tmp_path)
    model_file(tmp_path)
    path = tmp_path / "models" / "w.pt"
    if how == "torch":
        torch.save({"a": _Evil()}, path)
    else:
        path.write_bytes(pickle.dumps(_Evil()))
    with pytest.raises(ModelError, match="could run code") as error:
        loading.load(change(tmp_path, "tiny.safetensors", "w.pt"))
    assert "\n" not in str(error.value)
    assert not Path("ran").exists()


@needs_torch
@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("classes = 4", "classes = 5", "4 classes beside the background, its model file names 3"),
        ("classes = 4", "classes = 4\nbox_head = 1", "cannot build it: TypeError"),
        (":build", ":build_from_a_file", "cannot build it: FileNotFoundError"),
        (":build", ":nothing", "cannot be imported: AttributeError"),
        ("tiny_mask_rcnn.py:build", "not_there.py:build", "cannot be imported: FileNotFoundError"),
        (f"{HERE}/tiny_mask_rcnn.py:build", "no_such_module:build", "ModuleNotFoundError"),
        (f"{HERE}/tiny_mask_rcnn.py:build", "collections:OrderedDict", "gives no Mask R-CNN"),
        (
            f"{HERE}/tiny_mask_rcnn.py:build",
            "maskrcnn_resnet9",
            "torchvision has no maskrcnn_resnet9",
        ),
        ("classes = 4", "classes = 4\n[normalisation]\nmean = [0, 0, 0]\nstd = [1, 1, 1]", ""),
    ],
)
def test_what_does_not_fit_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    model_file(tmp_path)
    changed = change(tmp_path, old, new)
    if not told:
        assert loading.load(changed).transform.image_std == [1, 1, 1]
        return
    with pytest.raises(ModelError, match=told):
        loading.load(changed)


@needs_torch
def test_weights_of_another_shape_or_kind_are_told(tmp_path: Path) -> None:
    import torch
    from helpers import tiny_mask_rcnn
    from safetensors.torch import save_file

    model_file(tmp_path)
    weights = tmp_path / "models" / "tiny.safetensors"
    save_file(tiny_mask_rcnn.build(classes=2).state_dict(), weights)
    with pytest.raises(ModelError, match=r"do not fit .* size mismatch .* more"):
        loading.load(model(tmp_path))
    weights.write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="no safetensors file"):
        loading.load(model(tmp_path))
    torch.save([1, 2], tmp_path / "models" / "w.pt")
    with pytest.raises(ModelError, match="no state dict"):
        loading.load(change(tmp_path, "tiny.safetensors", "w.pt"))


@needs_torch
def test_absent_weights_are_no_mistake(tmp_path: Path) -> None:
    model_file(tmp_path)
    (tmp_path / "models" / "tiny.safetensors").unlink()
    with pytest.raises(ModelAbsent, match="are not there"):
        loading.weights_of(model(tmp_path))


@needs_torch
def test_the_fingerprint_knows_everything_that_decides_the_predictions(tmp_path: Path) -> None:
    model_file(tmp_path)
    first = model(tmp_path)
    weights = loading.weights_of(first)
    prints = [
        loading.fingerprint(first, weights, "auto"),
        loading.fingerprint(first, weights, "float32"),
        loading.fingerprint(first, loading.Weights("w", "0" * 64), "auto"),
        loading.fingerprint(change(tmp_path, "classes = 4", "min_size = 50"), weights, "auto"),
    ]
    assert len(set(prints)) == len(prints)
    assert loading.fingerprint(first, weights, "auto") == prints[0]


@needs_torch
def test_torchvision_knows_the_classes_of_its_own_weights(tmp_path: Path) -> None:
    own = find_model("maskrcnn_resnet50_fpn_v2", Settings(root=str(tmp_path)))
    names = loading.categories_of(own)
    assert (names[0], names[89], names.count("")) == ("person", "toothbrush", 10)
    assert len([n for n in names if n]) == 80
    assert "COCO_V1" in loading.weights_of(own).name


@needs_torch
def test_weights_that_cannot_be_fetched_are_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing answers where the weights should come from, and none were fetched before."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    # The process's opener keeps the proxies of its first request: one for this test alone.
    monkeypatch.setattr(urllib.request, "_opener", None)
    own = find_model("maskrcnn_resnet50_fpn", Settings(root=str(tmp_path)))
    with pytest.raises(ModelAbsent, match="could not be fetched"):
        loading.load(own)
