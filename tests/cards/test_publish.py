"""scripts/publish.py: every file that is given gets into the registry, and what was in it stays."""

import hashlib
import runpy
from pathlib import Path

import pytest

from voxfield.cards import cards, resolve
from voxfield.cards.card import example_card

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def shelf(tmp_path, make_spectral_model):
    """A registry of one model, and a function that publishes into it."""
    (tmp_path / "models.toml").write_text("")
    publish = runpy.run_path(str(SCRIPTS / "publish.py"))["publish"]

    def call(*names, url=None):
        paths = [make_spectral_model(tmp_path / f"{name}.onnx", name=name) for name in names]
        return publish(paths, url, tmp_path / "models.toml", tmp_path / "weights")

    call("crn-old.v1")
    return tmp_path, call


def names(folder):
    return [card.name for card in cards(folder / "models.toml")]


def test_several_files_at_once_and_one_after_another(shelf):
    folder, publish = shelf
    publish("crn-b.v1", "crn-a.v1")
    assert names(folder) == ["crn-a.v1", "crn-b.v1", "crn-old.v1"]
    publish("crn-c.v1")
    publish("crn-d.v1")
    assert names(folder) == ["crn-a.v1", "crn-b.v1", "crn-c.v1", "crn-d.v1", "crn-old.v1"]
    for name in names(folder):
        assert resolve(name, folder / "models.toml", folder / "weights")[1].name == f"{name}.onnx"


def test_the_same_name_replaces(shelf, make_spectral_model):
    folder, publish = shelf
    before = cards(folder / "models.toml")
    publish("crn-old.v1")
    assert cards(folder / "models.toml") == before


def test_a_file_to_download_is_not_copied(shelf):
    folder, publish = shelf
    (card,) = publish("crn-far.v1", url="https://example.org/weights/")
    assert card.file.url == "https://example.org/weights/crn-far.v1.onnx"
    assert card.file.sha256 == hashlib.sha256((folder / "crn-far.v1.onnx").read_bytes()).hexdigest()
    assert [path.name for path in (folder / "weights").iterdir()] == ["crn-old.v1.onnx"]
    assert names(folder) == ["crn-far.v1", "crn-old.v1"]


def test_the_page_of_models_is_what_the_cards_say():
    script = runpy.run_path(str(SCRIPTS / "model_pages.py"))
    made = script["HEAD"] + "\n".join(line for card in cards() for line in script["section"](card)) + "\n"
    assert script["PAGE"].read_text(encoding="utf-8") == made


def test_the_page_shows_trials_and_calibration_of_a_speaker_model():
    script = runpy.run_path(str(SCRIPTS / "model_pages.py"))
    trials = [{"list": "read-2s", "targets": 8, "impostors": 72, "eer": 0.0625, "min_dcf": 0.5, "cllr": 0.25}]
    card = example_card(task="embed", measured={"trials": trials}, calibration={"bias": -4.5, "threshold": 2.5})
    page = "\n".join(script["section"](card))
    assert "| read-2s | 8 | 72 | 6.25 | 0.500 | 0.250 |" in page
    assert "| calibration | bias -4.5, threshold 2.5 |" in page
