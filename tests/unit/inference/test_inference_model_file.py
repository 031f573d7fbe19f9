"""Model files: what they say, where they may lie, and what is wrong with one. No torch is needed to read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from label_quality.inference.errors import ModelError
from label_quality.inference.model_file import OF_TORCHVISION, find_model
from label_quality.settings import Inference, Settings, SettingsError, load_settings

OWN = 'builder = "m.py:build"\nweights = "w.safetensors"\ncategories = ["cat"]\n'


def write(root: Path, text: str, name: str = "mine") -> Settings:
    (root / "models").mkdir(parents=True, exist_ok=True)
    (root / "models" / f"{name}.toml").write_text(text)
    return Settings(root=str(root))


def test_paths_start_from_the_model_file(tmp_path: Path) -> None:
    model = find_model("mine", write(tmp_path, OWN))
    assert model.weights == tmp_path / "models" / "w.safetensors"
    assert model.builder_file == tmp_path / "models" / "m.py"
    assert model.file.categories == ("cat",)


def test_models_of_torchvision_need_no_file(tmp_path: Path) -> None:
    for name in OF_TORCHVISION:
        model = find_model(name, Settings(root=str(tmp_path)))
        assert (model.weights, model.builder_file, model.file.builder) == (None, None, name)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("builder = ", "Invalid value"),
        ('weights = "a.pt"', "builder"),
        (OWN + "colour = 1", "colour"),
        (OWN + "categories = 3", "Cannot overwrite"),
        ('builder = "m.py:build"\ncategories = ["cat"]', "needs `weights`"),
        ('builder = "maskrcnn_resnet50_fpn"\nweights = "a.pt"', "needs? `categories`"),
        (OWN + "[normalisation]\nmean = [0, 0]\nstd = [1, 1, 1]", "normalisation"),
    ],
)
def test_what_is_wrong_is_told_with_the_file(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ModelError, match=told) as error:
        find_model("mine", write(tmp_path, text))
    assert "mine.toml" in str(error.value)


def test_an_unknown_model_names_the_places_that_were_looked_into(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model other: no other.toml in .*models"):
        find_model("other", write(tmp_path, OWN))


@pytest.mark.parametrize("inbox", [".", "models", "../root"])
def test_nothing_is_read_from_the_inbox(tmp_path: Path, inbox: str) -> None:
    """A model file names code to run, and whoever fills the inbox is not asked to be trusted with that."""
    write(tmp_path / "root", OWN)
    settings = Settings(root=str(tmp_path / "root"), inbox=inbox)
    with pytest.raises(ModelError, match="inbox"):
        find_model("mine", settings)


def test_nor_is_a_link_into_the_inbox_followed(tmp_path: Path) -> None:
    settings = write(tmp_path, OWN)
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "evil.toml").write_text(OWN)
    (tmp_path / "models" / "evil.toml").symlink_to(tmp_path / "inbox" / "evil.toml")
    with pytest.raises(ModelError, match="inbox"):
        find_model("evil", settings)


def test_models_lie_beside_the_settings_file_or_in_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = tmp_path / "conf"
    beside.mkdir()
    (beside / "label_quality.toml").write_text('[inference]\nmodels = ["mine"]\n')
    monkeypatch.setenv("LABEL_QUALITY_SETTINGS", str(beside / "label_quality.toml"))
    settings = load_settings(tmp_path / "root")
    assert settings.model_folders == (beside / "models", tmp_path / "root" / "models")
    assert settings.inference.models == ("mine",)
    monkeypatch.setenv("LABEL_QUALITY_MODELS", "one,two")
    assert load_settings(tmp_path / "root").inference.models == ("one", "two")


def test_the_folder_of_the_settings_is_no_setting(tmp_path: Path) -> None:
    (tmp_path / "label_quality.toml").write_text('settings_folder = "/tmp"\n')
    with pytest.raises(SettingsError, match="settings_folder"):
        load_settings(tmp_path)


@pytest.mark.parametrize(
    ("patterns", "batch", "saw"),
    [(["a"], "a", True), (["a"], "ab", False), (["lot-*"], "lot-7", True), ([], "a", False)],
)
def test_which_labels_a_model_saw(patterns: list[str], batch: str, saw: bool) -> None:
    settings = Settings(trained_on={"mine": tuple(patterns)})
    assert settings.saw_labels("mine", batch) is saw
    assert not settings.saw_labels("another", batch)


@pytest.mark.parametrize("wrong", [{"batch_size": -1}, {"workers": -2}])
def test_numbers_that_mean_nothing_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="inference needs batch_size >= 0"):
        Inference(**wrong)  # type: ignore[arg-type]
