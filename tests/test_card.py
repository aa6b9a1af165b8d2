"""The model card says what the model is, and lets people change it."""

import pytest
import torch
from huggingface_hub import ModelCard

from stblocks import Forecaster, create_model
from stblocks.core.card import model_card


def tiny(**options):
    return create_model("convlstm", channels=4, num_layers=1, kernel_size=3, patch_size=2, **options)


def test_a_card_tells_how_the_model_was_built_and_what_it_knows(tmp_path):
    model = tiny(image_size=(8, 10))
    scores = "| forecast | mse |\n|---|--:|\n| model | 0.1 |"
    model.save_pretrained(tmp_path, model_card_kwargs={"scores": scores, "license": "cc-by-4.0"})
    card = ModelCard.load(tmp_path / "README.md")
    assert card.data.to_dict() == {
        "library_name": "stblocks", "license": "cc-by-4.0", "tags": ["spatiotemporal-forecasting", "convlstm"],
    }  # fmt: skip
    text = card.text
    millions = sum(each.numel() for each in model.parameters()) / 1e6
    for part in ("# convlstm", f"{millions:.3f} million", "Shi et al.", "| image_size | [8, 10] |", scores):
        assert part in text
    assert "under cc-by-4.0" in text
    assert torch.equal(Forecaster.from_pretrained(tmp_path).head[0].weight, model.head[0].weight)


def test_what_the_model_knows_of_its_data_is_a_table():
    config = tiny().config | {"data_spec": {"offset": -10.0, "scale": 95.0, "unit": "dBZ|h", "step": None}}
    text = model_card(tiny(), config)
    assert "| offset | -10.0 |" in text
    assert "| unit | dBZ\\|h |" in text
    assert "step" not in text.split("## Its data")[1].split("## Scores")[0].replace("steps", "")
    assert "data_spec" not in text
    bare = model_card(tiny(), tiny().config)
    for part in ("Nothing is known of them.", "None are given.", "None is given."):
        assert part in bare


def test_a_card_is_written_anew_until_it_is_changed(tmp_path):
    card = tmp_path / "README.md"
    tiny().save_pretrained(tmp_path, model_card_kwargs={"scores": "first"})
    tiny().save_pretrained(tmp_path, model_card_kwargs={"scores": "second"})
    assert "second" in card.read_text()
    assert "first" not in card.read_text()
    card.write_text("Mine.")
    tiny().save_pretrained(tmp_path)
    assert card.read_text() == "Mine."


def test_a_file_is_no_directory_to_save_in(tmp_path):
    (file := tmp_path / "model").write_text("mine")
    for place in (file, file / "below"):
        with pytest.raises(ValueError, match=r"save_directory must be a directory, got .* and .*model is a file; name"):
            tiny().save_pretrained(place)
    with pytest.raises(ValueError, match="save_directory must be the path of a directory, got None"):
        tiny().save_pretrained(None)
    assert file.read_text() == "mine"


def test_a_licence_that_is_none():
    with pytest.raises(ValueError, match=r'license must be an identifier such as "cc-by-4.0", got'):
        model_card(tiny(), tiny().config, license="mine\ntags: all")
